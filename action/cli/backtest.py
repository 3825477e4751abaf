"""``promptverdict backtest``: judges the earlier changes of a prompt by today's test set and policy."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from action.cli.check import prices, renderer, scorers
from action.cli.local import default_store, open_repository
from action.cli.progress import ProgressReport
from action.cli.prompt_versions import planned_versions, prompt_versions
from action.cli.streams import put
from action.exits import Exit
from schemas.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from action.cli.prompt_versions import PlannedVersion
    from adapters.call_process.process import CallingProcess
    from engine.commands.backtest import Backtest, Step, Version
    from engine.planning.prepared import Prepared
    from engine.runner.access import Access
    from schemas.scorecard import Scorecard


@dataclass(frozen=True)
class BacktestOptions:
    """The options of a backtest."""

    repo: Path
    lineage: str
    last: int
    head: str | None
    format: str
    budget_usd: Decimal | None
    yes: bool
    dry_run: bool
    store: str | None


def backtest(options: BacktestOptions, calling: CallingProcess | None = None) -> Exit:
    """Runs every step and prints the table. Exits with 3 if a step could not be judged.

    Raises PromptVerdictError, and UsageError if the user declines to spend money.
    """
    from adapters.call_process.client import Caller

    repository = open_repository(options.repo)
    branch = options.head or repository.default_branch()
    tip = repository.resolve(branch)
    with closing(Caller(calling)) as caller, closing(renderer()) as sandbox:
        from adapters.clock import SystemClock
        from adapters.loop import run_async
        from engine.pipeline import World
        from engine.runner.access import Access

        world = World(repository, sandbox, prices(), scorers())
        versions = prompt_versions(repository, tip, options.lineage, options.last)
        if len(versions) < 2:
            raise UsageError(f"{options.lineage} has no earlier version", hint="backtest replays changes of its prompt")
        sys.stderr.write(f"planning {len(versions) - 1} changes of {options.lineage} on {branch}\n")
        sys.stderr.flush()
        planned = planned_versions(versions, world, options.lineage)
        changes = [each.change for each in planned if each.change is not None]
        if options.dry_run:
            put(_cost_line(changes, options) + "\n")
            return Exit.PASS
        if not _agreed(changes, options):
            raise UsageError("nothing was run", hint="--dry-run shows the cost; --yes skips the question")
        access = Access(lambda model: caller.provider(model, os.environ), SystemClock())
        found = run_async(_judged(planned, branch, options, access))
    _print(found, options.format)
    return Exit.PASS if found.unfinished is None and all(map(_is_judged, found.steps)) else Exit.ERROR


def _cost_line(prepared: Sequence[Prepared], options: BacktestOptions) -> str:
    from engine.commands.backtest import expected_cost
    from engine.render.figures import plural, usd

    calls, cost = expected_cost(prepared)
    cap = "" if options.budget_usd is None else f", and never more than {usd(options.budget_usd)}"
    steps = plural(len(prepared), "change")
    run = f"{plural(calls, 'call')} for one run of every case, about {usd(cost)}{cap}"
    return f"{steps}: {run}; stored answers cost nothing"


def _agreed(prepared: Sequence[Prepared], options: BacktestOptions) -> bool:
    """Asks before real money is spent. Without a terminal only the budget limits it."""
    sys.stderr.write(_cost_line(prepared, options) + "\n")
    paid = any(
        arm.endpoint.model.spec.key for each in prepared for _, plan in each.measured for arm in plan.arms.values()
    )
    if options.yes or not paid or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    sys.stderr.write("Continue? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


async def _judged(planned: Sequence[PlannedVersion], branch: str, options: BacktestOptions, access: Access) -> Backtest:
    from adapters.clock import SystemClock
    from adapters.store import open_store
    from engine.commands.backtest import Backtest, ended_by_budget, steps_of, versions_of
    from engine.pipeline import measure, static

    store = open_store(options.store or default_store(os.environ))
    steps: list[Step] = []
    versions: list[Version] = []
    calls, spent = 0, Decimal(0)

    async def measured(prepared: Prepared, report: ProgressReport) -> Scorecard:
        nonlocal calls, spent
        if not prepared.runs:
            return static(prepared)
        left = None if options.budget_usd is None else max(options.budget_usd - spent, Decimal(0))
        card = await measure(
            prepared, access=access, store=store, clock=SystemClock(), budget_usd=left, on_progress=report.update
        )
        calls += card.spending.made
        spent += card.spending.cost_usd + card.spending.judge_cost_usd
        return card

    unfinished = None
    try:
        with ProgressReport() as report:
            for number, each in enumerate(planned):
                report.line(f"{each.revision.sha[:7]}: version {number + 1} of {len(planned)}")
                cards = [await measured(each.change, report)] if each.change else []
                cards.append(await measured(each.alone, report))
                if any(map(ended_by_budget, cards)):
                    unfinished = "the budget is spent; the same command with a higher --budget goes on from there"
                    break
                *changes, alone = cards
                steps += [step for card in changes for step in steps_of(each.revision, card)]
                versions += versions_of(each.revision, alone)
    finally:
        await access.aclose()
        await store.aclose()
    return Backtest(
        lineage=options.lineage,
        branch=branch,
        steps=tuple(steps),
        versions=tuple(versions),
        calls=calls,
        cost_usd=spent,
        unfinished=unfinished,
    )


def _is_judged(step: Step) -> bool:
    return step.verdict.value != "error"


def _print(found: Backtest, output_format: str) -> None:
    from engine.commands.backtest import backtest_lines
    from engine.render.encode import log_line

    if output_format == "json":
        put(found.model_dump_json(indent=2) + "\n")
    else:
        put("".join(log_line(line) + "\n" for line in backtest_lines(found)))
