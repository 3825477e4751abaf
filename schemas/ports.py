"""How the engine and the evaluators see the world."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from pydantic import JsonValue

from schemas.config import ModelConfig
from schemas.host import Artifact, Authorship, Comment, CommitStatus, HostedPullRequest, RequiredCheck, Review, Sha
from schemas.outcomes import Completion, CompletionError, EvaluatorFailure, MetricSpec, Score, StoredCompletion
from schemas.pricing import Price
from schemas.prompts import Dialect, Finding, Message, Request
from schemas.testsets import TestCase
from schemas.trees import Merge, TreeChange, TreeEntry
from schemas.values import Value

CallKey = tuple[str, int]
"""Request digest and repetition: a repetition is its own sample."""

Ask = Callable[[Request, int], Awaitable[Completion | CompletionError]]
"""Asks a judge: request and repetition in, answer out. Stored, paid and limited like every other call."""


class SourceTree(Protocol):
    """Commits as data: trees and blobs, never a worktree. Raises SourceError."""

    def entries(self, commit: str) -> Mapping[str, TreeEntry]:
        """Returns every path of the commit's tree."""
        ...

    def entry(self, commit: str, path: str) -> TreeEntry | None:
        """Returns one path, without listing the tree."""
        ...

    def lookup(self, commit: str, paths: Iterable[str]) -> Mapping[str, TreeEntry]:
        """Returns those of the paths that the tree has, with sizes, without listing it. Folders have mode
        ``040000``."""
        ...

    def find(self, commit: str, globs: Sequence[str]) -> tuple[TreeEntry, ...]:
        """Files that match a glob (``*`` within a folder, ``**/`` across folders) or lie in a folder of that name."""
        ...

    def merge(self, base: str, head: str) -> Merge:
        """Returns what merging ``head`` into ``base`` gives; ``head``'s own tree where they have no history in
        common."""
        ...

    def changes(self, before: str, after: str) -> tuple[TreeChange, ...]:
        """Paths that differ; similar files (≥ 50%) are paired as renames, as git does."""
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
    """Path → text of the partials that may be included."""


class RenderFailure(Value):
    """Why a template can't be filled in."""

    message: str
    variable: str | None = None
    """The missing variable, if that is why."""
    gone: bool = False
    """The renderer died or was stopped: by this template, or by a machine that was too busy."""


class TemplateRenderer(Protocol):
    """Fills in templates where they can do no harm."""

    def render(self, jobs: Sequence[RenderJob]) -> list[tuple[Message, ...] | RenderFailure]:
        """Returns one result for each job, in order."""
        ...


class ModelProvider(Protocol):
    """Asks one model. Never raises for what goes wrong with one call: that is a CompletionError."""

    async def complete(self, request: Request, *, repetition: int, timeout_s: float) -> Completion | CompletionError:
        """Returns one attempt within ``timeout_s`` seconds. ``repetition`` seeds only what is simulated."""
        ...

    async def aclose(self) -> None:
        """Releases connections."""
        ...


class Evaluator(Protocol):
    """Scores the outputs of one lineage."""

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """What it reports for every case; the first one is the overall score."""
        ...

    @property
    def version(self) -> str:
        """Differs whenever scores may differ: part of the content digest."""
        ...

    @property
    def ignores_case(self) -> bool:
        """Whether the overall score looks at the answer alone, whatever the case asks or expects."""
        ...

    def problem(self, case: TestCase) -> Finding | None:
        """Returns why ``case`` can't be scored (a wrong expectation), found before any call."""
        ...

    async def score(
        self, case: TestCase, completion: Completion, *, ask: Ask, repetition: int
    ) -> tuple[Score | EvaluatorFailure, ...]:
        """Returns one entry for each metric, in order. Pure unless it asks a judge."""
        ...


class Clock(Protocol):
    """Time, passed in, so that the engine has none of its own."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...

    def utc(self) -> datetime:
        """Returns the time of day, aware, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Returns after ``seconds``."""
        ...


class OutcomeStore(Protocol):
    """Durable, content-addressed completions: rows are only ever added. Raises StoreError."""

    async def get(self, keys: Sequence[CallKey]) -> Mapping[CallKey, StoredCompletion]:
        """The newest row of each key that there is."""
        ...

    async def put(self, rows: Sequence[StoredCompletion]) -> None:
        """Returns when the rows are synced to disk, and gives up their claims. Older rows of a key stay as history."""
        ...

    async def claim(self, keys: Sequence[CallKey]) -> frozenset[CallKey]:
        """Reserves calls for this store instance, so that nobody else pays for them: the keys that were won. A claim
        ends with ``put``, with ``release`` or with the life of whoever holds it."""
        ...

    async def release(self, keys: Sequence[CallKey]) -> None:
        """Gives up claims of calls that came to nothing."""
        ...

    async def history(self, digests: Sequence[str]) -> Mapping[str, tuple[StoredCompletion, ...]]:
        """Returns every row of each request digest, old ones too, oldest first: for planning, never for a decision."""
        ...

    async def plan(self, content_digest: str) -> JsonValue:
        """The plan that was kept under this digest, or ``None``."""
        ...

    async def keep_plan(self, content_digest: str, plan: JsonValue) -> JsonValue:
        """Keeps the first plan of a digest, synced; the plan that is kept, whoever came first."""
        ...

    async def aclose(self) -> None:
        """Closes the store."""
        ...


class PriceTable(Protocol):
    """USD per million tokens by model."""

    def price(self, model: ModelConfig) -> Price:
        """Raises ConfigError, with the line to paste, for a model whose price isn't known."""
        ...


class PullRequestHost(Protocol):
    """One repository on GitHub. Every write may be repeated: the result is the same. Raises HostError."""

    def pull_request(self, number: int) -> HostedPullRequest:
        """The pull request as it is now."""
        ...

    def commit(self, name: str) -> Sha:
        """Returns the commit that a branch, a tag or an id names."""
        ...

    def branch(self, name: str) -> Sha:
        """Returns the tip of a branch. Raises NotFound."""
        ...

    def pull_requests_of(self, sha: Sha) -> tuple[HostedPullRequest, ...]:
        """Pull requests whose head or merge commit is ``sha``."""
        ...

    def reviews(self, number: int) -> tuple[Review, ...]:
        """Returns every review, oldest first."""
        ...

    def authorship(self, number: int) -> Authorship:
        """Returns who opened, committed to and pushed to this pull request."""
        ...

    def may_write(self, login: str) -> bool:
        """Returns whether this person may push to the repository, now. Any doubt is a no."""
        ...

    def set_status(self, sha: Sha, status: CommitStatus) -> None:
        """Makes ``status`` the newest of its context on the commit."""
        ...

    def statuses(self, sha: Sha, context: str) -> tuple[CommitStatus, ...]:
        """Returns the statuses of one context and of those that add a base to it (``context (base)``), newest first."""
        ...

    def required_checks(self, branch: str) -> tuple[RequiredCheck, ...]:
        """Returns what must pass before anything is merged into the branch."""
        ...

    def find_comment(self, number: int, marker: str) -> Comment | None:
        """Our own comment: written by us, its first line starts with ``marker``. Every page is read."""
        ...

    def write_comment(self, number: int, body: str, marker: str, known: Comment | None) -> Comment:
        """Updates ``known`` where it still stands, else makes it anew. ``body`` starts with ``marker``."""
        ...

    def artifacts(self, name: str) -> tuple[Artifact, ...]:
        """Unexpired artifacts of this name, newest first (at most 100)."""
        ...

    def download(self, artifact: Artifact, *, max_bytes: int) -> bytes:
        """Returns the artifact's zip archive."""
        ...
