"""``promptverdict suggest-checks``: proposes checks and cases that would have caught bad answers."""

from __future__ import annotations

import json
import os
import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from action.cli.streams import put
from action.cli.test_file import LocalLineage, TestFile, file_for_new, lineage_in
from action.exits import Exit
from schemas.errors import UsageError
from schemas.use_cases import UseCase

if TYPE_CHECKING:
    from pathlib import Path

    from engine.proposals.answers import JudgedAnswer
    from engine.proposals.report import Proposals


@dataclass(frozen=True)
class SuggestChecksOptions:
    """The options of the command."""

    repo: Path
    lineage: str
    write: bool
    format: str
    store: str | None


def suggest_checks(options: SuggestChecksOptions) -> Exit:
    """Prints what would have caught bad answers, and a patch that adds it. Makes no call. Raises PromptVerdictError."""
    from engine.proposals.cases import proposed_cases
    from engine.proposals.checks import proposed_checks
    from engine.proposals.report import Proposals, document_of, lines_of

    local = lineage_in(options.repo, options.lineage)
    config, answers = local.change.config, _answers(options, local)
    checks = proposed_checks(answers, config.checks, generated=config.use_case == UseCase.GENERATION)
    found = Proposals(options.lineage, answers, checks, proposed_cases(answers, local.tests))
    if options.format == "json":
        put(json.dumps(document_of(found), indent=2, ensure_ascii=False) + "\n")
    else:
        from engine.render.encode import log_line

        put("".join(log_line(line) + "\n" for line in lines_of(found)))
    if options.write or options.format != "json":
        _edit(local, found, write=options.write)
    return Exit.PASS


def _answers(options: SuggestChecksOptions, local: LocalLineage) -> list[JudgedAnswer]:
    from adapters.loop import run_async
    from engine.doubts.calibrate import labels_of
    from engine.proposals.answers import labelled

    change = local.change
    graded = labelled(labels_of(change)) if change.rubric is not None and change.judge_labels else []
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
    """Prints the edits as patches, or writes them."""
    from engine.detection.files import below
    from engine.improve.patch import unified
    from engine.render.figures import plural
    from engine.test_edits import NoEditError
    from engine.test_edits.config_text import with_checks
    from engine.test_edits.patches import Patch, all_added

    change = local.change
    if found.checks:
        file = TestFile(local.root, below(change.root, "promptverdict.yaml"))
        data = file.data()
        try:
            new = with_checks(file.name, data, change.name, [one.check for one in found.checks])
        except NoEditError as error:
            why = f" ({error})" if str(error) else ""
            raise UsageError(
                f"it can't be edited safely{why}", where=file.name, hint="write the checks by hand"
            ) from error
        text = unified(file.name, data.decode(), new.decode())
        made = Patch(path=file.name, case="", text=text, content=new)
        file.apply(made, f"added {plural(len(found.checks), 'check')}", write=write)
    if found.cases:
        file = TestFile(local.root, file_for_new(local.tests))
        patch = all_added(file.name, file.data(), found.cases, columns=change.config.columns)
        file.apply(patch, f"added {plural(len(found.cases), 'case')}", write=write)
    if not (found.checks or found.cases):
        sys.stderr.write("nothing to add\n")
