"""Values of what people start on pages."""

from __future__ import annotations

from decimal import Decimal

from pydantic import AwareDatetime

from schemas.outcomes import Arm
from schemas.values import Value

SHOWN = 2_000
"""Characters of a text that are kept for the table of a running run."""


class Draft(Value):
    """A draft of a person."""

    id: int
    repository_id: int
    lineage_id: int
    by: str
    document: str
    made_at: AwareDatetime
    changed_at: AwareDatetime


class Ask(Value):
    """Who asks for a run, and how much it may spend."""

    by: str
    usd: Decimal
    """The most that the run may spend. It counts for the person's day until the run ends."""
    cap: Decimal
    """The most that the person may spend in a day (UTC)."""
    draft_id: int | None = None
    document: str | None = None


class AskedRun(Value):
    """How far such a run is, and what it costs."""

    run_sequence: int
    by: str
    reserved_usd: Decimal
    spent_usd: Decimal
    settled: bool
    draft_id: int | None
    document: str | None
    done: int
    asked: int
    trouble: str
    calling_at: AwareDatetime | None


class Noted(Value):
    """What a worker writes down while it measures."""

    done: int
    asked: int
    spent_usd: Decimal
    trouble: str
    calling_at: AwareDatetime | None


class ShownAnswer(Value):
    """One answer, as a page shows it while the others are still to come. Texts are cut."""

    model: str
    position: int
    """Of the case in the run."""
    case: str
    arm: Arm
    repetition: int
    inputs: tuple[tuple[str, str], ...] = ()
    expected: str = ""
    said: str = ""
    score: float | None = None
    """Of the first metric; ``None``: there is no score."""
    reason: str = ""
    trouble: str = ""
    """Why there is no answer."""
    stored: bool = False
    """Whether it was paid for before."""

    @property
    def cell(self) -> str:
        """The place of the answer in the run."""
        return f"{self.position}:{self.arm.value}:{self.repetition}:{self.model}"
