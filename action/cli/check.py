"""``promptverdict check``."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from action.cli.local import ComparisonOptions, default_store, left_out, local_pull_request, open_repository
from action.cli.progress import ProgressReport
from action.cli.streams import put
from action.exits import Exit, exit_of
from schemas.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from adapters.call_process.process import CallingProcess
    from adapters.prices import GenaiPrices
    from adapters.sandbox import SandboxedRenderer
    from adapters.scorer.client import IsolatedScorers
    from engine.blame.explain import Explainer
    from engine.blame.planned import BlamePlan
    from engine.planning.prepared import Prepared
    from engine.records.kept import KeptRecord
    from engine.runner.access import Access
    from schemas.config import Config
    from schemas.experiments import ExperimentRecord
    from schemas.scorecard import Scorecard

NOT_YET = (
    "the base branch has no configuration yet, so nothing was measured: commit it, and then "
    "promptverdict check --base HEAD --worktree measures what you edit\n"
)


@dataclass(frozen=True)
class CheckOptions(ComparisonOptions):
    """The options of a check."""

    budget_usd: Decimal | None
    yes: bool
    store: str | None
    output: Path | None = None
    color: bool | None = None
    prices_at: date | None = None


def check(options: CheckOptions, calling: CallingProcess | None = None) -> Exit:
    """Runs the check and prints the scorecard. ``calling`` is the process for model calls, if it was started already.

    Raises PromptVerdictError.
    """
    if options.output:
        _make(options.output)
    card, records = evaluate(options, calling)
    put(rendered(card, options.format, color=options.color))
    if card.passes and card.status.value in ("blocked", "error", "needs_review"):
        sys.stderr.write("mode: inform never blocks, so the exit code is 0\n")
    if card.status.value == "not_applicable" and not card.lineages:
        hint = left_out(open_repository(options.repo), options.head, worktree=options.worktree)
        sys.stderr.write(f"{hint}\n" if hint else "")
    if any(reason.code == "adoption" for reason in card.reasons):
        sys.stderr.write(NOT_YET)
    try:
        write(card, records, options.output)
    except OSError as error:  # the verdict is valid without its files
        sys.stderr.write(f"promptverdict: {error.filename or options.output}: not written: {error.strerror}\n")
    return exit_of(card)


def _make(folder: Path) -> None:
    """Creates the folder before any paid call. Raises UsageError if nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"nothing can be written there: {error.strerror}", where=str(folder), hint="choose another folder"
        ) from error


def evaluate(
    options: CheckOptions,
    calling: CallingProcess | None = None,
    *,
    alone: bool = False,
    proposed: Config | None = None,
    explain: Callable[[BlamePlan], bool] | None = None,
) -> tuple[Scorecard, list[KeptRecord]]:
    """Runs the check without printing; returns the scorecard and the record of each experiment.

    ``alone``: scores the head's prompts and compares them with nothing, by the ``proposed`` configuration where it has
    none. ``explain``: also names the guilty parts of
    what is not approved, wherever it agrees to the cost.
    The engine is imported after the first line of output: a command that is silent for a second looks dead. Raises
    UsageError if the user declines to spend money.
    """
    repository = open_repository(options.repo)
    pull_request = local_pull_request(repository, base=options.base, head=options.head, worktree=options.worktree)
    head, base = (sha[:7] for sha in (pull_request.head_sha, pull_request.base_sha))
    compared = "" if alone else f" with {pull_request.base_ref} ({base})"
    sys.stderr.write(f"{'scoring' if alone else 'comparing'} {pull_request.head_ref} ({head}){compared}\n")
    sys.stderr.flush()
    from adapters.call_process.client import Caller

    with closing(Caller(calling)) as caller:
        from adapters.clock import SystemClock
        from engine.blame.explain import Explainer
        from engine.pipeline import World, prepare, static
        from engine.runner.access import Access

        access = Access(lambda model: caller.provider(model, os.environ), SystemClock())
        with closing(renderer()) as sandbox:
            world = World(repository, sandbox, prices(options.prices_at), scorers())
            prepared = prepare(
                pull_request,
                world,
                only=options.lineages,
                on_detected=access.expect,
                alone=alone,
                proposed=proposed,
            )
        if not prepared.runs:
            return static(prepared), []
        if not options.yes and not _agreed(prepared):
            raise UsageError("nothing was run", hint="promptverdict plan shows the cost; --yes skips the question")
        from adapters.loop import run_async

        with closing(renderer()) as sandbox:
            return run_async(_measured(prepared, options, access, explain and Explainer(sandbox, explain)))


def renderer() -> SandboxedRenderer:
    """Returns the sandbox in which templates are rendered."""
    from adapters.sandbox import SandboxedRenderer
    from engine.readers.dialects import fill_in

    return SandboxedRenderer(fill_in)


def scorers() -> IsolatedScorers:
    """Returns what runs own scorers, by the settings of the environment. The plan keeps it for the run."""
    from adapters.scorer.client import IsolatedScorers

    return IsolatedScorers.of(os.environ)


def prices(at: date | None = None) -> GenaiPrices:
    """Returns the price table of a day, by default today's."""
    from adapters.prices import GenaiPrices

    return GenaiPrices(at)


async def _measured(
    prepared: Prepared, options: CheckOptions, access: Access, explainer: Explainer | None
) -> tuple[Scorecard, list[KeptRecord]]:
    from asyncio import CancelledError

    from adapters.clock import SystemClock
    from adapters.store import open_store
    from engine.pipeline import measure, over_budget
    from engine.records.kept import KeptRecord
    from engine.records.outcome_table import outcome_table

    clock = SystemClock()
    records: list[KeptRecord] = []

    def keep(record: ExperimentRecord) -> None:
        records.append(KeptRecord.of(record))

    store = open_store(options.store or default_store(os.environ))
    try:
        with ProgressReport() as report:
            if any(one.calls for _, plan in prepared.measured for one in plan.estimates.values()):
                report.line(_what_runs(prepared))
            for short in over_budget(prepared, options.budget_usd):
                report.line(f"warning: {short}")
            try:
                card = await measure(
                    prepared,
                    access=access,
                    store=store,
                    clock=clock,
                    budget_usd=options.budget_usd,
                    explainer=explainer,
                    on_progress=report.update,
                    on_record=keep,
                )
                for kept in records:
                    await store.keep_plan(*outcome_table(kept.record()))
            except (CancelledError, KeyboardInterrupt):
                report.line(
                    f"interrupted at {report.state()}; all of it is kept, and the same command continues from there"
                )
                raise
    finally:
        await access.aclose()
        await store.aclose()
    return card, records


def _what_runs(prepared: Prepared) -> str:
    from engine.render.figures import usd

    plans = [entry.plan for entry in prepared.entries if entry.plan is not None]
    names = ", ".join(dict.fromkeys(plan.lineage for plan in plans))
    calls = sum(one.calls for plan in plans for one in plan.estimates.values())
    expected = sum((one.cost_usd for plan in plans for one in plan.estimates.values()), Decimal(0))
    return f"measuring {names}: at most {calls} first calls, about {usd(expected)}"


def _agreed(prepared: Prepared) -> bool:
    """Asks before real money is spent."""
    paid = [
        entry.plan
        for entry in prepared.entries
        if entry.plan is not None and any(arm.endpoint.model.spec.key for arm in entry.plan.arms.values())
    ]
    expected = sum((one.cost_usd for plan in paid for one in plan.estimates.values()), Decimal(0))
    return not paid or agreed_by_hand(expected, prepared.detection.budget_usd)


def agreed_by_hand(expected: Decimal, cap: Decimal) -> bool:
    """Asks whether money may be spent. Without a terminal, only the budget limits it."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    from engine.render.figures import usd

    sys.stderr.write(f"This will cost about {usd(expected)}, and never more than {usd(cap)}. Continue? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def write(card: Scorecard, records: Sequence[KeptRecord], folder: Path | None) -> None:
    """Writes scorecard.json, scorecard.md, report.html and the compressed experiment records to ``folder``."""
    if folder is None:
        return
    from action.reports import reports, write_reports
    from engine.render.links import NO_LINKS

    write_reports(folder, reports(card, NO_LINKS))
    for number, record in enumerate(records, 1):
        (folder / "experiments").mkdir(exist_ok=True)
        (folder / "experiments" / f"{number}.json.gz").write_bytes(record.data)


def rendered(card: Scorecard, output_format: str, *, color: bool | None) -> str:
    """Returns the scorecard in one of the four formats, ready for stdout."""
    if output_format == "json":
        from engine.render.json import scorecard_json

        return scorecard_json(card)
    if output_format == "markdown":
        from engine.render.limits import JOB_SUMMARY
        from engine.render.markdown import markdown

        return markdown(card, JOB_SUMMARY)
    if output_format == "html":
        from engine.render.html import html_report

        return html_report(card)
    import shutil

    from engine.render.encode import without_commands
    from engine.render.terminal import terminal

    text = terminal(card, shutil.get_terminal_size((100, 24)).columns, colours(color))
    return "".join(without_commands(line) for line in text.splitlines(keepends=True))


def colours(asked: bool | None) -> bool:
    """Returns whether stdout gets colors: by the option, else by NO_COLOR and the terminal."""
    if asked is not None:
        return asked
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
