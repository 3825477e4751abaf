"""Values of suggested edits."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from pydantic import AwareDatetime

from schemas.values import Value


class SuggestionState(StrEnum):
    """How far a suggestion is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    """The search or round has ended. Finding nothing is a result too."""
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def is_open(self) -> bool:
        """Whether it has no result yet."""
        return self in (SuggestionState.WAITING, SuggestionState.RUNNING)


class Suggestion(Value):
    """A requested search for a better prompt, or a round of a conversation about one."""

    id: int = 0
    installation_id: int
    repository_id: int
    lineage: str
    sha: str
    """The commit of the default branch that it is about."""
    branch: str
    asked: str = ""
    """The sentence of a person; empty for a search."""
    follows: int | None = None
    """The round before."""
    budget_usd: Decimal
    by: str
    role: str
    request: str
    number: int | None = None
    """The pull request on which the result is reported. ``None``: a page shows it."""
    run_id: str | None = None
    state: SuggestionState = SuggestionState.WAITING
    outcome: str = ""
    """A sentence about how it ended."""
    report: str | None = None
    """The result as JSON."""
    spent_usd: Decimal = Decimal(0)
    """What its answers have cost so far, over all of its attempts."""
    pull_url: str | None = None
    """The pull request that was opened with it."""
    asked_at: AwareDatetime
    ended_at: AwareDatetime | None = None
