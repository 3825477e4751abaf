"""The ports: protocols through which the engine and the evaluators see the world."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from pydantic import JsonValue

from schemas.config import ModelConfig
from schemas.host import Artifact, Authorship, Comment, CommitStatus, HostedPullRequest, RequiredCheck, Review, Sha
from schemas.outcomes import Completion, CompletionError, MetricSpec, Scores, StoredCompletion
from schemas.pricing import Price
from schemas.prompts import Dialect, Finding, Message, Request, RoleSyntax
from schemas.testsets import TestCase
from schemas.trees import Merge, TreeChange, TreeEntry
from schemas.values import Value, digest_of

CallKey = tuple[str, int]
"""Request digest and repetition. Each repetition is a separate sample."""

Ask = Callable[[Request, int], Awaitable[Completion | CompletionError]]
"""Asks a judge: takes a request and repetition, returns the answer. Stored, paid and limited like any other call."""


class SourceTree(Protocol):
    """Commits as data: trees and blobs, without a worktree. Raises SourceError."""

    def entries(self, commit: str) -> Mapping[str, TreeEntry]:
        """Returns every path of the commit's tree."""
        ...

    def entry(self, commit: str, path: str) -> TreeEntry | None:
        """Returns the entry of one path, without listing the tree."""
        ...

    def lookup(self, commit: str, paths: Iterable[str]) -> Mapping[str, TreeEntry]:
        """Returns the entries of the paths that exist, with sizes, without listing the tree. Folders have mode
        ``040000``."""
        ...

    def find(self, commit: str, globs: Sequence[str]) -> tuple[TreeEntry, ...]:
        """Returns the files that match a glob (``*`` within a folder, ``**/`` across folders) or are below a folder of
        that name."""
        ...

    def merge(self, base: str, head: str) -> Merge:
        """Returns the result of merging ``head`` into ``base``, or ``head``'s own tree if they have no common
        history."""
        ...

    def changes(self, before: str, after: str) -> tuple[TreeChange, ...]:
        """Returns the paths that differ. Similar files (≥ 50%) are paired as renames, as git does."""
        ...

    def read(self, blobs: Sequence[str]) -> Mapping[str, bytes]:
        """Returns the contents of blobs by id."""
        ...


class RenderJob(Value):
    """One prompt to be filled in with one case's inputs."""

    dialect: Dialect
    messages: tuple[Message, ...]
    variables: dict[str, JsonValue]
    partials: dict[str, str] = {}
    """Partials that may be included: path → text."""
    roles: RoleSyntax | None = None
    """The format's role marks. They are rendered like other text, and the caller splits it."""


class RenderFailure(Value):
    """Why a template can't be filled in."""

    message: str
    variable: str | None = None
    """The missing variable, if one is the reason."""
    gone: bool = False
    """Whether the renderer died or was stopped, by this template or because the machine was too busy."""


class TemplateRenderer(Protocol):
    """Fills in templates in a sandbox."""

    def render(self, jobs: Sequence[RenderJob]) -> list[tuple[Message, ...] | RenderFailure]:
        """Returns one result for each job, in order."""
        ...


class ScorerSource(Value):
    """A team's own scorer: the text of its file at the base."""

    path: str
    text: str

    @property
    def digest(self) -> str:
        """The SHA-256 of its text. Its scores are valid for this text only."""
        return digest_of(self.text)


class ScorerCase(Value):
    """What an own scorer may know of a case besides what it expects: arguments by name."""

    id: str
    inputs: dict[str, JsonValue] = {}
    slices: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    notes: str | None = None


class ScorerJob(Value):
    """One answer to be scored by a team's own code."""

    output: str
    expected: JsonValue
    case: ScorerCase


class ScorerProblem(Value):
    """Why a scorer gave no value."""

    what: str
    hint: str
    line: int | None = None
    """In the scorer's file."""


class CodeScorers(Protocol):
    """Runs own scorers, isolated from everything else and each answer from all others."""

    def problem(self, source: ScorerSource) -> ScorerProblem | None:
        """Returns why the scorer can't run here, if so. Blocks."""
        ...

    async def value(self, source: ScorerSource, job: ScorerJob) -> JsonValue | ScorerProblem:
        """Returns what the scorer's ``handler`` returns: untrusted JSON, which may hold NaN."""
        ...

    def close(self) -> None:
        """Ends its processes. A later call starts them again."""
        ...


class ModelProvider(Protocol):
    """Calls one model. A failed call is a CompletionError, never an exception."""

    async def complete(self, request: Request, *, repetition: int, timeout_s: float) -> Completion | CompletionError:
        """Makes one attempt within ``timeout_s`` seconds. ``repetition`` seeds only simulated models."""
        ...

    async def aclose(self) -> None:
        """Releases connections."""
        ...


class Evaluator(Protocol):
    """Scores the outputs of one lineage."""

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """The metrics that it reports for every case. The first one is the overall score."""
        ...

    @property
    def version(self) -> str:
        """The version, which changes whenever scores may change. It is part of the content digest."""
        ...

    @property
    def ignores_case(self) -> bool:
        """Whether the overall score depends on the answer alone, not on the case."""
        ...

    def problem(self, case: TestCase) -> Finding | None:
        """Returns why ``case`` can't be scored, such as a wrong expectation. Called before any call to a model."""
        ...

    async def score(self, case: TestCase, completion: Completion, *, ask: Ask, repetition: int) -> Scores:
        """Returns one entry for each metric, in order. Pure unless it asks a judge.

        Metrics that compare both versions fail here, until ``compare``.
        """
        ...

    @property
    def compares(self) -> bool:
        """Whether some metrics compare the answers of both versions."""
        ...

    def as_baseline(self, scores: Scores) -> Scores:
        """Returns the baseline's scores: those of ``score``, with one half on what is compared."""
        ...

    async def compare(
        self, case: TestCase, baseline: tuple[Completion, Scores], candidate: tuple[Completion, Scores], *, ask: Ask
    ) -> Scores:
        """Returns the candidate's scores. Each answer comes with its scores by ``score``."""
        ...


class Clock(Protocol):
    """The time. It is passed in, so that the engine is deterministic."""

    def monotonic(self) -> float:
        """Returns seconds from an arbitrary start. Never goes back."""
        ...

    def utc(self) -> datetime:
        """Returns the current time, aware, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Returns after ``seconds``."""
        ...


class OutcomeStore(Protocol):
    """Durable, content-addressed completions. Rows are only added. Raises StoreError."""

    async def get(self, keys: Sequence[CallKey]) -> Mapping[CallKey, StoredCompletion]:
        """Returns the newest row of each key that exists."""
        ...

    async def put(self, rows: Sequence[StoredCompletion]) -> None:
        """Stores rows and releases their claims. Returns when they are synced to disk. Older rows of a key stay as
        history."""
        ...

    async def claim(self, keys: Sequence[CallKey]) -> frozenset[CallKey]:
        """Claims calls for this store instance, so that no other process pays for them. Returns the keys that it won.

        A claim ends with ``put``, with ``release`` or with the death of its process.
        """
        ...

    async def release(self, keys: Sequence[CallKey]) -> None:
        """Releases claims of calls without an answer."""
        ...

    async def history(self, digests: Sequence[str]) -> Mapping[str, tuple[StoredCompletion, ...]]:
        """Returns every row of each request digest, oldest first. For planning, never for a decision."""
        ...

    async def plan(self, content_digest: str) -> JsonValue:
        """Returns the stored plan of this digest, or ``None``."""
        ...

    async def keep_plan(self, content_digest: str, plan: JsonValue) -> JsonValue:
        """Stores the first plan of a digest, synced. Returns the stored plan, which may be another process's."""
        ...

    async def aclose(self) -> None:
        """Closes the store."""
        ...


class Rated(Protocol):
    """What an optimizer improves. A failed call raises: it is never a score of 0."""

    async def score(self, texts: Mapping[str, str], cases: Sequence[int]) -> Sequence[float]:
        """Returns the score from 0 to 1 of each case, with these texts in the prompt."""
        ...

    async def rewrite(self, texts: Mapping[str, str], name: str, cases: Sequence[int]) -> str | None:
        """Returns a new text for ``name``, in view of these cases' answers; ``None`` if there is no usable one."""
        ...


class Optimizer(Protocol):
    """Searches for better texts of a prompt."""

    async def search(self, texts: Mapping[str, str], cases: int, rated: Rated, *, rounds: int, seed: int) -> None:
        """Tries at most ``rounds`` edits of ``texts`` on cases ``0 … cases - 1``.

        The same scores and rewrites give the same search. Raises what ``rated`` raises. Cancellation ends it at once.
        """
        ...


class PriceTable(Protocol):
    """USD per million tokens by model."""

    def price(self, model: ModelConfig) -> Price:
        """Returns the price of a model. Raises ConfigError, with the line to add, if it is unknown."""
        ...


class PullRequestHost(Protocol):
    """One repository on GitHub. Every write is idempotent. Raises HostError."""

    def pull_request(self, number: int) -> HostedPullRequest:
        """Returns the current state of the pull request."""
        ...

    def commit(self, name: str) -> Sha:
        """Returns the commit of a branch, a tag or an id."""
        ...

    def branch(self, name: str) -> Sha:
        """Returns the tip of a branch. Raises NotFound."""
        ...

    def pull_requests_of(self, sha: Sha) -> tuple[HostedPullRequest, ...]:
        """Returns the pull requests whose head or merge commit is ``sha``."""
        ...

    def reviews(self, number: int) -> tuple[Review, ...]:
        """Returns every review, oldest first."""
        ...

    def authorship(self, number: int) -> Authorship:
        """Returns who opened, committed to and pushed to this pull request."""
        ...

    def may_write(self, login: str) -> bool:
        """Returns whether this person may push to the repository now. False if in doubt."""
        ...

    def set_status(self, sha: Sha, status: CommitStatus) -> None:
        """Makes ``status`` the newest of its context on the commit."""
        ...

    def statuses(self, sha: Sha, context: str) -> tuple[CommitStatus, ...]:
        """Returns the statuses of one context, and of those with a base added (``context (base)``), newest first."""
        ...

    def required_checks(self, branch: str) -> tuple[RequiredCheck, ...]:
        """Returns the checks that must pass before a merge into the branch."""
        ...

    def find_comment(self, number: int, marker: str) -> Comment | None:
        """Returns our own comment whose first line starts with ``marker``. Reads every page."""
        ...

    def write_comment(self, number: int, body: str, marker: str, known: Comment | None) -> Comment:
        """Updates ``known`` if it still exists, else creates a comment. ``body`` starts with ``marker``."""
        ...

    def artifacts(self, name: str) -> tuple[Artifact, ...]:
        """Returns unexpired artifacts of this name, newest first (at most 100)."""
        ...

    def download(self, artifact: Artifact, *, max_bytes: int) -> bytes:
        """Returns the artifact's zip archive."""
        ...
