"""What a scorecard says about the scores, the cost, the latency and the cases of both arms.

Scores, changes and intervals are fractions (−1 … 1); renderers show points. Money is USD as exact decimal strings.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import JsonValue

from schemas.gate_config import SlicePolicy
from schemas.pricing import Usd
from schemas.values import Value
from schemas.verdicts import Interval


class EffectReading(StrEnum):
    """What a mean says."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    """A drop larger than the margin is ruled out."""
    CANT_TELL = "cant_tell"
    """Too few cases."""
    NOT_NEEDED = "not_needed"
    """The verdict was certain before this could be told."""
    NO_DATA = "no_data"


class LimitReading(StrEnum):
    """What the cost or the latency says about its limit."""

    PASSES = "passes"
    FAILS = "fails"
    CANT_TELL = "cant_tell"
    NOT_GATED = "not_gated"
    ADVISORY = "advisory"
    """Shown, and never decides."""
    NO_DATA = "no_data"


class CaseReading(StrEnum):
    """What the runs of one case say."""

    IMPROVED = "improved"
    REGRESSED = "regressed"
    FLAKY = "flaky"
    """It moved, but not reliably."""
    SAME = "same"
    ALONE = "alone"
    """There is no baseline."""
    MISSING = "missing"
    """No usable answer."""
    NOT_RUN = "not_run"
    """The verdict was certain before this case's turn came."""


class Effect(Value):
    """Baseline against candidate on one hypothesis (a slice × a metric, or overall)."""

    slice: str | None
    """``None``: all cases."""
    metric: str
    cases: int
    compared: int | None = None
    """Cases that the scores are made of, over all their runs: those with a score in both arms, and those that both arms
    are sent unchanged. ``None``: all."""
    baseline: float | None
    candidate: float | None
    change: float | None
    interval: Interval | None
    margin: float | None
    """The margin that was decided with."""
    margin_written: bool = False
    policy: SlicePolicy = SlicePolicy.AVERAGE
    reading: EffectReading
    more_cases: int | None = None
    """How many more cases would certify the margin, when it can't tell."""
    better: int = 0
    worse: int = 0
    """Compared cases whose mean score over all runs rose and fell."""


class ClassEffect(Value):
    """Per-class precision, recall and F1 of both arms (``None``: undefined, nothing to divide by)."""

    label: str
    cases: int
    baseline_precision: float | None
    baseline_recall: float | None
    baseline_f1: float | None
    candidate_precision: float | None
    candidate_recall: float | None
    candidate_f1: float | None


class Confusion(Value):
    """Compared cases by expected label (row) and given label (column), each shared among its answers.

    The last column is «no label»."""

    labels: tuple[str, ...]
    columns: tuple[str, ...]
    baseline: tuple[tuple[float, ...], ...]
    candidate: tuple[tuple[float, ...], ...]


class CostPart(Value):
    """One cause of a cost difference, USD per 1,000 cases."""

    cause: Literal["input", "output", "search", "price", "cache"]
    usd_per_1000: Decimal
    tokens_per_case: float | None = None


class CostEffect(Value):
    """Cache-neutral cost per 1,000 cases in USD, and its ratio with the bounds that decided."""

    baseline_per_1000: Usd | None
    candidate_per_1000: Usd | None
    increase: float | None
    """Share: 0.2 = 20% more."""
    interval: Interval | None
    limit: float | None
    parts: tuple[CostPart, ...] = ()
    reading: LimitReading


class LatencyEffect(Value):
    """Median seconds of fresh interleaved pairs."""

    baseline_s: float | None
    candidate_s: float | None
    pairs: int
    p: float | None
    reading: LimitReading


class Answer(Value):
    """What an arm said to a case, and how often."""

    text: str
    count: int
    of: int
    score: float | None


class CaseEffect(Value):
    """One case, both arms."""

    id: str
    slices: tuple[str, ...]
    protected: bool = False
    expected: JsonValue = None
    baseline: tuple[Answer, ...] = ()
    candidate: tuple[Answer, ...] = ()
    change: float | None = None
    reading: CaseReading
    added: bool = False
    """Only the head has it: no score of the lineage counts it."""
    confirmed: bool = False
    reason: str = ""
