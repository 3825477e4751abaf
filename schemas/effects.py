"""The results of a scorecard: scores, cost, latency and cases of both arms.

Scores, changes and intervals are fractions (−1 … 1); renderers show points. Money is USD as exact decimal strings.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import JsonValue

from schemas.gate_config import SlicePolicy
from schemas.outcomes import MetricKind
from schemas.pricing import Usd
from schemas.values import Value
from schemas.verdicts import Interval


class EffectResult(StrEnum):
    """The result for a mean."""

    BETTER = "better"
    WORSE = "worse"
    NO_CHANGE = "no_change"
    """A drop larger than the margin is ruled out."""
    TOO_FEW_CASES = "too_few_cases"
    """Too few cases."""
    NOT_RUN = "not_run"
    """The run ended before this was decided."""
    NO_DATA = "no_data"


class LimitResult(StrEnum):
    """The result of the cost or the latency against its limit."""

    PASSES = "passes"
    FAILS = "fails"
    TOO_FEW_CASES = "too_few_cases"
    NOT_GATED = "not_gated"
    ADVISORY = "advisory"
    """Shown, but never decides."""
    NO_DATA = "no_data"


class CaseOutcome(StrEnum):
    """The result of one case over its runs."""

    IMPROVED = "improved"
    REGRESSED = "regressed"
    FLAKY = "flaky"
    """It changed, but not reliably."""
    NO_CHANGE = "no_change"
    ALONE = "alone"
    """There is no baseline."""
    MISSING = "missing"
    """No usable answer."""
    NOT_RUN = "not_run"
    """The run ended before this case."""


class Effect(Value):
    """The comparison of baseline and candidate for one hypothesis (a slice × a metric, or overall)."""

    slice: str | None
    """``None``: all cases."""
    metric: str
    cases: int
    compared: int | None = None
    """Number of cases in the scores, over all runs: those with a score in both arms, and those with the same request in
    both arms. ``None``: all."""
    baseline: float | None
    candidate: float | None
    change: float | None
    interval: Interval | None
    margin: float | None
    """The margin that the decision used."""
    margin_written: bool = False
    policy: SlicePolicy = SlicePolicy.AVERAGE
    result: EffectResult
    more_cases: int | None = None
    """Cases that are missing to certify the margin, if there are too few."""
    better: int = 0
    worse: int = 0
    """Compared cases whose mean score over all runs fell."""


class ClassEffect(Value):
    """Per-class precision, recall and F1 of both arms (``None``: undefined, nothing to divide by).

    The candidate's have 95% intervals (Wilson's, with cases as independent draws).
    """

    label: str
    cases: int
    baseline_precision: float | None
    baseline_recall: float | None
    baseline_f1: float | None
    candidate_precision: float | None
    candidate_recall: float | None
    candidate_f1: float | None
    candidate_precision_interval: tuple[float, float] | None = None
    candidate_recall_interval: tuple[float, float] | None = None
    candidate_f1_interval: tuple[float, float] | None = None


class ClassFigure(Value):
    """One figure over all classes, of both arms (``None``: undefined)."""

    name: str
    baseline: float | None
    candidate: float | None


class Confusion(Value):
    """Compared cases by expected label (row) and given label (column). A case is divided among its answers.

    The last column is "no label".
    """

    labels: tuple[str, ...]
    columns: tuple[str, ...]
    baseline: tuple[tuple[float, ...], ...]
    candidate: tuple[tuple[float, ...], ...]


class CostPart(Value):
    """One cause of a cost difference, USD per 1,000 cases."""

    cause: Literal["input", "conversation", "output", "search", "price", "cache"]
    """``conversation`` is the input of all calls of an agent's case, ``input`` that of a case's one call."""
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
    result: LimitResult


class LatencyEffect(Value):
    """Median seconds of fresh interleaved pairs."""

    baseline_s: float | None
    candidate_s: float | None
    pairs: int
    p: float | None
    result: LimitResult


class Answer(Value):
    """An answer of an arm to a case, with its count."""

    text: str
    count: int
    of: int
    score: float | None


class CaseMetric(Value):
    """What the two answers of a case that differ most say and score in one field, dimension or check."""

    name: str
    kind: MetricKind
    expected: JsonValue = None
    """The expected value of a field."""
    baseline: str = ""
    """What the evaluator read: the field's value, or the grades of a dimension."""
    candidate: str = ""
    baseline_score: float | None = None
    candidate_score: float | None = None


class CaseEffect(Value):
    """The results of one case in both arms."""

    id: str
    slices: tuple[str, ...]
    protected: bool = False
    path: str | None = None
    """Its file, if that isn't the test set's only one."""
    line: int | None = None
    """Line of the test set where the case starts. ``None``: unknown."""
    inputs: tuple[tuple[str, str], ...] = ()
    """Name and text of each input, shortened around what the answers are about. Empty if the case didn't run."""
    expected: JsonValue = None
    baseline: tuple[Answer, ...] = ()
    candidate: tuple[Answer, ...] = ()
    change: float | None = None
    result: CaseOutcome
    added: bool = False
    """Whether only the head has it. Then no score of the lineage includes it."""
    confirmed: bool = False
    reason: str = ""
    """Why the candidate's answer lost points: that of ``answer_pair``, or the lowest if the case didn't change. Empty
    if the case got better."""
    metrics: tuple[CaseMetric, ...] = ()
    """Fields, dimensions and checks of a case that changed, largest drop first."""
