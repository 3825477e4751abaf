"""What the App asks GitHub for, and the ruleset that pins the check to it. Pure: setup sends it, doctor compares it."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from pydantic import JsonValue

from engine.check_names import NAME
from schemas.values import Value

PERMISSIONS = {
    "checks": "write",
    "contents": "read",
    "issues": "read",
    "merge_queues": "read",
    "metadata": "read",
    "pull_requests": "write",
}
"""The least that works. ``issues``: without it GitHub refuses to register an App for ``issue_comment``."""
EVENTS = ("check_run", "check_suite", "issue_comment", "merge_group", "pull_request", "pull_request_review", "push")
"""What must be subscribed to; of installations and pings every App is told."""
LEVELS = ("none", "read", "write", "admin")
LONGEST_NAME = 34
"""GitHub's limit for an App's name."""


class Registration(Value):
    """An App that is to be registered."""

    name: str
    webhook_url: str
    """Where GitHub will reach the bot: ``https://HOST/webhook``."""
    redirect_url: str
    """Where GitHub sends the browser afterwards, with the code."""


def manifest(registration: Registration) -> dict[str, JsonValue]:
    """The manifest (docs.github.com, «Registering a GitHub App from a manifest»)."""
    parts = urlsplit(registration.webhook_url)
    return {
        "name": registration.name,
        "url": urlunsplit((parts.scheme, parts.netloc, "", "", "")),
        "description": "Measures what a pull request does to an LLM prompt, and says whether it may be merged.",
        "hook_attributes": {"url": registration.webhook_url, "active": True},
        "redirect_url": registration.redirect_url,
        "public": False,
        "default_permissions": dict(PERMISSIONS),
        "default_events": list(EVENTS),
    }


def ruleset(app_id: int) -> dict[str, JsonValue]:
    """The ruleset that lets nothing into the default branch without our check, by this App and by nobody else."""
    check: dict[str, JsonValue] = {"context": NAME, "integration_id": app_id}
    return {
        "name": "Prompt Verdict",
        "target": "branch",
        "enforcement": "active",
        "conditions": {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}},
        "rules": [
            {
                "type": "required_status_checks",
                "parameters": {"required_status_checks": [check], "strict_required_status_checks_policy": False},
            }
        ],
    }


def missing_permissions(granted: dict[str, str]) -> tuple[str, ...]:
    """What is needed and not ``granted``, as ``checks: write``."""
    return tuple(
        f"{name}: {level}"
        for name, level in PERMISSIONS.items()
        if _rank(granted.get(name, "none")) < LEVELS.index(level)
    )


def missing_events(subscribed: tuple[str, ...]) -> tuple[str, ...]:
    """What is needed and not subscribed to."""
    return tuple(event for event in EVENTS if event not in subscribed)


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else 0
