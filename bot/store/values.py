"""What the store takes and gives: frozen values, no database."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from pydantic import AwareDatetime

from schemas.experiments import Experiment
from schemas.payloads import Id, RepositoryName
from schemas.scorecard import Scorecard, VerdictStatus
from schemas.values import Value

APPROVE = "approve"
"""The audited action that overrides a verdict of one content."""
APPROVE_RUN = "approve_run"
"""The audited action that lets a fork's head be run."""
MOST_TRIES = 8
"""A delivery that could not be handled so often has failed."""


class RepositoryRef(Value):
    """One repository of one installation of the App."""

    installation_id: Id
    repository_id: Id
    """GitHub's id: it survives renames."""
    full_name: RepositoryName
    """``owner/name`` when it was last seen."""


class Delivery(Value):
    """A webhook that a worker has claimed: until ``lease_until`` nobody else handles it."""

    id: str
    """GitHub's delivery id: a redelivery has the same."""
    event: str
    body: bytes
    """As it was signed."""
    received_at: AwareDatetime
    tries: int
    """This one included."""
    worker: str
    lease_until: AwareDatetime


class RunKind(StrEnum):
    """What a run is about."""

    PULL_REQUEST = "pull_request"
    QUEUE = "queue"
    """A merge that the merge queue made."""


class RunState(StrEnum):
    """How far a run is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    """Its verdict is published."""
    CANCELLED = "cancelled"
    """Superseded or closed: it publishes nothing."""
    FAILED = "failed"
    """It came to no verdict; the check says error and why."""

    @property
    def is_open(self) -> bool:
        """Whether there is still something to do."""
        return self in (RunState.QUEUED, RunState.RUNNING)


class Run(Value):
    """One evaluation of one head against one base."""

    id: str
    """``exp:{repository id}:{number, or queue}:{head sha}:{digest of the base ref}:{attempt}``: the workflow's id."""
    sequence: int
    """Runs in the order in which they were asked for."""
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
    """What asked for it. The same ``why`` twice is the same attempt."""
    approved_sha: str | None
    """The fork's head that a maintainer approved to be run."""
    state: RunState
    check_run_id: int | None
    base_sha: str | None
    content_digest: str | None
    opened_at: AwareDatetime
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    shown_at: AwareDatetime | None
    """When its verdict was first shown on GitHub."""

    @property
    def repo(self) -> RepositoryRef:
        """Where it belongs."""
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
    """The gating cases of an experiment, as they were."""

    __test__ = False

    digest: str
    path: str
    cases: int
    content: str
    """The cases as JSON."""


class Measured(Value):
    """What one experiment was made of, and its record."""

    lineage: str
    model: str
    """The candidate's, as the configuration names it."""
    baseline: PromptVersion | None = None
    candidate: PromptVersion | None = None
    tests: TestSetSnapshot | None = None
    record: Experiment | None = None


class KeptVerdict(Value):
    """A verdict with the run that it belongs to."""

    run: Run
    scorecard: Scorecard
    content_digest: str
    kept_at: AwareDatetime


class AuditEntry(Value):
    """Who did what, when, in which role, and why. It is never changed and never deleted; ``reason`` goes when the
    installation is removed."""

    repository_id: int
    number: int
    by: str
    role: str
    """At that time."""
    action: str
    """The command, such as ``approve``."""
    permitted: bool = True
    reason: str = ""
    head_sha: str | None = None
    content_digest: str | None = None
    at: AwareDatetime
    expires_at: AwareDatetime | None = None
    url: str | None = None
    comment_id: int | None = None
    """The comment that asked: one entry each."""


class CommandSeen(Value):
    """Whether a command's comment was seen before."""

    first: bool
    answer_id: int | None
    """The comment that answered it."""


class LineagePoint(Value):
    """One experiment in the history of a lineage. Scores are fractions, costs USD per 1,000 cases."""

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
    """What the experiment was paid."""
    baseline_per_1000: Decimal | None
    candidate_per_1000: Decimal | None
    candidate_digest: str | None
