"""Everything that is shown: one JSON document, rendered as comment, check, summary, terminal text and HTML.

Scores, changes and intervals are fractions (−1 … 1); renderers show points. Money is USD as exact decimal strings.
Texts from models, prompts and files are stored raw here: every renderer encodes them for its surface.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import Field, JsonValue

from schemas.config import CommentPolicy, Mode, SlicePolicy, Usd
from schemas.host import TITLE_LIMIT
from schemas.prompts import Finding
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


class DiffLine(Value):
    """One line of a prompt diff."""

    kind: Literal["same", "added", "removed"]
    text: str
    before: int | None
    after: int | None
    marks: tuple[tuple[int, int], ...] = ()
    """Character ranges that changed within the line."""


class DiffHunk(Value):
    """Neighbouring lines of a diff."""

    lines: tuple[DiffLine, ...]


class PromptDiff(Value):
    """What changed in the prompt."""

    path_before: str | None
    path_after: str | None
    added: int
    removed: int
    tokens_before: float | None = None
    tokens_after: float | None = None
    """Mean tokens of the whole request."""
    hunks: tuple[DiffHunk, ...] = ()
    omitted: int = 0
    """Changed lines that no hunk shows, since the diff is too long."""
    file_lines: tuple[tuple[int, int], ...] = ()
    """First and last line of each changed stretch of the file at ``path_after``: where annotations go."""
    settings: tuple[tuple[str, str, str], ...] = ()
    """Model and parameter changes: name, before, after."""


class Change(Value):
    """One thing that this pull request changes about a lineage."""

    kind: Literal[
        "prompt",
        "model",
        "parameters",
        "partial",
        "unread",
        "tests",
        "rubric",
        "policy",
        "renamed",
        "added",
        "deleted",
        "moved_out",
    ]
    detail: str
    path: str | None = None


class Confidence(Value):
    """How sure this is: what was run, what could have been detected."""

    looks: int
    """How many looks were taken."""
    repetitions: float
    """Mean runs per case and arm."""
    flip_rate: float | None = None
    """Share of cases that differ between identical runs."""
    can_rule_out: float | None = None
    """The drop of the overall score that this test set could rule out."""
    hypotheses: int = 0
    alpha: float | None = None
    judge_agreement: float | None = None
    notes: tuple[str, ...] = ()


class Spending(Value):
    """Calls and money of a run."""

    planned: int = 0
    made: int = 0
    stored: int = 0
    identical: int = 0
    """Cells that needed no call since both arms send the same request."""
    not_needed: int = 0
    """Planned cells that the stopping rule made unnecessary."""
    cost_usd: Usd = Decimal(0)
    judge_cost_usd: Usd = Decimal(0)
    budget_usd: Usd | None = None


class LineageCard(Value):
    """One lineage × one model."""

    lineage: str
    model: str
    """The candidate's model."""
    baseline_model: str | None = None
    """Set when the pull request swaps the model."""
    use_case: str
    prompt: str
    status: VerdictStatus
    passes: bool
    headline: str
    """One sentence about this lineage."""
    reasons: tuple[Reason, ...] = ()
    overall: Effect | None = None
    slices: tuple[Effect, ...] = ()
    metrics: tuple[Effect, ...] = ()
    """Overall effects of every metric when there are several (fields, dimensions)."""
    classes: tuple[ClassEffect, ...] = ()
    confusion: Confusion | None = None
    cost: CostEffect | None = None
    latency: LatencyEffect | None = None
    cases: tuple[CaseEffect, ...] = ()
    """All cases in the test set's order; of an error only those without an answer."""
    diff: PromptDiff | None = None
    changes: tuple[Change, ...] = ()
    confidence: Confidence | None = None
    spending: Spending = Spending()
    finishes: dict[str, tuple[int, int]] = {}
    """Truncated, refused, filtered, empty and missing answers: (baseline, candidate)."""
    warnings: tuple[Finding, ...] = ()
    content_digest: str | None = None


class CommitRef(Value):
    """A commit and how it was named."""

    ref: str
    sha: str


class Clearance(Value):
    """A person's acceptance of what this scorecard shows. It holds as long as the content digest stays the same."""

    by: str
    commit: str
    """The head that was reviewed."""
    at: str
    """UTC, ISO 8601."""
    url: str | None
    content_digest: str
    reason: str | None = None
    """Why, of an override by command; ``None`` for an approving review."""
    expires_at: str | None = None
    """UTC, ISO 8601: from then on an override doesn't count any more."""


class Scorecard(Value):
    """The whole answer to one pull request."""

    schema_version: Literal[1] = 1
    status: VerdictStatus
    passes: bool
    """Whether the required check passes (mode ``inform`` always passes)."""
    title: str = Field(max_length=TITLE_LIMIT)
    """One line: the verdict and what it could not rule out."""
    summary: str
    """One or two sentences that a non-statistician would say."""
    mode: Mode = Mode.ENFORCE
    comment: CommentPolicy = CommentPolicy.CHANGES
    base: CommitRef
    merge_base: str | None
    head: CommitRef
    reasons: tuple[Reason, ...] = ()
    """Reasons of the pull request as a whole (its gate, its configuration)."""
    lineages: tuple[LineageCard, ...] = ()
    """Worst verdict first, then by name."""
    spending: Spending = Spending()
    warnings: tuple[Finding, ...] = ()
    plan_digest: str | None = None
    seconds: float | None = None
    """Wall time; ``None`` in what is compared byte for byte."""
    dry_run: bool = False
    clearance: Clearance | None = None
    """Who accepted a verdict that a person may clear; ``passes`` is true then."""
