"""``promptverdict suggest``: lets an optimizer edit a prompt, and proposes only what the gate proves."""

from __future__ import annotations

import os
import sys
from asyncio import CancelledError
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from action.cli.check import prices, renderer, scorers
from action.cli.local import default_store, open_repository
from action.cli.progress import ProgressReport
from action.cli.streams import put
from action.exits import Exit
from schemas.errors import UsageError
from schemas.pullrequests import PullRequest, Trust

if TYPE_CHECKING:
    from decimal import Decimal
    from pathlib import Path

    from adapters.call_process.process import CallingProcess
    from adapters.optimizer import GepaOptimizer
    from engine.improve.search_report import SearchReport
    from engine.improve.suggest import Task
    from engine.pipeline import World
    from engine.runner.access import Access


@dataclass(frozen=True)
class SuggestOptions:
    """The options of a search."""

    repo: Path
    lineage: str
    held_out: float
    reflector: str | None
    format: str
    budget_usd: Decimal | None
    yes: bool
    dry_run: bool
    store: str | None


def suggest(options: SuggestOptions, calling: CallingProcess | None = None) -> Exit:
    """Searches the prompt of HEAD for a better version and prints what was found. Exits with 3 if it was unfinished.

    Raises PromptVerdictError, and UsageError if the user declines to spend money.
    """
    from adapters.call_process.client import Caller
    from adapters.optimizer import GepaOptimizer

    optimizer = GepaOptimizer()
    repository = open_repository(options.repo)
    commit = repository.resolve("HEAD")
    with closing(Caller(calling)) as caller, closing(renderer()) as sandbox:
        from adapters.clock import SystemClock
        from adapters.loop import run_async
        from engine.detection.files import Files
        from engine.improve.patch import patch_of
        from engine.improve.suggest import prepare_search
        from engine.improve.texts import with_texts
        from engine.pipeline import World, look
        from engine.runner.access import Access

        sys.stderr.write(f"planning a search for a better {options.lineage} at {commit[:7]}\n")
        sys.stderr.flush()
        world = World(repository, sandbox, prices(), scorers())
        alone = PullRequest(
            base_ref="HEAD", base_sha=commit, head_ref="suggestion", head_sha=commit, trust=Trust.OPERATOR
        )
        today = look(repository, alone, only=(options.lineage,), alone=True)
        task = prepare_search(
            today, alone, options.lineage, world, held_out=options.held_out, reflector=options.reflector
        )
        if not _agreed(task, options):
            return Exit.PASS
        access = Access(lambda model: caller.provider(model, os.environ), SystemClock())
        found = run_async(_searched(task, world, optimizer, options, access))
        if (best := found.proposed) is not None:
            edited = with_texts(task.source.prompt, {**task.texts, **best.texts})
            patch = patch_of(Files(repository, commit), task.source.prompt, edited, task.change.config.template)
            found = found.model_copy(update={"patch": patch})
    _print(found, options.format)
    return Exit.PASS if found.unfinished is None else Exit.ERROR


def _budget(task: Task, options: SuggestOptions) -> Decimal:
    return task.change.budget.per_run_usd if options.budget_usd is None else options.budget_usd


def _agreed(task: Task, options: SuggestOptions) -> bool:
    """Shows the cost, and asks before real money is spent. Without a terminal only the budget limits it."""
    from engine.commands.suggest import cost_line

    line = cost_line(task, _budget(task, options)) + "\n"
    if options.dry_run:
        put(line)
        return False
    sys.stderr.write(line)
    sys.stderr.flush()
    models = (task.source.model, task.reflector.model, *task.change.judges)
    paid = any(model.spec.key for model in models)
    if options.yes or not paid or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    sys.stderr.write("Continue? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    raise UsageError("nothing was run", hint="--dry-run shows the cost; --yes skips the question")


async def _searched(
    task: Task, world: World, optimizer: GepaOptimizer, options: SuggestOptions, access: Access
) -> SearchReport:
    from adapters.clock import SystemClock
    from adapters.store import open_store
    from engine.improve.search import Ports
    from engine.improve.suggest import suggest as search
    from engine.runner.budget import SpendingCap

    store = open_store(options.store or default_store(os.environ))
    try:
        with ProgressReport() as report:
            ports = Ports(access, store, SystemClock(), world.renderer, report.update, report.line)
            cap = SpendingCap(_budget(task, options), where="--budget")
            try:
                return await search(task, world, optimizer, ports, cap)
            except (CancelledError, KeyboardInterrupt):
                report.line("interrupted; all answers so far are kept, and the same command continues from there")
                raise
    finally:
        await access.aclose()
        await store.aclose()


def _print(found: SearchReport, output_format: str) -> None:
    from engine.commands.suggest import edit_lines, suggestion_lines
    from engine.render.encode import log_line

    if output_format == "json":
        put(found.model_dump_json(indent=2) + "\n")
    else:
        put("".join(log_line(line) + "\n" for line in suggestion_lines(found)))
        put("".join(line + "\n" for line in edit_lines(found)))
