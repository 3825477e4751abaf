"""The result of a search for a better prompt."""

from __future__ import annotations

from schemas.blame import Pattern
from schemas.pricing import Usd
from schemas.scorecard import LineageCard, Scorecard
from schemas.values import Value


class Numbers(Value):
    """Mean scores from 0 to 1 of the prompt as it is and of an edit, over the same cases."""

    cases: int
    before: float
    after: float


class Judged(Value):
    """One edit that the gate judged on cases that the optimizer never saw."""

    own: Numbers
    """The optimizer's own figure, over the cases that it worked on."""
    failing: int
    """Cases that the optimizer worked on, and that fail with the prompt as it is."""
    fixed: int
    """Those of them that pass with the edit."""
    texts: dict[str, str]
    """The edited messages, by role and number."""
    card: LineageCard
    """The gate's scorecard, over the other cases."""
    p: float
    """One-sided p of "no better on these cases", by sign flips of clusters."""
    proposed: bool
    why: str
    """Why it is not proposed; empty if it is."""


class SearchReport(Value):
    """What a search found. The three lists of cases are disjoint."""

    lineage: str
    model: str
    reflector: str
    prompt: str
    shown: tuple[str, ...]
    held_out: tuple[str, ...]
    never_shown: tuple[str, ...]
    edits: int
    """Usable edits that the optimizer tried."""
    judged: tuple[Judged, ...]
    """In the order of the optimizer's own figures. Only the last may be proposed."""
    patterns: tuple[Pattern, ...]
    """What the shown cases have in common that fail with the prompt as it is."""
    check: Scorecard | None = None
    """Of the proposed edit over all cases: a pull request with it repeats this, and makes no further calls. ``None``:
    nothing is proposed, or the budget ended before."""
    patch: str | None = None
    """Unified diff of the proposed edit. ``None``: nothing is proposed, or the file can't be edited safely."""
    calls: int
    """Calls that were paid for now. Stored answers need none."""
    cost_usd: Usd
    budget_usd: Usd | None
    unfinished: str | None = None

    @property
    def proposed(self) -> Judged | None:
        """The edit that the gate approves and finds better."""
        return next((each for each in self.judged if each.proposed), None)
