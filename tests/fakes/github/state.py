"""What the fake GitHub remembers."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.github.git import BareRepository

Json = dict[str, Any]
"""A document as GitHub writes it."""


def timestamp(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC).isoformat().replace("+00:00", "Z")


@dataclass
class Pull:
    """A pull request."""

    number: int
    title: str
    author: str
    base_ref: str
    head_ref: str
    head_sha: str
    head_repository: str | None
    """None: the fork was deleted."""
    state: str = "open"
    draft: bool = False
    body: str = ""
    merged: bool = False
    merge_commit_sha: str | None = None
    locked: bool = False
    author_association: str = "CONTRIBUTOR"
    base_sha: str = ""
    """Base's tip when the pull request was opened or got another base: GitHub does not keep it current."""


@dataclass
class Hook:
    """Where webhooks go and the secret that they are signed with."""

    url: str
    secret: str
    events: frozenset[str]
    content_type: str = "json"
    insecure_ssl: str = "0"


@dataclass
class Repository:
    """A repository and everything that hangs on it."""

    full_name: str
    id: int
    git: BareRepository
    default_branch: str = "main"
    private: bool = False
    roles: dict[str, str] = field(default_factory=dict)
    """Login → none, read, triage, write, maintain or admin."""
    pulls: dict[int, Pull] = field(default_factory=dict)
    issues: dict[int, Json] = field(default_factory=dict)
    """Issues that are no pull requests. Both share their numbers."""
    comments: list[Json] = field(default_factory=list)
    reviews: list[Json] = field(default_factory=list)
    activities: list[Json] = field(default_factory=list)
    """Pushes, oldest first: ``ref``, ``before``, ``after``, ``actor`` (a login)."""
    statuses: list[Json] = field(default_factory=list)
    check_runs: list[Json] = field(default_factory=list)
    artifacts: list[Json] = field(default_factory=list)
    archives: dict[int, bytes] = field(default_factory=dict)
    reactions: list[Json] = field(default_factory=list)
    deployments: list[Json] = field(default_factory=list)
    deployment_states: dict[int, str] = field(default_factory=dict)
    required_checks: dict[str, list[Json]] = field(default_factory=dict)
    """Branch → checks that a ruleset requires: ``{"context": …, "integration_id": …}``."""
    up_to_date: bool = False
    """Whether the ruleset wants branches to be up to date."""
    merge_queue: bool = False
    protected_checks: dict[str, list[Json]] = field(default_factory=dict)
    """Branch → checks that classic protection requires: ``{"context": …, "app_id": …}``."""

    def role(self, login: str) -> str:
        """The coarse level that GitHub's old ``permission`` field shows."""
        role = self.roles.get(login, "none" if self.private else "read")
        return {"maintain": "write", "triage": "read"}.get(role, role)

    def pushed(self, ref: str, before: str | None, after: str, actor: str) -> None:
        """Remembers who brought a branch to a commit."""
        push = {"ref": f"refs/heads/{ref}", "before": before or "0" * 40, "after": after, "actor": actor}
        self.activities.append(push)

    def statuses_of(self, sha: str) -> list[Json]:
        """Newest first, as GitHub lists them."""
        return [status for status in reversed(self.statuses) if status["sha"] == sha]

    def comments_of(self, number: int) -> list[Json]:
        return [comment for comment in self.comments if comment["issue"] == number]
