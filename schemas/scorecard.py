"""The scorecard: one JSON document, rendered as comment, check, summary, terminal text and HTML.

Scores, changes and intervals are fractions (−1 … 1); renderers show points. Money is USD as exact decimal strings.
Texts from models, prompts and files are stored raw; every renderer encodes them for its surface.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import AwareDatetime, Field

from schemas.blame import Blame, Pattern
from schemas.calibration import Calibration
from schemas.config import CommentPolicy, Mode
from schemas.diffs import PromptDiff
from schemas.effects import CaseEffect, ClassEffect, ClassFigure, Confusion, CostEffect, Effect, LatencyEffect
from schemas.host import TITLE_LIMIT
from schemas.pricing import Usd
from schemas.prompts import Finding
from schemas.values import Value
from schemas.verdicts import Reason, VerdictStatus


class Change(Value):
    """One change of a lineage by this pull request."""

    kind: Literal[
        "prompt",
        "model",
        "parameters",
        "partial",
        "unread",
        "tests",
        "rubric",
        "scorer",
        "policy",
        "renamed",
        "added",
        "deleted",
        "moved_out",
    ]
    detail: str
    path: str | None = None


class Confidence(Value):
    """The confidence in a verdict: what ran, and what could have been detected."""

    looks: int
    """Number of checkpoints that were reached."""
    repetitions: float
    """Mean runs per case and arm."""
    flip_rate: float | None = None
    """Share of cases that differ between identical runs."""
    can_rule_out: float | None = None
    """The drop of the overall score that this test set could rule out."""
    hypotheses: int = 0
    alpha: float | None = None
    judge_agreement: float | None = None
    """Share of people's grades that the judge gives too."""
    judge: Calibration | None = None
    """The judge's agreement and bias by dimension, and whether it gates. ``None``: people graded no sample answers."""
    notes: tuple[str, ...] = ()


class Spending(Value):
    """Calls and money of a run."""

    planned: int = 0
    made: int = 0
    stored: int = 0
    identical: int = 0
    """Cells without a call, because both arms send the same request."""
    not_needed: int = 0
    """Planned cells that the stopping rule made unnecessary."""
    cost_usd: Usd = Decimal(0)
    judge_cost_usd: Usd = Decimal(0)
    budget_usd: Usd | None = None


class TrendPoint(Value):
    """The verdict on an earlier change of a lineage that was merged."""

    number: int
    """Of its pull request."""
    at: AwareDatetime
    verdict: VerdictStatus
    score: float | None = None
    """The candidate's mean from 0 to 1."""
    cost_per_1000: Usd | None = None
    """The candidate's, in USD per 1,000 cases."""


class AnswerProfile(Value):
    """How the answers of one model look: one answer for each case that both models answered."""

    answers: int
    formats: dict[str, int] = {}
    """By kind in words, such as “JSON: an object, in a code fence”: the number of answers."""
    words: float | None = None
    """Median number of words."""
    refusals: int = 0
    """Answers that the model or its provider refused, by its own account or by their first words."""
    labels: dict[str, int] = {}
    """By label that was read, of a classification: the number of answers."""


class ModelSwap(Value):
    """What the candidate's model does differently, if a pull request changes the model."""

    baseline: AnswerProfile
    candidate: AnswerProfile


class LineageCard(Value):
    """The results of one lineage and one model."""

    lineage: str
    model: str
    """The candidate's model."""
    baseline_model: str | None = None
    """Set if the pull request swaps the model."""
    use_case: str
    prompt: str
    tests: str | None = None
    """File with the test cases. ``None``: the prompt's own."""
    swap: ModelSwap | None = None
    status: VerdictStatus
    passes: bool
    headline: str
    """One sentence about this lineage."""
    reasons: tuple[Reason, ...] = ()
    overall: Effect | None = None
    slices: tuple[Effect, ...] = ()
    metrics: tuple[Effect, ...] = ()
    """Overall effects of every metric if there are several (fields, dimensions)."""
    classes: tuple[ClassEffect, ...] = ()
    confusion: Confusion | None = None
    class_figures: tuple[ClassFigure, ...] = ()
    """Figures over all classes, such as macro F1 and kappa."""
    cost: CostEffect | None = None
    latency: LatencyEffect | None = None
    cases: tuple[CaseEffect, ...] = ()
    """All cases in the test set's order. For an error, only those without an answer."""
    diff: PromptDiff | None = None
    changes: tuple[Change, ...] = ()
    confidence: Confidence | None = None
    spending: Spending = Spending()
    patterns: tuple[Pattern, ...] = ()
    """What the broken cases have in common, beyond chance."""
    blame: Blame | None = None
    """The parts of the change that break its cases. ``None``: nothing had to be explained."""
    finishes: dict[str, tuple[int, int]] = {}
    """Truncated, refused, filtered, empty and missing answers: (baseline, candidate)."""
    warnings: tuple[Finding, ...] = ()
    content_digest: str | None = None
    trend: tuple[TrendPoint, ...] = ()
    """The last merged changes of this lineage on this model, the oldest first. No part of the verdict."""


class CommitRef(Value):
    """A commit and its ref."""

    ref: str
    sha: str


class Clearance(Value):
    """A person's acceptance of this scorecard. It lasts as long as the content digest stays the same."""

    by: str
    commit: str
    """The head that was reviewed."""
    at: str
    """UTC, ISO 8601."""
    url: str | None
    content_digest: str
    reason: str | None = None
    """The reason of an override by command; ``None`` for an approving review."""
    expires_at: str | None = None
    """UTC, ISO 8601. The override ends at this time."""


class Scorecard(Value):
    """The complete result for one pull request."""

    schema_version: Literal[1] = 1
    status: VerdictStatus
    passes: bool
    """Whether the required check passes (mode ``inform`` always passes)."""
    title: str = Field(max_length=TITLE_LIMIT)
    """One line: the verdict, and what it could not rule out."""
    summary: str
    """One or two sentences in plain words."""
    mode: Mode = Mode.ENFORCE
    comment: CommentPolicy = CommentPolicy.CHANGES
    base: CommitRef
    merge_base: str | None
    head: CommitRef
    reasons: tuple[Reason, ...] = ()
    """Reasons about the pull request as a whole (its gate, its configuration)."""
    lineages: tuple[LineageCard, ...] = ()
    """Worst verdict first, then by name."""
    spending: Spending = Spending()
    warnings: tuple[Finding, ...] = ()
    plan_digest: str | None = None
    seconds: float | None = None
    """Wall time; ``None`` in documents that are compared byte by byte."""
    dry_run: bool = False
    clearance: Clearance | None = None
    """The person who accepted the verdict. ``passes`` is then true."""
