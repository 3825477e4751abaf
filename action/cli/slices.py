"""``promptverdict tests slices``: lists the slices of test sets, and suggests one for each case that has none."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from action.cli.judged import JudgeOptions, agree, named_endpoint, paid_calls, progress
from action.cli.local import local_pull_request, open_repository
from action.cli.streams import put
from action.exits import Exit
from schemas.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import JsonValue

    from adapters.call_process.client import Caller
    from adapters.call_process.process import CallingProcess
    from engine.runner.experiment import Endpoint
    from engine.slices.asking import Asked, Questions
    from engine.slices.suggestions import FreeSources, Measured, Source, Suggestion
    from schemas.detection import Detection, LineageChange

WIDEST_ID = 40


@dataclass(frozen=True)
class SliceOptions(JudgeOptions):
    """The options of the command. ``lineage`` is empty for all."""

    suggest: bool
    model: str | None
    dry_run: bool
    write: bool


@dataclass(frozen=True)
class Suggested:
    """The suggestions for one lineage."""

    change: LineageChange
    free: FreeSources
    sources: tuple[Source, ...]
    suggestions: tuple[Suggestion, ...]
    asked: Asked | None = None
    spent_usd: Decimal = Decimal(0)


def slices(options: SliceOptions, calling: CallingProcess | None = None, *, output_format: str) -> Exit:
    """Prints the slices of the folder's test sets, or suggestions for the cases without one.

    Exits with 3 if a model could not be asked about all cases. It still prints what is known. Raises
    PromptVerdictError.
    """
    repository = open_repository(options.repo)
    pull_request = local_pull_request(repository, base=None, head="HEAD", worktree=True)
    from engine.pipeline import look

    detection = look(repository, pull_request, only=[options.lineage] if options.lineage else (), alone=True)
    changes = list(_readable(detection, options.lineage))
    if not options.suggest:
        _list(changes, output_format)
        return Exit.PASS
    found = _suggested(options, detection, changes, calling)
    if output_format == "json" and found:
        put(json.dumps([_document(one) for one in found], indent=2, ensure_ascii=False) + "\n")
    else:
        from engine.render.encode import log_line

        put("".join(log_line(line) + "\n" for one in found for line in _lines(one)))
    for one in found if options.write else ():
        _write(repository.worktree_root(), one)
    stops = [one.asked.stopped for one in found if one.asked and one.asked.stopped]
    sys.stderr.write("".join(f"promptverdict: {stop}\n" for stop in stops))
    return Exit.ERROR if stops else Exit.PASS


def _suggested(
    options: SliceOptions, detection: Detection, changes: Sequence[LineageChange], calling: CallingProcess | None
) -> list[Suggested]:
    """Returns the suggestions by lineage; none if only the model's cost was asked for."""
    if options.model is None:
        return [_free(change) for change in changes]
    from adapters.call_process.client import Caller

    change, endpoint = _named(detection, changes), named_endpoint(detection, options.model)
    with closing(Caller(calling)) as caller:
        asked = _with_model(options, change, endpoint, caller)
    return [] if asked is None else [asked]


def _write(root: Path, found: Suggested) -> None:
    """Writes the suggestions into the files. Raises UsageError for the first that can't be edited."""
    from action.cli.test_file import TestFile
    from engine.render.figures import plural
    from engine.slices.writing import with_slices
    from engine.test_edits import NoEditError

    chosen: dict[str, dict[str, str]] = {}
    for one in found.suggestions:
        chosen.setdefault(one.case.path or "", {})[one.case.id] = one.slice
    for path, slices_ in chosen.items():
        file = TestFile(root, path)
        try:
            data = with_slices(path, file.data(), slices_, found.change.config.columns)
        except NoEditError as error:
            why = f" ({error})" if str(error) else ""
            raise UsageError(f"it can't be edited safely{why}", where=path, hint="write the slices by hand") from error
        file.write(data)
        sys.stderr.write(f"{path}: wrote {plural(len(slices_), 'slice')}; review them with git diff\n")


def _readable(detection: Detection, name: str) -> Iterator[LineageChange]:
    """Yields the lineages to look at. Raises UsageError for a named one whose cases can't be read; names the others."""
    for change in detection.lineages:
        if name not in ("", change.name):
            continue
        if change.tests is not None:
            yield change
            continue
        why = " ".join(reason.sentence for reason in change.reasons)
        if name:
            raise UsageError(f"the cases of {name} can't be read: {why.rstrip('.')}", hint="fix the file")
        sys.stderr.write(f"promptverdict: left out: {why}\n")


def _named(detection: Detection, changes: Sequence[LineageChange]) -> LineageChange:
    if len(changes) != 1:
        raise UsageError("--model asks about one lineage", hint=f"name it: {', '.join(detection.names or ())}")
    return changes[0]


def _free(change: LineageChange) -> Suggested:
    from engine.slices.suggestions import free_sources, suggestions

    assert change.tests is not None
    free = free_sources(change.tests)
    sources = (free.rules, free.neighbors)
    return Suggested(change, free, sources, suggestions(free.unlabeled, sources))


def _with_model(options: SliceOptions, change: LineageChange, endpoint: Endpoint, caller: Caller) -> Suggested | None:
    """Returns the suggestions with the model's; ``None`` if only the cost was asked for."""
    from adapters.loop import run_async
    from engine.slices.asking import questions
    from engine.slices.suggestions import suggestions

    found = _free(change)
    wanted = questions(found.free, endpoint)
    result = run_async(_asked(options, change, wanted, endpoint, caller))
    if result is None:
        return None
    asked, spent = result
    sources = (*found.sources, asked.source)
    return Suggested(change, found.free, sources, suggestions(found.free.unlabeled, sources), asked, spent)


async def _asked(
    options: SliceOptions, change: LineageChange, wanted: Questions, endpoint: Endpoint, caller: Caller
) -> tuple[Asked, Decimal] | None:
    from engine.planning.call_cost import estimate
    from engine.render.figures import plural, usd
    from engine.slices.asking import asked

    async with paid_calls(options, change, caller) as calls:
        stored = await calls.stored([(request.digest, 0) for request in wanted.requests])
        missing = [request for request in wanted.requests if (request.digest, 0) not in stored]
        expected = estimate(missing, endpoint.price)
        open_cases = len(wanted.cases) - len(wanted.measured)
        sys.stderr.write(
            f"{change.name} · {endpoint.model.model}: {plural(open_cases, 'case')} to sort and "
            f"{len(wanted.measured)} labeled to measure it, {len(stored)} answers stored; "
            f"{plural(expected.calls, 'call')}, about {usd(expected.cost_usd)}\n"
        )
        sys.stderr.flush()
        if options.dry_run:
            return None
        agree(options, change, [endpoint.model] if missing else [], expected.cost_usd)
        with progress(change, endpoint.model.model, len(wanted.cases), calls) as answered:
            return await asked(wanted, calls, endpoint, answered), calls.spent_usd


def _list(changes: Sequence[LineageChange], output_format: str) -> None:
    from engine.render.encode import log_line
    from engine.render.figures import plural

    counted = []
    for change in changes:
        assert change.tests is not None
        counts = dict(Counter(name for case in change.tests.cases for name in case.slices).most_common())
        bare = sum(not case.slices for case in change.tests.cases)
        counted.append((change.name, len(change.tests.cases), counts, bare))
    if output_format == "json":
        document = [
            {"lineage": name, "cases": cases, "slices": counts, "without": bare}
            for name, cases, counts, bare in counted
        ]
        put(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        return
    for name, cases, counts, bare in counted:
        listed = ", ".join(f"{slice_} {number}" for slice_, number in counts.items()) or "no slice"
        hint = f"; {bare} without: promptverdict tests slices {name} --suggest" if bare else ""
        put(log_line(f"{name}: {plural(cases, 'case')}; {listed}{hint}") + "\n")


def _document(found: Suggested) -> dict[str, JsonValue]:
    suggested = {one.case.id for one in found.suggestions}
    return {
        "lineage": found.change.name,
        "labelled": len(found.free.labeled),
        "suggestions": [
            {
                "case": one.case.id,
                "where": one.case.where,
                "slice": one.slice,
                "source": one.source,
                "confidence": _precision(one.measured),
                "why": one.why,
            }
            for one in found.suggestions
        ],
        "without": [case.id for case in found.free.unlabeled if case.id not in suggested],
        "sources": [
            {"source": source.name, "slice": name, "confidence": _precision(measured)}
            for source in found.sources
            for name, measured in source.measured.items()
        ],
        "unread": [*found.asked.unread] if found.asked else [],
        "cost_usd": str(found.spent_usd),
    }


def _precision(measured: Measured) -> JsonValue:
    """Returns the measured precision; ``None`` if no labeled case tells."""
    if measured.interval is None:
        return None
    return {"right": measured.right, "of": measured.of, "low": measured.interval[0], "high": measured.interval[1]}


def _lines(found: Suggested) -> Iterator[str]:
    from engine.readers.bounded import shown
    from engine.render.figures import plural

    free, suggested = found.free, found.suggestions
    bare = plural(len(free.unlabeled), "case")
    yield f"{found.change.name}: {bare} without a slice, {len(free.labeled):,} with one"
    if suggested:
        rows = [
            ("case", "slice", "source", "confidence", "why"),
            *(
                (shown(one.case.id, WIDEST_ID), shown(one.slice, 30), one.source, _confidence(one.measured), one.why)
                for one in suggested
            ),
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
            yield f"  {'  '.join(cells)}  {row[-1]}"
    named = {one.case.id for one in suggested}
    rest = [shown(case.id, WIDEST_ID) for case in free.unlabeled if case.id not in named]
    if rest:
        more = f" and {len(rest) - 10} more" if len(rest) > 10 else ""
        yield f"  no suggestion: {', '.join(rest[:10])}{more}"
    yield from _left_out(found)
    if found.asked and found.asked.unread:
        yield f"  {plural(len(found.asked.unread), 'answer')} of the model can't be read"


def _left_out(found: Suggested) -> Iterator[str]:
    from engine.render.figures import percent

    measures = [(source, *each) for source in found.sources for each in source.measured.items()]
    for source, name, measured in measures if found.free.unlabeled else ():
        if source.left_out(name):
            share = f"always suggesting it would be right in {percent(measured.share)}"
            yield f"  the source {source.name} is not used for {name}: {_confidence(measured)}; {share}"


def _confidence(measured: Measured) -> str:
    from engine.render.figures import percent

    if measured.interval is None:
        return "not calibrated"
    low, high = measured.interval
    return f"right in {measured.right} of {measured.of} of your labeled cases ({percent(low)} to {percent(high)})"
