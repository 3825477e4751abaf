"""``promptverdict judge label``: people grade answers, on the terminal or in an HTML form."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from action.cli.judged import JudgeOptions, judged_lineage, paid_calls, progress
from action.cli.label_file import LabelFile, label_file
from action.cli.local import local_pull_request, open_repository
from action.cli.streams import put
from action.exits import Exit
from schemas.errors import ConfigError, SourceError, UsageError

if TYPE_CHECKING:
    from adapters.call_process.client import Caller
    from adapters.call_process.process import CallingProcess
    from adapters.git.clone import Clone
    from engine.commands.judge_samples import Draw, Samples
    from engine.commands.labeling import Labeling, Question
    from engine.pipeline import World
    from engine.planning.plan import Plan
    from schemas.detection import LineageChange
    from schemas.pullrequests import PullRequest
    from schemas.rubrics import Rubric, SampleAnswer

USUAL, LEAST = 40, 10
"""Answers that people grade in all, and at least in one session, unless they say how many."""


@dataclass(frozen=True)
class LabelOptions(JudgeOptions):
    """The options of the command."""

    base: str | None
    number: int | None
    seed: int
    html: Path | None
    imported: Path | None


def label(options: LabelOptions, calling: CallingProcess | None = None) -> Exit:
    """Lets a person grade answers of both versions of a prompt, blind, and saves each grade at once.

    Raises PromptVerdictError.
    """
    repository = open_repository(options.repo)
    pull_request = local_pull_request(repository, base=options.base, head="HEAD", worktree=True)
    from adapters.call_process.client import Caller

    with closing(Caller(calling)) as caller:
        from action.cli.check import prices, renderer, scorers
        from engine.pipeline import World, look

        if options.imported is not None:
            detection = look(repository, pull_request, only=[options.lineage], alone=True)
            return _import(repository, judged_lineage(detection, options.lineage), options.imported)
        with closing(renderer()) as sandbox:
            world = World(repository, sandbox, prices(), scorers())
            change, plans = _versions(world, pull_request, options.lineage)
        return _label(options, repository, change, plans, caller)


def _versions(world: World, pull_request: PullRequest, lineage: str) -> tuple[LineageChange, list[Plan]]:
    """Returns the lineage in the folder, and the plans of its prompt there and at the base."""
    from engine.pipeline import prepare

    now = prepare(pull_request, world, only=[lineage], alone=True)
    change = judged_lineage(now.detection, lineage)
    plans = [entry.plan for entry in now.entries if entry.plan is not None]
    if not plans:
        reasons = [*change.reasons, *(reason for entry in now.entries for reason in entry.reasons)]
        raise UsageError(f"{lineage} has no answers to grade: {reasons[0].sentence if reasons else 'it has no plan'}")
    base = {"head_ref": pull_request.base_ref, "head_sha": pull_request.base_sha}
    try:
        before = prepare(pull_request.model_copy(update=base), world, only=[lineage], alone=True)
    except (ConfigError, SourceError, UsageError):  # it is new: there is only one version
        return change, plans
    return change, [*plans, *(entry.plan for entry in before.entries if entry.plan is not None)]


def _label(
    options: LabelOptions, repository: Clone, change: LineageChange, plans: Sequence[Plan], caller: Caller
) -> Exit:
    from adapters.loop import run_async
    from engine.commands.judge_samples import drawn
    from engine.commands.labeling import Labeling

    assert change.rubric is not None
    file = label_file(repository.worktree_root(), change)
    grades = {answer.id: answer.grades for answer in file.read(change.rubric)}
    finished = frozenset(name for name, given in grades.items() if given.keys() >= change.rubric.dimensions.keys())
    pairwise = change.config.pairwise
    # A pair takes two answers.
    number = options.number or max(LEAST, (2 * USUAL if pairwise else USUAL) - len(finished))
    draws = drawn(plans, options.seed, together=pairwise)
    samples = run_async(_sampled(options, change, draws, caller, number=number, finished=finished))
    if not samples.answers:
        if samples.stopped is not None:
            raise samples.stopped
        raise UsageError(
            f"all answers of {change.name} are graded", hint="choose an older version of the prompt with --base"
        )
    _say(f"seed {options.seed}; saving grades to {file.name}")
    if options.html is not None:
        from engine.render.label_form import label_form

        options.html.write_text(label_form(change.name, change.rubric, samples.answers), encoding="utf-8")
        _say(f"wrote {options.html}; import the grades with: promptverdict judge label {change.name} --import FILE")
        return Exit.PASS
    state = Labeling(samples.answers, change.rubric, grades)
    total = len(samples.answers)
    try:
        _ask(state, change.rubric, file, total)
    finally:  # after Ctrl-C too
        left = "" if state.complete == total else "; run the same command to continue"
        part = f", {state.begun} in part" if state.begun else ""
        put(f"\n{state.complete} of {total} answers graded{part}{left}\n")
    if not left:
        _say_next(change, file)
    return Exit.PASS


async def _sampled(
    options: LabelOptions,
    change: LineageChange,
    draws: Sequence[Draw],
    caller: Caller,
    *,
    number: int,
    finished: frozenset[str],
) -> Samples:
    """Returns the answers to grade. Prints what new ones cost, and asks before real money is spent."""
    from action.cli.check import agreed_by_hand
    from engine.commands.judge_samples import chosen, sampled
    from engine.planning.call_cost import estimate
    from engine.render.figures import plural, usd

    async with paid_calls(options, change, caller) as calls:
        taken, stored = await chosen(draws, calls, number, finished)
        missing = [draw for draw in taken if draw.key not in stored]
        costs = [estimate([draw.request], draw.endpoint.price).cost_usd for draw in missing]
        kept = len(taken) - len(missing)
        cost = sum(costs, Decimal(0))
        _say(
            f"{change.name}: {plural(len(taken), 'answer')} to grade, {kept} of them stored; "
            f"{plural(len(missing), 'call')}, about {usd(cost)}"
        )
        paid = any(draw.endpoint.model.spec.key for draw in missing)
        if paid and not options.yes and not agreed_by_hand(cost, options.cap_usd(change)):
            raise UsageError("no call was made", hint="--yes skips the question, and --budget limits the cost")
        with progress(change, missing[0].endpoint.model.model if missing else "", len(missing), calls) as answered:
            samples = await sampled(taken, stored, calls, answered)
        if samples.failed:
            _say(f"{plural(samples.failed, 'answer')} failed or can't be graded")
        if samples.stopped is not None and samples.answers:
            _say(f"{plural(len(samples.answers), 'answer')} can be graded: {samples.stopped}")
        return samples


def _ask(state: Labeling, rubric: Rubric, file: LabelFile, total: int) -> None:
    """Shows each answer and asks for its grades. Every grade is on disk before the next question."""
    shown = None
    while (question := state.question) is not None:
        if question.place != shown:
            shown = question.place
            _print(_answer(question, total))
        _print(_dimension(question, rubric))
        key = _key()
        put(f"{key if key.isprintable() else ''}\n")
        if (graded := state.press(key)) is not None:
            file.save([graded])


def _key() -> str:
    """Returns the next key of a terminal; of other input, the first sign of each line. The end of input quits."""
    if not sys.stdin.isatty():
        line = sys.stdin.readline()
        return line.strip()[:1].lower() if line else "q"
    import typer

    try:
        key = typer.getchar()
    except EOFError:
        return "q"
    return key.lower()


def _answer(question: Question, total: int) -> Iterator[str]:
    from action.cli.text_block import text_block

    width = shutil.get_terminal_size((100, 24)).columns
    yield ""
    yield f"━━ Answer {question.place + 1} of {total} ".ljust(min(width, 100), "━")
    for name, text in _texts(question.answer).items():
        yield from text_block(name, text, width)


def _texts(answer: SampleAnswer) -> Mapping[str, str]:
    import json

    values = {**answer.inputs, **({} if answer.expected is None else {"expected": answer.expected})}
    values["ANSWER"] = answer.output
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in values.items()
    }


def _dimension(question: Question, rubric: Rubric) -> Iterator[str]:
    from engine.commands.labeling import KEYS
    from engine.render.encode import visible

    dimension = rubric.dimensions[question.dimension]
    yield ""
    yield f"{question.dimension}: {visible(' '.join(dimension.description.split()))}"
    for grade, anchor in sorted(dimension.anchors.items(), reverse=True):
        yield f"  {grade}  {visible(' '.join(anchor.split()))}"
    before = "" if question.grade is None else f", now {question.grade}"
    yield f"[{KEYS}{before}]"


def _print(lines: Iterator[str]) -> None:
    from engine.render.encode import without_commands

    put("".join(without_commands(line) + "\n" for line in lines))


def _say_next(change: LineageChange, file: LabelFile) -> None:
    if hint := file.unnamed(change):
        _say(hint)
    _say(f"next: promptverdict judge calibrate {change.name}")


def _import(repository: Clone, change: LineageChange, path: Path) -> Exit:
    """Adds the grades of a form's file. Raises ConfigError with the line of a mistake, and imports nothing then."""
    from engine.commands.labeling import merged
    from engine.readers.labels import read_labels
    from engine.render.figures import plural

    assert change.rubric is not None
    file = label_file(repository.worktree_root(), change)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"can't be read: {error.strerror}", where=str(path), hint="name the form's file") from error
    found = read_labels(str(path), data, change.rubric)
    if not found:
        raise UsageError("it has no grades", where=str(path), hint="grade answers in the form, then download again")
    news, known = merged(file.read(change.rubric), found, str(path))
    if news:
        file.save(news)
    _say(f"imported {plural(len(news), 'graded answer')} into {file.name}; {known} were already there")
    _say_next(change, file)
    return Exit.PASS


def _say(text: str) -> None:
    from engine.render.encode import log_line

    sys.stderr.write(log_line(text) + "\n")
    sys.stderr.flush()
