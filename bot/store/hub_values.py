"""Values of the hub: moves of tags, promotions, tokens of readers."""

from __future__ import annotations

from enum import StrEnum

from pydantic import AwareDatetime

from bot.store.values import RepositoryRef
from schemas.hub import Digest, HubPrompt, TagName
from schemas.values import Value


class MoveKind(StrEnum):
    """Why a tag moved."""

    FIRST = "first"
    """The tag had no version of this prompt before."""
    PROMOTED = "promoted"
    """The verdict of its promotion passes."""
    OVERRIDE = "override"
    """A maintainer moved it although its promotion was blocked."""
    ROLLBACK = "rollback"
    RESTORED = "restored"
    """Found on GitHub after the database was lost."""


class PromotionState(StrEnum):
    """How far a promotion is."""

    WAITING = "waiting"
    RUNNING = "running"
    MOVED = "moved"
    BLOCKED = "blocked"
    FAILED = "failed"
    """It came to no verdict, or the tag moved meanwhile."""

    @property
    def is_open(self) -> bool:
        """Whether it has no result yet."""
        return self in (PromotionState.WAITING, PromotionState.RUNNING)


class HubVersion(Value):
    """A version that a tag has or had."""

    prompt: HubPrompt
    number: int
    """Counts the versions of the prompt, from 1."""
    first_seen_at: AwareDatetime


class TagMove(Value):
    """One move of a tag: who, when, why. Never changed."""

    id: int = 0
    """The order of moves. 0: not stored yet."""
    repository_id: int
    lineage: str
    tag: TagName
    from_digest: Digest | None
    """``None``: the tag had no version of this prompt."""
    to_digest: Digest
    by: str
    role: str
    """At that time."""
    kind: MoveKind
    verdict: str | None = None
    """Of the promotion."""
    reason: str = ""
    request: str
    """What asked for it. The same request twice moves once."""
    at: AwareDatetime


class Promotion(Value):
    """A requested promotion."""

    id: int = 0
    installation_id: int
    repository_id: int
    lineage: str
    tag: TagName
    from_digest: Digest | None
    to_digest: Digest
    by: str
    role: str
    request: str
    number: int | None = None
    """The pull request on which the result is reported."""
    run_id: str | None = None
    state: PromotionState = PromotionState.WAITING
    outcome: str = ""
    """A sentence about how it ended."""
    asked_at: AwareDatetime
    ended_at: AwareDatetime | None = None


class TokenKind(StrEnum):
    """What a token is for. One that applications have can do nothing else."""

    READ = "read"
    """Reads the tags of the repository."""
    INGEST = "ingest"
    """Sends what happens in production. It can read nothing."""


class ReadToken(Value):
    """A token that applications have. Its secret is not kept."""

    id: int
    name: str
    kind: TokenKind
    made_by: str
    made_at: AwareDatetime
    used_at: AwareDatetime | None
    revoked_at: AwareDatetime | None


class TokenOwner(Value):
    """The repository that a token is for."""

    token_id: int
    repo: RepositoryRef
