"""How far a judge's grades agree with people's, and what of it keeps the judge from gating."""

from __future__ import annotations

from enum import StrEnum

from schemas.values import Value

MIN_PAIRS = 30
MIN_KAPPA = 0.6
MIN_KAPPA_BOUND = 0.4
MIN_WITHIN_ONE = 0.9
MAX_BIAS = 0.5
"""Grades. A judge that is systematically further off has another scale than people, so its 4 is not their 4."""
MAX_MISSING = 0.02
GRADES = range(1, 6)
COMPARED = range(2, 5)
"""The grades that stand for preferences: worse, as good, better."""

Interval = tuple[float, float]


class Condition(StrEnum):
    """A condition that a judge must meet to gate, on every dimension."""

    ANSWERS = "answers"
    """At least 30 graded answers."""
    KAPPA = "kappa"
    """κ of at least 0.6: "substantial" (Landis & Koch 1977)."""
    KAPPA_BOUND = "kappa_bound"
    """A one-sided 95% lower bound of κ of at least 0.4."""
    WITHIN_ONE = "within_one"
    """90% of the grades within one of the person's."""
    BIAS = "bias"
    """A mean difference of at most half a grade. A larger one counts if its interval excludes 0."""


class Apart(Value):
    """An answer that judge and person grade very differently."""

    id: str
    judge: float
    person: float


class Agreement(Value):
    """Agreement of a judge and people on one dimension. ``None``: there is too little data. Intervals have 95%."""

    pairs: int
    """Pairs of grades: the judge's and the person's."""
    compared: bool = False
    """Whether answers were compared, two by two. Grades are then 2 (worse), 3 (as good) and 4 (better)."""
    exact: float | None = None
    """Share of grades equal to the person's, or half a grade away if the two calls differ."""
    within_one: float | None = None
    kappa: float | None = None
    """Quadratic weighted. ``None`` also if judge and people give everything the same grade, which may be chance."""
    kappa_interval: Interval | None = None
    kappa_bound: float | None = None
    """One-sided 95% lower bound."""
    spearman: float | None = None
    kendall: float | None = None
    """Kendall's tau-b."""
    bias: float | None = None
    """Mean of the judge's grade minus the person's. Negative: the judge is stricter."""
    bias_interval: Interval | None = None
    confusion: tuple[tuple[float, ...], ...] = ()
    """Answers by the person's grade (row, from 1 to 5) and the judge's (column). Half a grade counts half in both
    neighbors."""
    apart: tuple[Apart, ...] = ()
    """The answers that are two or more grades apart, at most three, the furthest first."""
    unmet: tuple[Condition, ...]
    """The conditions that this dimension doesn't meet."""

    @property
    def sufficient(self) -> bool:
        """Whether the judge may gate on this dimension."""
        return not self.unmet


class Calibration(Value):
    """The agreement of a judge with people, by dimension."""

    dimensions: dict[str, Agreement]
    missing: int = 0
    """Number of answers without grades by the judge."""
    problem: str = ""
    """Why the first of them has no grades."""

    @property
    def calibrated(self) -> bool:
        """Whether the judge's metrics may gate: it agrees on every dimension and rarely fails to grade."""
        return bool(self.dimensions) and self.graded and all(one.sufficient for one in self.dimensions.values())

    @property
    def graded(self) -> bool:
        """Whether the judge graded nearly all answers."""
        most = max((agreement.pairs for agreement in self.dimensions.values()), default=0)
        # One failure is allowed in any sample: a single lost call says nothing about the judge.
        return self.missing <= max(1, MAX_MISSING * (most + self.missing))

    @property
    def agreement(self) -> float | None:
        """Share of all grades on which the judge agrees with people (``Agreement.exact``), for display."""
        graded = [(one.exact, one.pairs) for one in self.dimensions.values() if one.exact is not None]
        pairs = sum(count for _, count in graded)
        return sum(exact * count for exact, count in graded) / pairs if pairs else None
