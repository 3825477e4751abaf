"""What the searches and conversations of ``promptverdict suggest`` share: the commit, the question, the run."""

from __future__ import annotations

import os
import sys
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from action.cli.check import prices, renderer, scorers
from action.cli.local import default_store, open_repository
from action.cli.progress import ProgressReport
from action.cli.streams import put
from schemas.errors import UsageError
from schemas.pullrequests import PullRequest, Trust

if TYPE_CHECKING:
    from decimal import Decimal
    from pathlib import Path

    from adapters.call_process.process import CallingProcess
    from adapters.git.clone import Clone
    from engine.improve.ports import Ports
    from engine.improve.texts import Texts
    from engine.pipeline import World
    from engine.runner.access import Access
    from engine.runner.budget import SpendingCap
    from schemas.config import ModelConfig
    from schemas.detection import Detection, LineageChange
    from schemas.prompts import PromptFile

Found = TypeVar("Found")


@dataclass(frozen=True)
class SuggestOptions:
    """The options of a search or of a round."""

    repo: Path
    lineage: str
    held_out: float
    reflector: str | None
    format: str
    budget_usd: Decimal | None
    yes: bool
    dry_run: bool
    store: str | None
    restart: bool = False
    """Whether the conversation begins anew."""


@dataclass(frozen=True)
class Opened:
    """The commit HEAD, read alone, and what a run needs."""

    options: SuggestOptions
    repository: Clone
    alone: PullRequest
    today: Detection
    world: World
    access: Access

    def patch(self, texts: Texts, change: LineageChange) -> str | None:
        """Returns the diff that puts these texts into the prompt's file; ``None`` if none is sure to."""
        from engine.improve.texts import with_texts

        assert change.candidate is not None
        return self.patch_to(with_texts(change.candidate, texts), change)

    def patch_to(self, edited: PromptFile, change: LineageChange) -> str | None:
        """Returns the diff that makes the edited prompt of the committed one; ``None`` if none is sure to."""
        from engine.detection.files import Files
        from engine.improve.patch import file_edit

        assert change.candidate is not None
        files = Files(self.repository, self.alone.head_sha)
        edit = file_edit(files, change.candidate, edited, change.config.template)
        return None if edit is None else edit.patch

    def budget(self, change: LineageChange) -> Decimal:
        """Returns the most that the run may cost."""
        asked = self.options.budget_usd
        return change.budget.per_run_usd if asked is None else asked

    def agreed(self, line: str, models: Sequence[ModelConfig]) -> bool:
        """Shows the cost, and asks before real money is spent. Without a terminal only the budget limits it.

        Returns False for a dry run. Raises UsageError if the user declines.
        """
        if self.options.dry_run:
            put(line + "\n")
            return False
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
        paid = any(model.spec.key for model in models)
        if self.options.yes or not paid or not (sys.stdin.isatty() and sys.stderr.isatty()):
            return True
        sys.stderr.write("Continue? [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return True
        raise UsageError("nothing was run", hint="--dry-run shows the cost; --yes skips the question")

    async def run(self, work: Callable[[Ports, SpendingCap], Awaitable[Found]], budget_usd: Decimal) -> Found:
        """Runs ``work`` with a store, progress and a hard cap."""
        from adapters.clock import SystemClock
        from adapters.store import open_store
        from engine.improve.ports import Ports
        from engine.runner.budget import SpendingCap

        store = open_store(self.options.store or default_store(os.environ))
        try:
            with ProgressReport() as report:
                ports = Ports(
                    self.access, store, SystemClock(), self.world.renderer, report.update, report.line
                )  # fmt: skip
                try:
                    return await work(ports, SpendingCap(budget_usd, where="--budget"))
                except (CancelledError, KeyboardInterrupt):
                    report.line("interrupted; all answers so far are kept, and the same command continues from there")
                    raise
        finally:
            await self.access.aclose()
            await store.aclose()


@contextmanager
def opened(options: SuggestOptions, calling: CallingProcess | None) -> Iterator[Opened]:
    """Opens the repository and reads HEAD. Raises PromptVerdictError."""
    from adapters.call_process.client import Caller

    repository = open_repository(options.repo)
    commit = repository.resolve("HEAD")
    with closing(Caller(calling)) as caller, closing(renderer()) as sandbox:
        from adapters.clock import SystemClock
        from engine.pipeline import World, look
        from engine.runner.access import Access

        alone = PullRequest(
            base_ref="HEAD", base_sha=commit, head_ref="suggestion", head_sha=commit, trust=Trust.OPERATOR
        )
        today = look(repository, alone, only=(options.lineage,), alone=True)
        access = Access(lambda model: caller.provider(model, os.environ), SystemClock())
        world = World(repository, sandbox, prices(), scorers())
        yield Opened(options, repository, alone, today, world, access)
