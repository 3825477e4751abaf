"""``promptverdict judge calibrate``: compares a judge's grades with people's."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING

from action.cli.judged import JudgeOptions, judge_name, judged_lineage, paid_calls, progress
from action.cli.label_file import label_file
from action.cli.local import local_pull_request, open_repository
from action.cli.streams import put
from action.exits import Exit
from schemas.errors import UsageError

if TYPE_CHECKING:
    from pydantic import JsonValue

    from adapters.call_process.client import Caller
    from adapters.call_process.process import CallingProcess
    from engine.runner.calls import Calls
    from engine.runner.experiment import Endpoint
    from schemas.calibration import Agreement, Calibration
    from schemas.detection import LineageChange
    from schemas.rubrics import LabeledAnswer


def calibrate(options: JudgeOptions, calling: CallingProcess | None = None, *, output_format: str) -> Exit:
    """Lets the judge grade the labeled answers and prints how far it agrees with people. Reuses stored replies.

    Exits with 1 if the judge doesn't gate. Raises PromptVerdictError.
    """
    repository = open_repository(options.repo)
    pull_request = local_pull_request(repository, base=None, head="HEAD", worktree=True)
    from adapters.call_process.client import Caller

    with closing(Caller(calling)) as caller:
        from action.cli.check import prices
        from adapters.loop import run_async
        from engine.doubts.calibrate import labels_of
        from engine.pipeline import look
        from engine.runner.experiment import Endpoint

        detection = look(repository, pull_request, only=[options.lineage], alone=True)
        change = judged_lineage(detection, options.lineage)
        labels = labels_of(change)
        if not labels:
            unnamed = label_file(repository.worktree_root(), change).unnamed(change)
            hint = unnamed or f"grade some with promptverdict judge label {options.lineage}"
            raise UsageError(f"{options.lineage} has no graded answers", hint=hint)
        table = prices()
        judges = [Endpoint(model, table.price(model)) for model in change.judges]
        found, spent = run_async(_graded(options, change, labels, judges, caller))
    if output_format == "json":
        put(json.dumps(_document(change, found, spent), indent=2, ensure_ascii=False) + "\n")
    else:
        from engine.render.encode import log_line

        put("".join(log_line(line) + "\n" for line in _lines(change, found, len(labels))))
    return Exit.PASS if found.calibrated else Exit.BLOCKED


async def _graded(
    options: JudgeOptions,
    change: LineageChange,
    labels: Sequence[LabeledAnswer],
    judges: Sequence[Endpoint],
    caller: Caller,
) -> tuple[Calibration, Decimal]:
    from engine.doubts.calibrate import compared, samples_of

    async with paid_calls(options, change, caller) as calls:
        await _agree(options, change, labels, judges, calls)
        with progress(change, judge_name(change), samples_of(change, labels), calls) as graded:
            return await compared(change, labels, calls, judges, graded), calls.spent_usd


async def _agree(
    options: JudgeOptions,
    change: LineageChange,
    labels: Sequence[LabeledAnswer],
    judges: Sequence[Endpoint],
    calls: Calls,
) -> None:
    """Prints the cost, and asks before real money is spent. Raises UsageError if the user declines."""
    from action.cli.check import agreed_by_hand
    from engine.doubts.calibrate import grading_requests
    from engine.planning.call_cost import estimate
    from engine.render.figures import plural, usd
    from engine.runner.experiment import by_judge

    keyed = {
        (request.digest, repetition): request
        for requests in grading_requests(change, labels)
        for request, repetition in requests
    }
    stored = await calls.stored(list(keyed))
    missing = [request for key, request in keyed.items() if key not in stored]
    cost = sum((estimate(own, judge.price).cost_usd for judge, own in by_judge(judges, missing)), Decimal(0))
    kept = f" ({len(stored)} are stored)" if stored else ""
    sys.stderr.write(
        f"{change.name} · {judge_name(change)}: {plural(len(labels), 'graded answer')}, "
        f"{plural(len(missing), 'judge call')}{kept}, about {usd(cost)}\n"
    )
    sys.stderr.flush()
    paid = missing and any(judge.model.spec.key for judge in judges)
    if paid and not options.yes and not agreed_by_hand(cost, options.cap_usd(change)):
        raise UsageError("nothing was graded", hint="--yes skips the question, and --budget limits the cost")


def _document(change: LineageChange, found: Calibration, spent: Decimal) -> dict[str, JsonValue]:
    from engine.render.calibration_text import next_steps

    return {
        "lineage": change.name,
        "judge": judge_name(change),
        "gates": found.calibrated,
        **found.model_dump(mode="json"),
        "next": [*next_steps(found, change.name)],
        "cost_usd": str(spent),
    }


def _lines(change: LineageChange, found: Calibration, answers: int) -> Iterator[str]:
    from engine.render.calibration_text import next_steps, unmet
    from engine.render.figures import plural

    gates = "gates" if found.calibrated else "doesn't gate"
    yield f"{change.name}: {judge_name(change)} {gates} ({plural(answers, 'answer')} graded by people)"
    yield ""
    width = max(len("dimension"), *map(len, found.dimensions))
    unit = "pairs" if change.config.pairwise else "answers"
    yield _row("dimension".ljust(width), unit, "κ, 95%", "Spearman", "Kendall", "bias, 95%", "gates")
    for name, one in found.dimensions.items():
        yield _row(name.ljust(width), *_figures(one))
    for name, one in found.dimensions.items():
        yield from (f"  {name}: {why}" for why in unmet(one))
    for name, one in found.dimensions.items():
        if one.confusion:
            yield ""
            yield from _confusion(name, one)
    yield ""
    yield from next_steps(found, change.name)


def _row(name: str, *cells: str) -> str:
    widths = (8, 22, 10, 9, 24, 7)
    return f"  {name}" + "".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))


def _figures(one: Agreement) -> tuple[str, ...]:
    from engine.render.calibration_text import interval, number

    kappa = number(one.kappa) + (f" ({interval(one.kappa_interval)})" if one.kappa_interval else "")
    bias = number(one.bias) + (f" ({interval(one.bias_interval)})" if one.bias_interval else "")
    gates = "yes" if one.sufficient else "no"
    return f"{one.pairs}", kappa, number(one.spearman), number(one.kendall), bias, gates


def _confusion(name: str, one: Agreement) -> Iterator[str]:
    """Yields the answers, or pairs of them, by both grades: a row for each grade of a person."""
    from engine.render.calibration_text import grade_text
    from engine.render.figures import count
    from schemas.calibration import COMPARED, GRADES

    shown = COMPARED if one.compared else GRADES
    what = "preference" if one.compared else "grade"
    yield f"  {name}: people's {what} by row, the judge's by column"
    yield "  " + "".join(f"{text:>8}" for text in ("", *(grade_text(one, grade) for grade in shown)))
    for grade in shown:
        row = [one.confusion[grade - GRADES[0]][column - GRADES[0]] for column in shown]
        yield f"  {grade_text(one, grade):>8}" + "".join(f"{count(cell) if cell else '·':>8}" for cell in row)
