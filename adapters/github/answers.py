"""Parses GitHub's answers into values. Raises HostError for answers that aren't as documented."""

from __future__ import annotations

from datetime import datetime

from pydantic import JsonValue

from schemas.errors import HostError
from schemas.host import (
    Artifact,
    Comment,
    HookDelivery,
    HostedCheck,
    HostedPullRequest,
    HostedRepository,
    Installation,
    Role,
)

Json = dict[str, JsonValue]
UNEXPECTED = "GitHub's answer isn't what its documentation says"


def an_object(value: JsonValue) -> Json:
    """Returns ``value`` as an object. Raises HostError if it isn't one."""
    if not isinstance(value, dict):
        raise HostError(f"{UNEXPECTED}: an object was expected")
    return value


def text(row: Json, name: str) -> str:
    """Returns a required text. Raises HostError if it is missing."""
    value = row.get(name)
    if not isinstance(value, str):
        raise HostError(f"{UNEXPECTED}: “{name}” is missing")
    return value


def optional(row: Json, name: str) -> str | None:
    """Returns a text, or ``None`` if it is missing."""
    value = row.get(name)
    return value if isinstance(value, str) else None


def number(row: Json, name: str) -> int:
    """Returns a required whole number. Raises HostError if it is missing."""
    value = row.get(name)
    if not isinstance(value, int):
        raise HostError(f"{UNEXPECTED}: “{name}” is missing")
    return value


def login(user: JsonValue) -> str:
    """Returns the user's login; empty for a deleted user."""
    return (optional(user, "login") or "") if isinstance(user, dict) else ""


def moment(row: Json, name: str) -> datetime:
    """Returns an aware datetime. Raises HostError if there is none."""
    try:
        found = datetime.fromisoformat(text(row, name))
    except ValueError:
        raise HostError(f"{UNEXPECTED}: “{name}” isn't a time") from None
    if found.tzinfo is None:
        raise HostError(f"{UNEXPECTED}: “{name}” has no zone")
    return found


def words(value: JsonValue) -> dict[str, str]:
    """Returns an object of texts, such as permissions."""
    return {name: level for name, level in an_object(value).items() if isinstance(level, str)}


def texts(value: JsonValue) -> tuple[str, ...]:
    """Returns a list of texts, such as events; empty where there is none."""
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def comment(row: Json) -> Comment:
    """Returns one comment."""
    return Comment(id=number(row, "id"), url=optional(row, "html_url") or "")


def pull_request(row: Json) -> HostedPullRequest:
    """Returns one pull request."""
    base, head = an_object(row.get("base")), an_object(row.get("head"))
    repository = head.get("repo")
    return HostedPullRequest(
        number=number(row, "number"),
        is_open=row.get("state") == "open",
        merged=row.get("merged_at") is not None,
        author=login(row.get("user")),
        base_ref=text(base, "ref"),
        default_branch=text(an_object(base.get("repo")), "default_branch"),
        head_ref=text(head, "ref"),
        head_sha=text(head, "sha"),
        merge_commit_sha=optional(row, "merge_commit_sha"),
        head_repository=text(repository, "full_name") if isinstance(repository, dict) else None,
    )


def artifact(row: Json) -> Artifact | None:
    """Returns one artifact; ``None`` if it has expired or no workflow run made it."""
    run = row.get("workflow_run")
    if row.get("expired") or not isinstance(run, dict):
        return None
    return Artifact(
        id=number(row, "id"),
        name=text(row, "name"),
        size=number(row, "size_in_bytes"),
        head_sha=text(run, "head_sha"),
        same_repository=number(run, "repository_id") == run.get("head_repository_id"),
        created_at=optional(row, "created_at") or "",
    )


def check(row: Json) -> HostedCheck:
    """Returns one check run."""
    output, app = an_object(row.get("output")), row.get("app")
    return HostedCheck(
        id=number(row, "id"),
        name=text(row, "name"),
        head_sha=text(row, "head_sha"),
        external_id=optional(row, "external_id") or "",
        app_id=number(app, "id") if isinstance(app, dict) else None,
        conclusion=optional(row, "conclusion"),
        title=optional(output, "title") or "",
        url=optional(row, "html_url") or "",
        started_at=optional(row, "started_at"),
        annotations=number(output, "annotations_count"),
    )


STRONGEST = {"none": Role.NONE, "read": Role.TRIAGE, "write": Role.MAINTAIN, "admin": Role.ADMIN}
"""The strongest role that each of GitHub's coarse ``permission`` values can mean."""


def role(row: Json) -> Role:
    """Returns ``role_name``, or ``permission`` if the role is custom or stronger than ``permission`` allows."""
    coarse, fine = row.get("permission"), row.get("role_name")
    if coarse not in STRONGEST:
        return Role.NONE
    level, weakest_first = Role(str(coarse)), list(Role)
    if fine not in weakest_first:
        return level
    named = Role(str(fine))
    return named if weakest_first.index(named) <= weakest_first.index(STRONGEST[level.value]) else level


def installation(row: Json) -> Installation:
    """Returns one installation of the App."""
    return Installation(
        id=number(row, "id"),
        account=login(row.get("account")),
        permissions=words(row.get("permissions")),
        events=texts(row.get("events")),
        suspended=row.get("suspended_at") is not None,
    )


def repository(row: Json) -> HostedRepository:
    """Returns one repository."""
    return HostedRepository(
        id=number(row, "id"),
        full_name=text(row, "full_name"),
        default_branch=text(row, "default_branch"),
        private=row.get("private") is True,
    )


def delivery(row: Json) -> HookDelivery:
    """Returns one delivery of a webhook."""
    installed, where = row.get("installation_id"), row.get("repository_id")
    return HookDelivery(
        id=number(row, "id"),
        guid=text(row, "guid"),
        event=text(row, "event"),
        action=optional(row, "action"),
        delivered_at=moment(row, "delivered_at"),
        redelivery=row.get("redelivery") is True,
        status_code=number(row, "status_code"),
        installation_id=installed if isinstance(installed, int) else None,
        repository_id=where if isinstance(where, int) else None,
    )
