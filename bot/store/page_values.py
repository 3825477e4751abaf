"""What the pages read from the store: frozen, independent of the database."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from bot.store.values import AuditEntry, Run
from schemas.case_texts import CaseTexts
from schemas.effects import CaseEffect
from schemas.scorecard import Scorecard
from schemas.values import Value
from schemas.verdicts import VerdictStatus


class CaseFilter(Value):
    """Which cases to list. ``None``: all. An empty label: those without one."""

    result: str | None = None
    slice: str | None = None
    expected: str | None = None
    baseline_said: str | None = None
    candidate_said: str | None = None
    failing: bool = False
    """Only cases that the candidate fails."""
    history: Literal["flaky", "always", "never"] | None = None
    """Only cases that were not certain in some run; that failed in all runs, of several; that failed in none."""


class CaseRow(Value):
    """One case in a list. Scores are fractions."""

    position: int
    case_id: str
    result: str
    slices: tuple[str, ...]
    protected: bool
    added: bool
    expected: str | None
    baseline_said: str | None
    candidate_said: str | None
    baseline: float | None
    candidate: float | None
    change: float | None
    runs: int
    failures: int
    flaky: int
    """Of the runs up to this one."""
    effect: CaseEffect | None
    """As the scorecard has it; ``None`` where only the figures were read."""


class KeptCase(Value):
    """One case with its texts."""

    row: CaseRow
    texts: CaseTexts | None
    earlier: tuple[tuple[int, int, CaseRow], ...]
    """Run, experiment and figures of the same case in earlier and later runs, newest first."""


class SliceCount(NamedTuple):
    """A slice and its number of cases."""

    name: str
    cases: int


class RunExperiment(Value):
    """One experiment of a run."""

    id: int
    lineage_id: int
    lineage: str
    model: str
    status: VerdictStatus


class RunPage(Value):
    """One run with its verdict."""

    run: Run
    verdict: VerdictStatus | None
    """``None``: there is none yet."""
    passes: bool
    author: str | None
    overview: Scorecard | None
    """Without cases. ``None``: not kept any more."""
    has_cases: bool
    """Whether its cases were kept for pages."""
    experiments: tuple[RunExperiment, ...]
    audit: tuple[AuditEntry, ...]


class SliceScore(NamedTuple):
    """The candidate's score on a slice."""

    slice: str
    candidate: float | None
    result: str


class VersionRow(Value):
    """One measured change of a prompt. Scores are fractions, costs are USD per 1,000 cases."""

    experiment_id: int
    run_sequence: int
    number: int | None
    head_sha: str
    base_ref: str
    author: str | None
    at: datetime
    model: str
    status: VerdictStatus
    passes: bool
    merged: bool
    """Whether a later run took it as its baseline."""
    baseline: float | None
    candidate: float | None
    low: float | None
    high: float | None
    cases: int | None
    slices: tuple[SliceScore, ...]
    cost_per_1000: Decimal | None
    latency_s: float | None
    """Median."""
    version_id: int | None
    """Its prompt version, if retention hasn't deleted it."""


class LineagePage(Value):
    """A prompt and some of its versions."""

    id: int
    name: str
    use_case: str
    versions: tuple[VersionRow, ...]


class KeptVersion(Value):
    """A prompt version as it ran."""

    id: int
    digest: str
    path: str
    model: str
    content: str
    """JSON: messages, partials, parameters."""
    first_seen_at: datetime


class LineageSummary(Value):
    """A prompt in the list of a repository, with its newest experiment."""

    id: int
    name: str
    use_case: str
    newest: VersionRow | None


class RunRow(Value):
    """A run in a list."""

    run: Run
    verdict: VerdictStatus | None
    passes: bool
    author: str | None
    cost_usd: Decimal | None


class SpentInMonth(NamedTuple):
    """Spending of a repository in a month (UTC), in USD."""

    month: str
    repository_id: int
    usd: Decimal


class SmallTestSet(NamedTuple):
    """A test set whose newest overall result was: too few cases."""

    repository_id: int
    lineage_id: int
    lineage: str
    cases: int
    run_sequence: int


class CaseHistory(NamedTuple):
    """How many cases of an experiment there are, by how they did over all runs."""

    cases: int
    flaky: int
    always: int
    never: int
    runs: int
    """Most runs of a case."""


class SnapshotRow(Value):
    """A state of a test set."""

    id: int
    digest: str
    path: str
    cases: int
    first_seen_at: datetime
