"""Input and output values of the store: frozen, independent of the database."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from pydantic import AwareDatetime, Field

from schemas.experiments import ExperimentRecord
from schemas.payloads import Id, RepositoryName
from schemas.scorecard import Scorecard
from schemas.values import Value
from schemas.verdicts import VerdictStatus

APPROVE = "approve"
"""The audited action that overrides the verdict of one content."""
APPROVE_RUN = "approve_run"
"""The audited action that approves a run of a fork's head."""
REVIEW = "review"
"""The audited action of an approving review that cleared a verdict."""
MOST_TRIES = 8
"""After so many failed tries a delivery has failed."""


class RepositoryRef(Value):
    """One repository of one installation of the App."""

    installation_id: Id
    repository_id: Id
    """GitHub's id: it survives renames."""
    full_name: RepositoryName
    """``owner/name`` when it was last seen."""


class Delivery(Value):
    """A webhook that a worker has claimed. Until ``lease_until`` no other worker handles it."""

    id: str
    """GitHub's delivery id: a redelivery has the same."""
    event: str
    body: bytes
    """The body exactly as signed."""
    received_at: AwareDatetime
    tries: int
    """Including this one."""
    worker: str
    lease_until: AwareDatetime


class RunKind(StrEnum):
    """The subject of a run."""

    PULL_REQUEST = "pull_request"
    QUEUE = "queue"
    """A merge commit of the merge queue."""
    EXPERIMENT = "experiment"
    """One prompt of the default branch on several models, for a page. GitHub shows nothing of it."""
    WATCH = "watch"
    """The production version again, compared with its stored answers."""
    PLAYGROUND = "playground"
    """A draft of one prompt against the default branch, for a page. GitHub shows nothing of it."""
    PROMOTION = "promotion"
    """A tag's present version against a candidate."""
    SUGGESTION = "suggestion"
    """A search for a better prompt, or a round of a conversation about one."""


ON_PAGES = (RunKind.EXPERIMENT, RunKind.PLAYGROUND)
"""Runs that people ask for on pages. They add no version to the history, and may deliberately have few cases."""


class RunState(StrEnum):
    """How far a run is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    """Its verdict is published."""
    CANCELLED = "cancelled"
    """Superseded or closed: it publishes nothing."""
    FAILED = "failed"
    """It came to no verdict; its check says why."""

    @property
    def is_open(self) -> bool:
        """Whether the run is unfinished."""
        return self in (RunState.QUEUED, RunState.RUNNING)


class ExperimentRequest(Value):
    """What a person wants to measure: a prompt of the default branch, on models that its configuration names."""

    lineage: str
    models: tuple[str, ...] = Field(min_length=1)
    slice: str | None = None
    """Only the cases of this slice."""
    by: str


class Run(Value):
    """One evaluation of one head against one base."""

    id: str
    """``exp:{repository id}:{number, or queue}:{head sha}:{digest of the base ref}:{attempt}``: the workflow's id."""
    sequence: int
    """The order in which runs were requested."""
    installation_id: int
    repository_id: int
    repository: str
    """``owner/name`` when it was last seen."""
    kind: RunKind
    number: int | None
    head_sha: str
    base_ref: str
    attempt: int
    why: str
    """What requested it. The same ``why`` twice is the same attempt."""
    approved_sha: str | None
    """The head of a fork whose run a maintainer approved."""
    state: RunState
    check_run_id: int | None
    base_sha: str | None
    content_digest: str | None
    opened_at: AwareDatetime
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    shown_at: AwareDatetime | None
    """When its verdict was first shown on GitHub."""
    request: ExperimentRequest | None = None
    """Of a run that a person asked for on a page."""
    progress: str | None = None
    """The newest line of progress of such a run."""

    @property
    def repo(self) -> RepositoryRef:
        """The repository of the run."""
        return RepositoryRef(
            installation_id=self.installation_id, repository_id=self.repository_id, full_name=self.repository
        )


class PromptVersion(Value):
    """An immutable version of a prompt, as one arm ran it."""

    digest: str
    path: str
    model: str
    content: str
    """The prompt as JSON: messages, partials, parameters."""


class TestSetSnapshot(Value):
    """The gating cases of an experiment."""

    __test__ = False

    digest: str
    path: str
    cases: int
    content: str
    """The cases as JSON."""


class PackedTexts(Value):
    """The texts of one case, compressed. ``bot.store.case_records`` reads them."""

    id: str
    baseline_said: str | None
    """What the first metric read most often, such as the label."""
    candidate_said: str | None
    packed: bytes = Field(repr=False)


class Measured(Value):
    """The inputs of one experiment, and its record."""

    lineage: str
    model: str
    """The candidate's model, as the configuration names it."""
    baseline: PromptVersion | None = None
    candidate: PromptVersion | None = None
    tests: TestSetSnapshot | None = None
    record: ExperimentRecord | None = None
    texts: tuple[PackedTexts, ...] = ()


class KeptVerdict(Value):
    """A stored verdict with its run."""

    run: Run
    scorecard: Scorecard
    content_digest: str
    kept_at: AwareDatetime


NO_PULL_REQUEST = 0


class AuditEntry(Value):
    """Who did what, when, in which role, and why. Never changed or deleted, except ``reason``, which goes with the
    installation."""

    repository_id: int
    number: int
    """The pull request, or ``NO_PULL_REQUEST``."""
    by: str
    role: str
    """At that time."""
    action: str
    """The command, such as ``approve``, or ``review``."""
    permitted: bool = True
    reason: str = ""
    head_sha: str | None = None
    content_digest: str | None = None
    at: AwareDatetime
    expires_at: AwareDatetime | None = None
    url: str | None = None
    comment_id: int | None = None
    """The comment with the command. Each has one entry."""


class CommandSeen(Value):
    """Whether a command was seen before."""

    first: bool
    answer_id: int | None
    """The comment that answered it."""


class LineagePoint(Value):
    """One experiment in the history of a prompt. Scores are fractions, costs are USD per 1,000 cases."""

    run_id: str
    number: int | None
    head_sha: str
    at: AwareDatetime
    model: str
    status: VerdictStatus
    passes: bool
    cases: int | None
    baseline: float | None
    candidate: float | None
    low: float | None
    high: float | None
    cost_usd: Decimal
    """Cost of the experiment."""
    baseline_per_1000: Decimal | None
    candidate_per_1000: Decimal | None
    baseline_digest: str | None
    candidate_digest: str | None
    """Of the prompt versions that were compared."""
