"""``promptverdict tests generate``: has a model write cases, which runs skip until a person confirms them."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from action.cli.judged import JudgeOptions, agree, named_endpoint, paid_calls
from action.cli.test_file import TestFile, file_for_new, lineage_in
from action.exits import Exit
from schemas.errors import UsageError

if TYPE_CHECKING:
    from adapters.call_process.client import Caller
    from adapters.call_process.process import CallingProcess
    from engine.new_cases.generating import Generated
    from engine.new_cases.question import Form
    from engine.runner.experiment import Endpoint
    from schemas.detection import Detection, LineageChange
    from schemas.testsets import TestSet


@dataclass(frozen=True)
class GenerateOptions(JudgeOptions):
    """The options of the command."""

    slice: str
    number: int
    model: str | None
    dry_run: bool
    write: bool


def generate(options: GenerateOptions, calling: CallingProcess | None = None) -> Exit:
    """Prints the patch with the new cases, or writes them. Exits with 3 if there are fewer than asked for.

    Raises PromptVerdictError.
    """
    from adapters.call_process.client import Caller
    from adapters.loop import run_async
    from engine.new_cases.generating import form_of
    from engine.render.encode import log_line
    from engine.render.figures import plural
    from engine.test_edits.patches import all_added

    local = lineage_in(options.repo, options.lineage)
    change, tests = local.change, local.tests
    form = form_of(tests, change.config, options.slice)
    endpoint = _endpoint(local.detection, change, options.model)
    with closing(Caller(calling)) as caller:
        found = run_async(_generated(options, change, (tests, form), endpoint, caller))
    if found is None:
        return Exit.PASS
    count = plural(len(found.rows), "new case")
    sys.stderr.write(
        f"{count} from {plural(found.calls, 'call')}; dropped: {plural(found.repeats, 'near-duplicate')}, "
        f"{plural(found.misfits, 'malformed case')}\n"
    )
    if found.rows:
        file = TestFile(local.root, file_for_new(tests))
        others = (*tests.cases, *tests.unverified)
        patch = all_added(file.name, file.data(), found.rows, columns=change.config.columns, others=others)
        file.apply(patch, f"added {plural(len(found.rows), 'unverified case')}", write=options.write)
        sys.stderr.write(f"Runs skip them until you run promptverdict tests confirm {log_line(options.lineage)}.\n")
    if found.stopped is not None:
        sys.stderr.write(f"promptverdict: {log_line(str(found.stopped))}\n")
    return Exit.PASS if len(found.rows) == options.number else Exit.ERROR


def _endpoint(detection: Detection, change: LineageChange, name: str | None) -> Endpoint:
    from action.cli.check import prices
    from engine.runner.experiment import Endpoint

    if name is not None:
        return named_endpoint(detection, name)
    if not change.models:
        raise UsageError(f"{change.name} has no model", hint="name one with --model")
    model = change.models[0].candidate
    return Endpoint(model, prices().price(model))


async def _generated(
    options: GenerateOptions,
    change: LineageChange,
    wanted: tuple[TestSet, Form],
    endpoint: Endpoint,
    caller: Caller,
) -> Generated | None:
    """Returns the new cases; ``None`` if only the cost was asked for."""
    from action.cli.progress import ProgressReport
    from engine.new_cases.generating import expected_calls, first_question, generated, most_calls
    from engine.planning.call_cost import estimate
    from engine.render.figures import plural, usd
    from engine.runner.experiment import Progress

    tests, form = wanted
    one = estimate([first_question(tests, form, endpoint)], endpoint.price).cost_usd
    least, most = expected_calls(options.number), most_calls(options.number)
    sys.stderr.write(
        f"{change.name} · {endpoint.model.model}: {plural(options.number, 'case')} in slice {form.slice} take "
        f"{plural(least, 'call')}, about {usd(one * least)}, or up to {most}, about {usd(one * most)}, "
        f"if the model repeats itself. Never more than {usd(options.cap_usd(change))}; stored answers cost nothing\n"
    )
    sys.stderr.flush()
    if options.dry_run:
        return None
    async with paid_calls(options, change, caller) as calls:
        agree(options, change, [endpoint.model], one * least)
        with ProgressReport() as report:

            def count(done: int) -> None:
                spent = float(calls.spent_usd)
                report.update(
                    Progress(
                        change.name,
                        endpoint.model.model,
                        done,
                        options.number,
                        "calibration",
                        calls.made,
                        spent,
                        concurrency=0,
                    )
                )

            return await generated(tests, form, options.number, calls=calls, endpoint=endpoint, on_answered=count)
