"""``promptverdict suggest``: lets an optimizer edit a prompt, and proposes only what the gate proves."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from action.cli.improving import opened
from action.cli.past import past_of
from action.cli.streams import put
from action.exits import Exit
from schemas.errors import ProviderError

if TYPE_CHECKING:
    from action.cli.improving import SuggestOptions
    from adapters.call_process.process import CallingProcess
    from engine.improve.history import History
    from engine.improve.search_report import SearchReport


def suggest(options: SuggestOptions, calling: CallingProcess | None = None) -> Exit:
    """Searches the prompt of HEAD for a better version and prints what was found. Exits with 3 if it was unfinished.

    Raises PromptVerdictError, and UsageError if the user declines to spend money.
    """
    if options.budget_usd == 0:
        return _static(options, calling)
    from adapters.optimizer import GepaOptimizer

    optimizer = GepaOptimizer()
    with opened(options, calling) as here:
        from adapters.loop import run_async
        from engine.commands.suggest import cost_line
        from engine.improve.history import hints
        from engine.improve.suggest import prepare_search
        from engine.improve.suggest import suggest as search

        sys.stderr.write(f"planning a search for a better {options.lineage} at {here.alone.head_sha[:7]}\n")
        sys.stderr.flush()
        task = prepare_search(
            here.today,
            here.alone,
            options.lineage,
            here.world,
            held_out=options.held_out,
            reflector=options.reflector,
        )
        budget = here.budget(task.change)
        models = (task.source.model, task.target.reflector.model, *task.change.judges)
        if not here.agreed(cost_line(task, budget), models):
            return Exit.PASS
        past, pasts, scores = run_async(past_of(here))
        lost = hints(pasts, scores, frozenset(case.id for case in task.split.shown))
        try:
            found = run_async(
                here.run(lambda ports, cap: search(task, here.world, optimizer, ports, cap, lost=lost), budget)
            )
        except ProviderError:
            _print_past(past, "terminal" if past.answered and options.format != "json" else "")
            raise
        if (best := found.proposed) is not None:
            patch = here.patch({**task.texts, **best.texts}, task.change)
            found = found.model_copy(update={"patch": patch})
    _print(found, options.format)
    return Exit.PASS if found.unfinished is None else Exit.ERROR


def _static(options: SuggestOptions, calling: CallingProcess | None) -> Exit:
    """Prints what stored answers tell. Makes no call."""
    with opened(options, calling) as here:
        from adapters.loop import run_async

        past, _, _ = run_async(past_of(here))
    _print_past(past, options.format)
    return Exit.PASS


def _print_past(past: History, output_format: str) -> None:
    from engine.commands.history import history_lines
    from engine.commands.suggest import diff_lines
    from engine.render.encode import log_line

    if output_format == "json":
        put(past.model_dump_json(indent=2) + "\n")
    elif output_format:
        put("".join(log_line(line) + "\n" for line in history_lines(past)))
        put("".join(line + "\n" for line in diff_lines(past.patch, "", {})) if past.patch is not None else "")


def _print(found: SearchReport, output_format: str) -> None:
    from engine.commands.suggest import edit_lines, suggestion_lines
    from engine.render.encode import log_line

    if output_format == "json":
        put(found.model_dump_json(indent=2) + "\n")
    else:
        put("".join(log_line(line) + "\n" for line in suggestion_lines(found)))
        put("".join(line + "\n" for line in edit_lines(found)))
