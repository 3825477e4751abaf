"""A verdict and its reasons, in data and in sentences.

Changes and intervals are fractions (−1 … 1); renderers show points.
"""

from __future__ import annotations

from enum import StrEnum

from schemas.values import Value


class VerdictStatus(StrEnum):
    """The answer, worst first (the precedence over several lineages)."""

    BLOCKED = "blocked"
    ERROR = "error"
    NEEDS_REVIEW = "needs_review"
    UNDERPOWERED = "underpowered"
    APPROVED = "approved"
    NOT_APPLICABLE = "not_applicable"

    @property
    def outcome(self) -> str:
        """The word that outputs use: ``inconclusive`` for underpowered, else the status itself."""
        return "inconclusive" if self is VerdictStatus.UNDERPOWERED else self.value


class Interval(Value):
    """Of a change, made of the decision's own bounds: ``low`` is the largest drop that the approve bound doesn't rule
    out, ``high`` comes from the block test and lies below 0 where that blocks. Fractions.

    ``None``: that side has no bound (not enough data)."""

    low: float | None
    high: float | None


class ReasonCode(StrEnum):
    """Why; each has one tested sentence (engine/gate/reason_text.py)."""

    DROP = "drop"
    MUST_PASS = "must_pass"  # noqa: S105
    GUARD = "guard"
    FORBIDDEN = "forbidden"
    PROTECTED = "protected"
    SMOKE = "smoke"
    FLOOR = "floor"
    COST = "cost"
    COST_UNCERTAIN = "cost_uncertain"
    LATENCY = "latency"
    WATCH = "watch"
    ESTIMATED_DROP = "estimated_drop"
    UNDERPOWERED = "underpowered"
    NO_DROP = "no_drop"
    ALWAYS_FAILS = "always_fails"
    IDENTICAL = "identical"
    NEW_LINEAGE = "new_lineage"
    DELETED_LINEAGE = "deleted_lineage"
    MOVED_OUT = "moved_out"
    POLICY_CHANGED = "policy_changed"
    TESTS_CHANGED = "tests_changed"
    QUOTED_CASES = "quoted_cases"
    FORM_DRIFT = "form_drift"
    NOT_JUDGED = "not_judged"
    NEVER_FAILS = "never_fails"
    JUDGE_FOLLOWS = "judge_follows"
    RUBRIC_CHANGED = "rubric_changed"
    WORKFLOW_CHANGED = "workflow_changed"
    ADOPTION = "adoption"
    MISSING_CELLS = "missing_cells"
    NO_CASES = "no_cases"
    UNREADABLE = "unreadable"
    BUDGET = "budget"
    UNTRUSTED = "untrusted"
    NOTHING_CHANGED = "nothing_changed"
    NOTHING_MEASURED = "nothing_measured"
    UNMEASURED = "unmeasured"
    SAME_REQUESTS = "same_requests"
    UNCOVERED = "uncovered"


class Reason(Value):
    """One reason of a verdict, in data and in a sentence."""

    code: ReasonCode
    status: VerdictStatus
    """The verdict that this reason alone would give."""
    sentence: str
    slice: str | None = None
    metric: str | None = None
    estimate: float | None = None
    interval: Interval | None = None
    margin: float | None = None
    p: float | None = None
    look: int | None = None
    cases: tuple[str, ...] = ()
    """Ids of the cases that are the evidence."""
