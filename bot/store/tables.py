"""The tables. ``bot/store/migrations`` creates them; a test keeps the two in step.

The hub's are in ``bot/store/hub_tables.py``. ``bot/store/owned_tables.py`` names those that go with a repository.
Triggers protect ``prompt_versions``, ``test_set_snapshots`` and ``audit_reasons`` from updates, and ``audit`` from
updates and deletes.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, MetaData, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from bot.store.columns import Instant, Money, Words

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
Big = BigInteger().with_variant(Integer, "sqlite")
"""GitHub's ids and our sequences. SQLite numbers rows by itself only if the type is INTEGER."""


HAS_TEXTS = text("scorecard IS NOT NULL")


class Table(SQLModel):
    """The base of all tables of the bot, with its own metadata."""

    metadata = MetaData(naming_convention=NAMES)


class Installations(Table, table=True):
    """Where the App is installed. A removed installation keeps this row, without its name."""

    __tablename__ = "installations"
    id: int = Field(sa_type=Big, primary_key=True, sa_column_kwargs={"autoincrement": False})
    account: str = Field(sa_type=Words)
    seen_at: datetime = Field(sa_type=Instant)
    suspended_at: datetime | None = Field(default=None, sa_type=Instant)
    removed_at: datetime | None = Field(default=None, sa_type=Instant)


class Repositories(Table, table=True):
    """The repositories of an installation. The id is GitHub's and survives renames."""

    __tablename__ = "repositories"
    id: int = Field(sa_type=Big, primary_key=True, sa_column_kwargs={"autoincrement": False})
    installation_id: int = Field(sa_type=Big, foreign_key="installations.id", index=True)
    name: str = Field(sa_type=Words)
    seen_at: datetime = Field(sa_type=Instant)


class Deliveries(Table, table=True):
    """The ledger of webhooks."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("ix_deliveries_state_sequence", "state", "sequence"),
        Index("ix_deliveries_ended_at", "ended_at", postgresql_using="brin"),
    )
    sequence: int | None = Field(default=None, sa_type=Big, primary_key=True)
    id: str = Field(sa_type=Text, unique=True)
    event: str = Field(sa_type=Words)
    installation_id: int | None = Field(default=None, sa_type=Big, index=True)
    """From the body; known after the first claim."""
    body: bytes | None = Field(sa_type=LargeBinary)
    """Dropped when the delivery is handled."""
    received_at: datetime = Field(sa_type=Instant)
    state: str = Field(sa_type=Text)
    tries: int = 0
    next_at: datetime = Field(sa_type=Instant)
    """The end of a lease or of a pause. It can't be claimed before."""
    worker: str | None = Field(default=None, sa_type=Text)
    note: str = Field(default="", sa_type=Words)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)


class Runs(Table, table=True):
    """One row for each requested evaluation."""

    __tablename__ = "runs"
    __table_args__ = (
        Index("ix_runs_repository_id_head_sha", "repository_id", "head_sha"),
        Index("ix_runs_repository_id_number", "repository_id", "number"),
    )
    sequence: int | None = Field(default=None, sa_type=Big, primary_key=True)
    id: str = Field(sa_type=Text, unique=True)
    installation_id: int = Field(sa_type=Big, foreign_key="installations.id")
    repository_id: int = Field(sa_type=Big, foreign_key="repositories.id")
    kind: str = Field(sa_type=Text)
    number: int | None = Field(default=None, sa_type=Big)
    head_sha: str = Field(sa_type=Text)
    base_ref: str = Field(sa_type=Words)
    attempt: int
    why: str = Field(sa_type=Words)
    approved_sha: str | None = Field(default=None, sa_type=Text)
    state: str = Field(sa_type=Text, index=True)
    check_run_id: int | None = Field(default=None, sa_type=Big, index=True)
    base_sha: str | None = Field(default=None, sa_type=Text)
    content_digest: str | None = Field(default=None, sa_type=Text)
    opened_at: datetime = Field(sa_type=Instant)
    started_at: datetime | None = Field(default=None, sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    shown_at: datetime | None = Field(default=None, sa_type=Instant)
    request: str | None = Field(default=None, sa_type=Words)
    """``ExperimentRequest`` as JSON."""
    progress: str | None = Field(default=None, sa_type=Words)


class Verdicts(Table, table=True):
    """The verdict of a run. Retention deletes the document; the row stays."""

    __tablename__ = "verdicts"
    __table_args__ = (
        # Of those that retention has not handled yet.
        Index("ix_verdicts_kept_at", "kept_at", postgresql_where=HAS_TEXTS, sqlite_where=HAS_TEXTS),
    )
    run_sequence: int = Field(
        sa_type=Big, primary_key=True, foreign_key="runs.sequence", sa_column_kwargs={"autoincrement": False}
    )
    repository_id: int = Field(sa_type=Big, foreign_key="repositories.id", index=True)
    status: str = Field(sa_type=Text)
    passes: bool
    content_digest: str = Field(sa_type=Text)
    cost_usd: Decimal = Field(sa_type=Money)
    judge_cost_usd: Decimal = Field(sa_type=Money)
    scorecard: str | None = Field(sa_type=Text)
    """JSON, as ``bot.store.documents`` keeps it."""
    kept_at: datetime = Field(sa_type=Instant)
    overview: str | None = Field(default=None, sa_type=Text)
    """The scorecard without its cases, for pages. ``None`` for runs before pages."""
    author: str | None = Field(default=None, sa_type=Words)
    """The pull request's author."""
    on_default: bool | None = None
    """Whether the pull request goes to the default branch."""


class Lineages(Table, table=True):
    """The versions of one prompt."""

    __tablename__ = "lineages"
    __table_args__ = (UniqueConstraint("repository_id", "name"),)
    id: int | None = Field(default=None, sa_type=Big, primary_key=True)
    repository_id: int = Field(sa_type=Big, foreign_key="repositories.id")
    name: str = Field(sa_type=Words)
    use_case: str = Field(sa_type=Text)


class PromptVersions(Table, table=True):
    """Immutable: one row for each content that a prompt ever had."""

    __tablename__ = "prompt_versions"
    __table_args__ = (UniqueConstraint("lineage_id", "digest"),)
    id: int | None = Field(default=None, sa_type=Big, primary_key=True)
    repository_id: int = Field(sa_type=Big, foreign_key="repositories.id", index=True)
    lineage_id: int = Field(sa_type=Big, foreign_key="lineages.id")
    digest: str = Field(sa_type=Text)
    path: str = Field(sa_type=Words)
    model: str = Field(sa_type=Words)
    content: str = Field(sa_type=Text)
    first_seen_at: datetime = Field(sa_type=Instant)


class TestSetSnapshots(Table, table=True):
    """Immutable: one row for each content that a prompt's gating cases ever had."""

    __test__ = False
    __tablename__ = "test_set_snapshots"
    __table_args__ = (UniqueConstraint("lineage_id", "digest"),)
    id: int | None = Field(default=None, sa_type=Big, primary_key=True)
    repository_id: int = Field(sa_type=Big, foreign_key="repositories.id", index=True)
    lineage_id: int = Field(sa_type=Big, foreign_key="lineages.id")
    digest: str = Field(sa_type=Text)
    path: str = Field(sa_type=Words)
    cases: int
    content: str = Field(sa_type=Text)
    first_seen_at: datetime = Field(sa_type=Instant)


class Experiments(Table, table=True):
    """One prompt × one model of a run. Retention deletes the record; the figures stay."""

    __tablename__ = "experiments"
    __table_args__ = (
        Index("ix_experiments_lineage_id_id", "lineage_id", "id"),
        Index("ix_experiments_lineage_id_baseline_digest", "lineage_id", "baseline_digest"),
    )
    id: int | None = Field(default=None, sa_type=Big, primary_key=True)
    repository_id: int = Field(sa_type=Big, foreign_key="repositories.id", index=True)
    run_sequence: int = Field(sa_type=Big, foreign_key="runs.sequence", index=True)
    lineage_id: int = Field(sa_type=Big, foreign_key="lineages.id", index=True)
    model: str = Field(sa_type=Words)
    status: str = Field(sa_type=Text)
    passes: bool
    content_digest: str | None = Field(default=None, sa_type=Text)
    baseline_digest: str | None = Field(default=None, sa_type=Text)
    """Digest of the prompt version, which retention may have deleted."""
    candidate_digest: str | None = Field(default=None, sa_type=Text)
    tests_digest: str | None = Field(default=None, sa_type=Text)
    cost_usd: Decimal = Field(sa_type=Money)
    judge_cost_usd: Decimal = Field(sa_type=Money)
    baseline_per_1000: Decimal | None = Field(default=None, sa_type=Money)
    candidate_per_1000: Decimal | None = Field(default=None, sa_type=Money)
    record: str | None = Field(default=None, sa_type=Text)
    """The experiment as ``engine.record`` writes it. It can be decided again."""
    latency_s: float | None = None
    """The candidate's median latency."""


class Comparisons(Table, table=True):
    """Baseline against candidate: overall, by slice and by metric."""

    __tablename__ = "comparisons"
    experiment_id: int = Field(
        sa_type=Big, primary_key=True, foreign_key="experiments.id", sa_column_kwargs={"autoincrement": False}
    )
    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    """0 is the overall comparison."""
    repository_id: int = Field(sa_type=Big, foreign_key="repositories.id", index=True)
    slice: str | None = Field(default=None, sa_type=Words)
    metric: str = Field(sa_type=Words)
    cases: int
    baseline: float | None = None
    candidate: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    result: str = Field(sa_type=Text)


class CaseResults(Table, table=True):
    """The result of each case of an experiment. Runs before pages have none."""

    __tablename__ = "case_results"
    __table_args__ = (Index("ix_case_results_experiment_id_case_id", "experiment_id", "case_id"),)
    experiment_id: int = Field(
        sa_type=Big, primary_key=True, foreign_key="experiments.id", sa_column_kwargs={"autoincrement": False}
    )
    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    """Those that need a look come first."""
    repository_id: int = Field(sa_type=Big, foreign_key="repositories.id", index=True)
    case_id: str = Field(sa_type=Words)
    result: str = Field(sa_type=Text)
    slices: str = Field(sa_type=Words)
    """As JSON, in which one name can be searched."""
    protected: bool
    added: bool
    expected: str | None = Field(default=None, sa_type=Words)
    """The expected label, if it is one."""
    baseline_said: str | None = Field(default=None, sa_type=Words)
    candidate_said: str | None = Field(default=None, sa_type=Words)
    baseline: float | None = None
    """Mean score of the arm's answers."""
    candidate: float | None = None
    change: float | None = None
    runs: int
    """Runs of this prompt and model that measured the case, up to this one. Counted here, so that a page of a large
    test set reads one experiment only."""
    failures: int
    """Those in which the candidate failed it."""
    flaky: int
    """Those in which its change was not certain."""


class CaseDocuments(Table, table=True):
    """The texts of a case, compressed. In a table of their own, so that a list of cases reads none of them."""

    __tablename__ = "case_documents"
    experiment_id: int = Field(
        sa_type=Big, primary_key=True, foreign_key="experiments.id", sa_column_kwargs={"autoincrement": False}
    )
    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    repository_id: int = Field(sa_type=Big, foreign_key="repositories.id", index=True)
    effect: bytes = Field(sa_type=LargeBinary)
    """``CaseEffect`` as JSON."""
    texts: bytes | None = Field(default=None, sa_type=LargeBinary)
    """``CaseTexts`` as JSON; ``None`` for a case that did not run."""


class Outcomes(Table, table=True):
    """Which rows of the shared outcome store a repository refers to. Written before they are paid."""

    __tablename__ = "outcomes"
    __table_args__ = (Index("ix_outcomes_used_at", "used_at", postgresql_using="brin"),)
    repository_id: int = Field(
        sa_type=Big, primary_key=True, foreign_key="repositories.id", sa_column_kwargs={"autoincrement": False}
    )
    digest: str = Field(sa_type=Text, primary_key=True, index=True)
    """Digest of a request, or of a plan's content."""
    used_at: datetime = Field(sa_type=Instant)


class OrphanedOutcomes(Table, table=True):
    """Outcomes that only removed repositories used: to be deleted from the outcome store."""

    __tablename__ = "orphaned_outcomes"
    digest: str = Field(sa_type=Text, primary_key=True)
    since: datetime = Field(sa_type=Instant)


class Audit(Table, table=True):
    """Who did what. Append-only and without foreign keys, since it outlives its subjects."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_repository_id_number", "repository_id", "number"),)
    id: int | None = Field(default=None, sa_type=Big, primary_key=True)
    repository_id: int = Field(sa_type=Big)
    number: int = Field(sa_type=Big)
    by: str = Field(sa_type=Words)
    role: str = Field(sa_type=Words)
    action: str = Field(sa_type=Text)
    permitted: bool
    head_sha: str | None = Field(default=None, sa_type=Text)
    content_digest: str | None = Field(default=None, sa_type=Text)
    at: datetime = Field(sa_type=Instant)
    expires_at: datetime | None = Field(default=None, sa_type=Instant)
    comment_id: int | None = Field(default=None, sa_type=Big, unique=True)


class AuditReasons(Table, table=True):
    """The reason and URL of an audit entry:

    a person's text. Triggers allow its deletion only after its repository's.
    """

    __tablename__ = "audit_reasons"
    audit_id: int = Field(
        sa_type=Big, primary_key=True, foreign_key="audit.id", sa_column_kwargs={"autoincrement": False}
    )
    repository_id: int = Field(sa_type=Big, index=True)
    reason: str = Field(sa_type=Words)
    url: str | None = Field(default=None, sa_type=Words)


class Comments(Table, table=True):
    """Our one comment on each pull request."""

    __tablename__ = "comments"
    repository_id: int = Field(
        sa_type=Big, primary_key=True, foreign_key="repositories.id", sa_column_kwargs={"autoincrement": False}
    )
    number: int = Field(sa_type=Big, primary_key=True, sa_column_kwargs={"autoincrement": False})
    comment_id: int = Field(sa_type=Big)
    url: str = Field(sa_type=Words)


class Commands(Table, table=True):
    """Comments that were a command: each is answered once."""

    __tablename__ = "commands"
    comment_id: int = Field(sa_type=Big, primary_key=True, sa_column_kwargs={"autoincrement": False})
    repository_id: int = Field(sa_type=Big, foreign_key="repositories.id", index=True)
    begun_at: datetime = Field(sa_type=Instant)
    answer_id: int | None = Field(default=None, sa_type=Big)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)


class Spending(Table, table=True):
    """Spending, for the operator's caps. Without foreign keys: it outlives the repository."""

    __tablename__ = "spending"
    day: str = Field(sa_type=Text, primary_key=True)
    """UTC, ISO 8601."""
    repository_id: int = Field(sa_type=Big, primary_key=True, sa_column_kwargs={"autoincrement": False})
    usd: Decimal = Field(sa_type=Money)


class Sessions(Table, table=True):
    """People who are signed in to the pages."""

    __tablename__ = "sessions"
    id_hash: str = Field(sa_type=Text, primary_key=True)
    """SHA-256 of the cookie. The cookie itself is not kept."""
    login: str = Field(sa_type=Words)
    tokens: bytes = Field(sa_type=LargeBinary)
    """The person's tokens, encrypted with a key that is derived from the cookie."""
    expires_at: datetime = Field(sa_type=Instant, index=True)


class SignIns(Table, table=True):
    """Sign-ins that have ended: none is used twice."""

    __tablename__ = "sign_ins"
    id_hash: str = Field(sa_type=Text, primary_key=True)
    """SHA-256 of the secret with which the browser began it."""
    expires_at: datetime = Field(sa_type=Instant, index=True)


class Slots(Table, table=True):
    """Heartbeats of workers."""

    __tablename__ = "slots"
    slot: str = Field(sa_type=Text, primary_key=True)
    seen_at: datetime = Field(sa_type=Instant)
