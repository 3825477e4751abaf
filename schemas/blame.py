"""Which changed parts of a prompt break its cases, and what the broken cases have in common."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Literal

from schemas.pricing import Usd
from schemas.prompts import Finding
from schemas.values import Value


class UnitKind(StrEnum):
    """What a unit of a change is."""

    TEXT = "text"
    """Sentences or list items of a message."""
    MESSAGES = "messages"
    """Whole messages, such as few-shot examples."""
    PARTIAL = "partial"
    """Sentences or list items of a shared partial."""
    TEMPLATE = "template"
    """The template language, the role marks or the defaults, with all text that depends on them."""
    PARAMETER = "parameter"
    MODEL = "model"


class Unit(Value):
    """A part of a change that can be reverted by itself."""

    kind: UnitKind
    name: str = ""
    """The partial's path, or the parameter's name."""
    before: str
    """The baseline's text or value; empty if it was added."""
    after: str
    """The candidate's text or value; empty if it was removed."""
    file: str | None = None
    lines: tuple[int, int] | None = None
    """First and last line in the candidate's file. For a removal, the line before it. ``None``: not found
    there."""
    suggestion: str | None = None
    """The text that reverts exactly these lines. ``None``: they can't be replaced by themselves."""


class Elsewhere(Value):
    """Mean scores of cases that didn't break."""

    cases: int
    baseline: float
    candidate: float
    reverted: float
    keeps: bool
    """Whether they score no worse than in the candidate, as far as these cases show."""


class Culprit(Value):
    """Units whose reverting brings back broken cases, confirmed by fresh runs."""

    units: tuple[int, ...]
    """Indices into the units of the blame. Several: only reverting all of them brings the cases back."""
    back: int
    of: int
    """Broken cases that come back, of those that were looked at and that no earlier culprit explains."""
    alone: tuple[int, ...] = ()
    """Of several units: the cases that come back by each one alone."""
    candidate: float
    reverted: float
    """Mean scores of these cases in fresh runs."""
    p: float | None
    """The largest p of "this unit changes nothing", over its units. ``None``: nothing was tested, since the change has
    only one unit."""


class BlameResult(StrEnum):
    """How the search ended."""

    NAMED = "named"
    NO_PART = "no_part"
    """The cases break, but no part of the change could be named."""
    NOT_SEEN = "not_seen"
    """The break did not show in fresh runs."""
    NOT_RUN = "not_run"
    STOPPED = "stopped"
    """The budget, the deadline or a failure ended the search."""


class Blame(Value):
    """Which units of a change break the confirmed cases. It never changes a verdict."""

    result: BlameResult
    sentence: str
    units: tuple[Unit, ...] = ()
    culprits: tuple[Culprit, ...] = ()
    either: bool = False
    """Whether each culprit alone brings back the same cases: they break them only together."""
    cases: tuple[str, ...] = ()
    """Ids of the broken cases that were run."""
    elsewhere: Elsewhere | None = None
    """With every culprit reverted, or the first one if ``either``."""
    warnings: tuple[Finding, ...] = ()
    made: int = 0
    """Calls that were paid."""
    stored: int = 0
    """Answers that the store already had."""
    cost_usd: Usd = Decimal(0)
    """Judges included."""
    budget_usd: Usd | None = None
    """Its cap. ``None``: there was nothing to search."""


class Pattern(Value):
    """Something that the broken cases have in common more often than chance explains."""

    kind: Literal["labels", "feature"] = "feature"
    """``labels``: a label that is read as another. The scorecard shows these beside the labels."""
    sentence: str
    broken: int
    of: int
    """Broken cases with it, of all."""
    others: int
    of_others: int
    """The same for the other cases."""
    p: float
    """Adjusted for everything that was looked at."""
