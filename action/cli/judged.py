"""The lineage of ``promptverdict judge``, as the files in the folder configure it, and its paid calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import UsageError

if TYPE_CHECKING:
    from adapters.call_process.client import Caller
    from engine.runner.calls import Calls
    from engine.runner.experiment import Endpoint
    from schemas.config import ModelConfig
    from schemas.detection import Detection, LineageChange


@dataclass(frozen=True)
class JudgeOptions:
    """The options of both commands."""

    repo: Path
    lineage: str
    budget_usd: Decimal | None
    yes: bool
    store: str | None

    def cap_usd(self, change: LineageChange) -> Decimal:
        """Returns the most that the command may spend."""
        configured = change.budget.per_run_usd
        return configured if self.budget_usd is None else min(configured, self.budget_usd)


def judged_lineage(detection: Detection, name: str) -> LineageChange:
    """Returns a lineage that has a rubric and a judge. Raises UsageError for any other."""
    change = next(each for each in detection.lineages if each.name == name)
    broken = [reason.sentence for reason in change.reasons if reason.status.value == "error"]
    if change.config.rubric and change.rubric is None and broken:
        raise UsageError(broken[0].rstrip("."), hint="fix the file")
    if change.rubric is None or not change.judges:
        lacks = "rubric" if change.rubric is None else "judge"
        raise UsageError(f"{name} has no {lacks}", hint=f"add {lacks}: to the lineage in promptverdict.yaml")
    return change


def judge_name(change: LineageChange) -> str:
    """Returns the judge's model, or those of a jury."""
    return ", ".join(model.model for model in change.judges)


def named_endpoint(detection: Detection, name: str) -> Endpoint:
    """Returns a model of the configuration with its price. Raises UsageError if there is none of that name."""
    from action.cli.check import prices
    from engine.readers.bounded import did_you_mean
    from engine.runner.experiment import Endpoint

    models = detection.config.models if detection.config else {}
    if name not in models:
        raise UsageError(f"no model is named {name!r} in promptverdict.yaml", hint=did_you_mean(name, models))
    return Endpoint(models[name], prices().price(models[name]))


def agree(options: JudgeOptions, change: LineageChange, models: Sequence[ModelConfig], cost_usd: Decimal) -> None:
    """Asks before ``models`` cost money. Raises UsageError if the user declines."""
    from action.cli.check import agreed_by_hand

    paid = any(model.spec.key for model in models)
    if paid and not options.yes and not agreed_by_hand(cost_usd, options.cap_usd(change)):
        raise UsageError("no call was made", hint="--yes skips the question, and --budget limits the cost")


@asynccontextmanager
async def paid_calls(options: JudgeOptions, change: LineageChange, caller: Caller) -> AsyncIterator[Calls]:
    """Opens the store and the providers for the lineage's calls, within the budget."""
    import os

    from action.cli.local import default_store
    from adapters.clock import SystemClock
    from adapters.store import open_store
    from engine.runner.access import Access
    from engine.runner.budget import SpendingCap
    from engine.runner.calls import Calls

    clock = SystemClock()
    access = Access(lambda model: caller.provider(model, os.environ), clock)
    store = open_store(options.store or default_store(os.environ))
    try:
        yield Calls(access, store, clock, SpendingCap(options.cap_usd(change)), change.run)
    finally:
        await access.aclose()
        await store.aclose()


@contextmanager
def progress(change: LineageChange, model: str, asked: int, calls: Calls) -> Iterator[Callable[[], None]]:
    """Shows how many of ``asked`` answers are done. Yields a function to call after each answer."""
    from action.cli.progress import ProgressReport
    from engine.runner.experiment import Progress

    done = 0
    with ProgressReport() as report:

        def count() -> None:
            nonlocal done
            done += 1
            spent = float(calls.spent_usd)
            state = Progress(change.name, model, done, asked, "calibration", calls.made, spent, concurrency=0)
            report.update(state)

        yield count
