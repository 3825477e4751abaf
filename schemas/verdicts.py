"""A verdict and its reasons, in data and in sentences.

Changes and intervals are fractions (−1 … 1); renderers show points.
"""

from __future__ import annotations

from enum import StrEnum

from schemas.values import Value


class VerdictStatus(StrEnum):
    """The verdicts, worst first. The worst one counts for several lineages."""

    BLOCKED = "blocked"
    ERROR = "error"
    NEEDS_REVIEW = "needs_review"
    INCONCLUSIVE = "inconclusive"
    APPROVED = "approved"
    NOT_APPLICABLE = "not_applicable"


class Interval(Value):
    """The interval of a change as a fraction, from the decision's bounds.

    ``low`` is the largest drop that the approve bound doesn't rule out. ``high`` comes from the block test, and is
    below 0 if that test blocks. ``None``: that side has no bound, because there is too little data.
    """

    low: float | None
    high: float | None


class ReasonCode(StrEnum):
    """The kinds of reasons. engine/gate/reason_text.py has a tested sentence for each."""

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
    INCONCLUSIVE = "inconclusive"
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
    SCORER_CHANGED = "scorer_changed"
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
    """One reason of a verdict, as data and as a sentence."""

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
    fix: str = ""
    """How to fix an error, as the sentence says it in parentheses. Empty: unknown."""
