"""``promptverdict suggest-checks``: proposes checks and cases that would have caught bad answers."""

from __future__ import annotations

import json
import os
import sys
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from action.cli.judged import JudgeOptions
from action.cli.local import CONFIG
from action.cli.streams import put
from action.cli.test_file import LocalLineage, TestFile, file_for_new, lineage_in
from action.exits import Exit
from schemas.errors import UsageError
from schemas.use_cases import UseCase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapters.call_process.client import Caller
    from adapters.call_process.process import CallingProcess
    from engine.proposals.answers import JudgedAnswer
    from engine.proposals.dimensions import DimensionSearch
    from engine.proposals.report import Proposals
    from engine.runner.experiment import Endpoint
    from engine.test_edits.patches import NoPatch, Patch
    from schemas.detection import LineageChange


@dataclass(frozen=True)
class SuggestChecksOptions(JudgeOptions):
    """The options of the command."""

    model: str | None
    dry_run: bool
    write: bool
    format: str


def suggest_checks(options: SuggestChecksOptions, calling: CallingProcess | None = None) -> Exit:
    """Prints what would have caught bad answers, and a patch that adds it. Calls models only for rubric dimensions.

    Exits with 3 if these could not be measured. Raises PromptVerdictError.
    """
    from engine.proposals.cases import proposed_cases
    from engine.proposals.checks import proposed_checks
    from engine.proposals.report import Proposals, document_of, lines_of
    from engine.render.encode import log_line

    local = lineage_in(options.repo, options.lineage)
    config, answers = local.change.config, _answers(options, local)
    checks = proposed_checks(answers, config.checks, generated=config.use_case == UseCase.GENERATION)
    cases = proposed_cases(answers, local.tests)
    found = Proposals(options.lineage, answers, checks, cases)
    if options.model is not None:
        search = _dimensions(options, local, answers, calling)
        if search is None:
            return Exit.PASS
        found = replace(found, dimensions=search)
    if options.format == "json":
        put(json.dumps(document_of(found), indent=2, ensure_ascii=False) + "\n")
    else:
        put("".join(log_line(line) + "\n" for line in lines_of(found)))
    if options.write or options.format != "json":
        _edit(local, found, write=options.write)
    if found.dimensions is not None and (stopped := found.dimensions.stopped) is not None:
        sys.stderr.write(f"promptverdict: {log_line(str(stopped))}\n")
        return Exit.ERROR
    return Exit.PASS


def _dimensions(
    options: SuggestChecksOptions, local: LocalLineage, answers: list[JudgedAnswer], calling: CallingProcess | None
) -> DimensionSearch | None:
    """Returns the dimensions that a model proposes and the judge confirms; ``None`` if only the cost was asked for."""
    from action.cli.judged import judged_lineage, named_endpoint
    from adapters.call_process.client import Caller
    from adapters.loop import run_async
    from engine.proposals.dimensions import sample_of

    change = judged_lineage(local.detection, options.lineage)
    if change.config.pairwise:
        raise UsageError(
            f"the judge of {change.name} compares two versions, and a dimension needs a grade of each answer",
            hint="use judge: {mode: grades}",
        )
    writer = named_endpoint(local.detection, options.model or "")
    with closing(Caller(calling)) as caller:
        return run_async(_searched(options, change, sample_of(answers), writer, caller))


async def _searched(
    options: SuggestChecksOptions, change: LineageChange, sample: list[JudgedAnswer], writer: Endpoint, caller: Caller
) -> DimensionSearch | None:
    from action.cli.check import prices
    from action.cli.judged import agree, judge_name, paid_calls, progress
    from engine.planning.call_cost import estimate
    from engine.proposals.dimensions import grading_requests, proposed_dimensions, proposing_request
    from engine.render.figures import plural, usd
    from engine.runner.experiment import Endpoint, by_judge

    assert change.rubric is not None
    table = prices()
    judges = [Endpoint(model, table.price(model)) for model in change.judges]
    requests = grading_requests(change.rubric, judges, sample)
    cost = estimate([proposing_request(writer, change.rubric, sample)], writer.price).cost_usd
    cost += sum(estimate(own, judge.price).cost_usd for judge, own in by_judge(judges, requests))
    sys.stderr.write(
        f"{change.name}: {writer.model.model} proposes dimensions, and {judge_name(change)} grades "
        f"{plural(len(sample), 'answer')} by them: {plural(len(requests) + 1, 'call')}, about {usd(cost)}, and again "
        f"without those that fail. Never more than {usd(options.cap_usd(change))}; stored answers cost nothing\n"
    )
    sys.stderr.flush()
    if options.dry_run:
        return None
    async with paid_calls(options, change, caller) as calls:
        agree(options, change, [writer.model, *change.judges], cost)
        with progress(change, judge_name(change), len(sample), calls) as graded:
            return await proposed_dimensions(
                change.rubric, sample, writer=writer, judges=judges, calls=calls, on_graded=graded
            )


def _answers(options: SuggestChecksOptions, local: LocalLineage) -> list[JudgedAnswer]:
    from adapters.loop import run_async
    from engine.doubts.calibrate import labels_of
    from engine.proposals.answers import labeled

    change = local.change
    graded = labeled(labels_of(change)) if change.rubric is not None and change.judge_labels else []
    return graded + run_async(_stored(options, local))


async def _stored(options: SuggestChecksOptions, local: LocalLineage) -> list[JudgedAnswer]:
    """Returns the stored answers of the lineage's first model; none of an agent, whose answers are conversations."""
    from action.cli.check import prices, renderer, scorers
    from action.cli.local import default_store
    from adapters.store import open_store
    from engine.planning.prepared import plan
    from engine.proposals.answers import stored

    with closing(renderer()) as sandbox:
        prepared = plan(local.pull_request, local.detection, sandbox, prices(), scorers(), only=[local.change.name])
    planned = prepared.entries[0].plan
    if planned is None or planned.max_steps is not None:
        return []
    store = open_store(options.store or default_store(os.environ))
    try:
        return await stored(planned, store)
    finally:
        prepared.close()
        await store.aclose()


def _edit(local: LocalLineage, found: Proposals, *, write: bool) -> None:
    """Prints the edits as patches, or writes them. Raises UsageError after the others for one that can't be made."""
    failed: list[UsageError] = []
    edits = list(_edits(local, found))
    for file, made, done in edits:
        try:
            file.apply(made, done, write=write)
        except UsageError as error:
            failed.append(error)
    if not edits:
        sys.stderr.write("nothing to add\n")
    if failed:
        raise failed[0]


def _edits(local: LocalLineage, found: Proposals) -> Iterator[tuple[TestFile, Patch | NoPatch, str]]:
    """Yields the files, their edits, and what each does."""
    from engine.detection.files import below
    from engine.render.figures import plural
    from engine.test_edits.config_text import with_checks, with_dimensions
    from engine.test_edits.patches import all_added

    change = local.change
    if found.checks:
        name = change.name.removeprefix(f"{change.root}/") if change.root else change.name
        edit = partial(with_checks, lineage=name, checks=[one.check for one in found.checks])
        file = TestFile(local.root, below(change.root, CONFIG))
        yield file, _edited(file, edit), f"added {plural(len(found.checks), 'check')}"
    if found.dimensions is not None and (kept := found.dimensions.kept):
        file = TestFile(local.root, below(change.root, change.config.rubric or ""))
        edit = partial(with_dimensions, new={one.name: one.dimension for one in kept})
        yield file, _edited(file, edit), f"added {plural(len(kept), 'dimension')}"
    if found.cases:
        file = TestFile(local.root, file_for_new(local.tests))
        patch = all_added(file.name, file.data(), found.cases, columns=change.config.columns)
        yield file, patch, f"added {plural(len(found.cases), 'case')}"


def _edited(file: TestFile, edit: Callable[[str, bytes], bytes]) -> Patch | NoPatch:
    from engine.improve.patch import unified
    from engine.test_edits import NoEditError
    from engine.test_edits.patches import NoPatch, Patch

    data = file.data()
    try:
        new = edit(file.name, data)
    except NoEditError as error:
        why = f" ({error})" if str(error) else ""
        return NoPatch(sentence=f"`{file.name}` can't be edited safely{why}, so write it by hand.")
    return Patch(path=file.name, case="", text=unified(file.name, data.decode(), new.decode()), content=new)
