"""``promptverdict watch``: runs the prompts again and compares them with their stored answers."""

from __future__ import annotations

import json
import os
import sys
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from action.cli.check import agreed_by_hand, prices, renderer, scorers
from action.cli.local import default_store, local_pull_request, open_repository
from action.cli.progress import ProgressReport
from action.cli.streams import put
from action.exits import Exit
from schemas.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from adapters.call_process.process import CallingProcess
    from engine.planning.prepared import Prepared
    from engine.runner.access import Access
    from engine.watch.once import LineageWatch, WatchRun
    from schemas.ports import SourceTree
    from schemas.pullrequests import PullRequest


@dataclass(frozen=True)
class WatchOptions:
    """The options of the command."""

    repo: Path
    lineages: tuple[str, ...]
    head: str
    format: str
    budget_usd: Decimal | None
    yes: bool
    dry_run: bool
    store: str | None


def watch(options: WatchOptions, calling: CallingProcess | None = None) -> Exit:
    """Runs every case once and prints how each prompt stands; with ``dry_run`` only the cost.

    Exits with 1 on a finding and with 3 if a prompt could not be measured. Raises PromptVerdictError, and UsageError if
    the user declines to spend money.
    """
    from adapters.call_process.client import Caller

    repository = open_repository(options.repo)
    pull_request = local_pull_request(repository, base=options.head, head=options.head, worktree=False)
    sys.stderr.write(f"watching the prompts of {options.head} ({pull_request.head_sha[:7]})\n")
    sys.stderr.flush()
    prepared = planned(repository, pull_request, options.lineages)
    cost = _cost(prepared)
    if options.dry_run:
        put(_cost_line(prepared, cost) + "\n")
        return Exit.PASS
    paid = any(arm.endpoint.model.spec.key for _, plan in prepared.measured for arm in plan.arms.values())
    if paid and not options.yes and not agreed_by_hand(cost, options.budget_usd or prepared.detection.budget_usd):
        raise UsageError("nothing was run", hint="--dry-run shows the cost; --yes skips the question")
    with closing(Caller(calling)) as caller, closing(prepared):
        from adapters.clock import SystemClock
        from adapters.loop import run_async
        from engine.runner.access import Access

        access = Access(lambda model: caller.provider(model, os.environ), SystemClock())
        found = run_async(_run(prepared, access, options, str(repository.path)))
    _print(found, options.format)
    return _exit(found.lineages)


def planned(tree: SourceTree, pull_request: PullRequest, only: Sequence[str]) -> Prepared:
    """Plans the prompts of one commit, each alone; spends nothing."""
    from engine.pipeline import look
    from engine.planning.prepared import plan
    from engine.watch.alone import alone

    detection = alone(look(tree, pull_request, only=only, alone=True))
    with closing(renderer()) as sandbox:
        return plan(pull_request, detection, sandbox, prices(), scorers(), only=only)


async def _run(prepared: Prepared, access: Access, options: WatchOptions, repository: str) -> WatchRun:
    from adapters.clock import SystemClock
    from adapters.store import open_store
    from engine.watch.once import watch_once

    store = open_store(options.store or default_store(os.environ))
    try:
        with ProgressReport() as report:
            return await watch_once(
                prepared, access=access, store=store, clock=SystemClock(), repository=repository, generations={},
                kept=[kept for _, kept in store.plans()], budget_usd=options.budget_usd, on_progress=report.update,
            )  # fmt: skip
    finally:
        await access.aclose()
        await store.aclose()


def _cost(prepared: Prepared) -> Decimal:
    return sum((one.cost_usd for _, plan in prepared.measured for one in plan.estimates.values()), Decimal(0))


def _cost_line(prepared: Prepared, cost: Decimal) -> str:
    from engine.render.figures import plural, usd

    calls = sum(one.calls for _, plan in prepared.measured for one in plan.estimates.values())
    return f"{plural(len(prepared.measured), 'experiment')}: {plural(calls, 'call')} in one run, about {usd(cost)}"


def _print(found: WatchRun, output_format: str) -> None:
    from engine.alerts.texts import reading_sentence
    from engine.render.encode import log_line

    if output_format == "json":
        rows = [
            {"lineage": one.lineage, "state": one.standing.state.value, "reading": one.reading.model_dump(mode="json")}
            for one in found.lineages
        ]
        put(json.dumps({"watch": rows, "calls": found.calls, "cost_usd": str(found.cost_usd)}, indent=2) + "\n")
        return
    for one in found.lineages:
        put(log_line(f"{one.lineage}: {one.standing.state.value}. {reading_sentence(one.reading)}") + "\n")


def _exit(found: Sequence[LineageWatch]) -> Exit:
    from engine.drift.reading import Level

    if any(one.reading.level is Level.ALERT for one in found):
        return Exit.BLOCKED
    unmeasured = any(one.reading.why.startswith(("it could not", "the run can't")) for one in found)
    return Exit.ERROR if unmeasured else Exit.PASS
