"""Lets a model write cases until there are as many different ones as were asked for, or a bound ends it.

Every call follows from the answers before it, and answers are stored. So the same command makes the same calls: an
interrupted run continues, and a repeated one costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from engine.new_cases.draft import input_names
from engine.new_cases.question import BATCH, Form, fits, question, read_cases, seeds_of
from engine.new_cases.similar import inputs_text, repeated
from engine.runner.calls import Calls
from engine.runner.experiment import Endpoint
from engine.runner.retry import HOPELESS
from evaluators.text import output_text
from schemas.config import LineageConfig
from schemas.errors import BudgetExceeded, ProviderError, UsageError
from schemas.outcomes import CompletionError
from schemas.prompts import Request
from schemas.testsets import Source, TestCase, TestSet
from schemas.use_cases import UseCase
from schemas.values import digest_of

FRUITLESS = 10
"""Calls in a row without a new case, after which the model has no more to say."""


@dataclass
class Generated:
    """The new cases, and what else the model wrote."""

    rows: list[dict[str, JsonValue]] = field(default_factory=list)
    """As a test set contains them: with an id, ``source: synthetic`` and ``verified: false``."""
    calls: int = 0
    repeats: int = 0
    """Cases that were near-duplicates of existing or new ones."""
    misfits: int = 0
    """Cases with other inputs or another kind of expectation, and unreadable replies."""
    stopped: BudgetExceeded | ProviderError | None = None


def most_calls(number: int) -> int:
    """Returns the most calls that are made for ``number`` cases: on average, each must bring one new case."""
    return number + FRUITLESS


def form_of(tests: TestSet, config: LineageConfig, slice_: str) -> Form:
    """Returns what new cases must look like. Raises UsageError for a lineage whose cases can't be written so."""
    if config.use_case == UseCase.AGENT:
        raise UsageError("an agent's cases have scripted tools, which can't be generated", hint="write them by hand")
    names = input_names(tests)
    if not names:
        raise UsageError(
            "there is no case to start from", hint="write a few cases first: they show what inputs look like"
        )
    alike = [case for case in tests.cases if tuple(case.inputs) == names]
    expected = [case.expected for case in alike if case.expected is not None]
    maps = [value for value in expected if isinstance(value, dict)]
    return Form(
        slice=slice_,
        names=names,
        plain=all(isinstance(value, str) for case in alike for value in case.inputs.values()),
        labels=_labels(config, expected) if config.use_case == UseCase.CLASSIFICATION else (),
        fields=tuple(dict.fromkeys(name for value in maps for name in value)),
        expects=bool(expected),
    )


def _labels(config: LineageConfig, expected: Sequence[JsonValue]) -> tuple[str, ...]:
    """Returns the configured labels, else those that cases expect."""
    flat = [one for value in expected for one in (value if isinstance(value, list) else [value])]
    return config.labels or tuple(dict.fromkeys(one for one in flat if isinstance(one, str)))


def first_question(tests: TestSet, form: Form, endpoint: Endpoint) -> Request:
    """Returns the first request, by which the cost is estimated."""
    taken = [inputs_text(case.inputs) for case in tests.unverified]
    return question(endpoint.model, form, seeds_of(tests.cases, form.slice, 0), taken, 0)


async def generated(
    tests: TestSet,
    form: Form,
    number: int,
    *,
    calls: Calls,
    endpoint: Endpoint,
    on_answered: Callable[[int], None] = lambda _: None,
) -> Generated:
    """Returns up to ``number`` new cases that differ from each other and from all cases of the set.

    ``on_answered`` receives the number of new cases after each call. An error that every call would meet ends it, and
    the cases so far count.
    """
    found = Generated()
    known: list[TestCase] = [*tests.cases, *tests.unverified]
    fruitless = 0
    while len(found.rows) < number and found.calls < most_calls(number) and fruitless < FRUITLESS:
        taken = [inputs_text(case.inputs) for case in known[len(tests.cases) :]]
        request = question(endpoint.model, form, seeds_of(tests.cases, form.slice, found.calls), taken, found.calls)
        before = len(found.rows)
        text = await _answer(request, calls, endpoint, found)
        if found.stopped is not None:
            break
        found.calls += 1
        for row in _written(text, form, found):
            if len(found.rows) < number:
                _take(row, form, known, found)
        fruitless = 0 if len(found.rows) > before else fruitless + 1
        on_answered(len(found.rows))
    return found


async def _answer(request: Request, calls: Calls, endpoint: Endpoint, found: Generated) -> str:
    """Returns the model's text; empty for a failed call."""
    try:
        answer, _ = await calls.grade(request, 0, endpoint)
    except (BudgetExceeded, ProviderError) as stop:
        found.stopped = stop
        return ""
    if not isinstance(answer, CompletionError):
        return output_text(answer.completion)
    if answer.kind in HOPELESS:
        found.stopped = ProviderError(f"{endpoint.model.model}: {answer.message}", hint="check its key and its name")
    return ""


def _written(text: str, form: Form, found: Generated) -> Sequence[dict[str, JsonValue]]:
    rows = read_cases(text).value
    if rows is None:
        found.misfits += 1
        return ()
    fitting = [row for row in rows if fits(row, form)]
    found.misfits += len(rows) - len(fitting)
    return fitting


def _take(row: dict[str, JsonValue], form: Form, known: list[TestCase], found: Generated) -> None:
    """Takes a written case, unless it repeats one."""
    inputs = row["inputs"]
    assert isinstance(inputs, dict)
    if repeated(inputs, known):
        found.repeats += 1
        return
    name = f"synthetic-{digest_of(inputs)[:8]}"
    known.append(TestCase(id=name, inputs=inputs))
    new: dict[str, JsonValue] = {"id": name, "inputs": {one: inputs[one] for one in form.names}}
    if form.expects:
        new["expected"] = row["expected"]
    found.rows.append(new | {"slice": form.slice, "source": Source.SYNTHETIC.value, "verified": False})


def expected_calls(number: int) -> int:
    """Returns how many calls a model needs that never repeats itself."""
    return -(-number // BATCH)
