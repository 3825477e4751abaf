"""Finds the parts of a template's change that no test case reaches. They are not measured, whatever the verdict.

This is mutation testing of the change, with the test set as the tests (DeMillo, Lipton and Sayward 1978). Templates
without logic don't need it: all of their text is in every request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from engine.planning.rendering import job_of, render
from engine.planning.template_mutants import Mutant, TemplateChange
from engine.readers import handlebars
from engine.readers.dialects import variables_of
from engine.readers.jinja import jinja_tokens
from schemas.ports import RenderFailure, RenderJob, TemplateRenderer
from schemas.prompts import LOGICAL, Dialect, Message, PromptFile
from schemas.testsets import TestCase

MAX_MUTANTS = 1_000
"""Most mutants of one change. For a larger change, coverage is unknown."""
MAX_RENDERS = 200_000
"""Most renderings for one change. Parts that are not reached by then count as not reached."""
FIRST_CASES = 4
"""Cases with which every part is tried first. Most parts are reached by any case."""

Rendered = Sequence[tuple[Message, ...]]


@dataclass(frozen=True)
class RenderedSide:
    """One version of a prompt with its rendered messages for each case."""

    prompt: PromptFile
    rendered: Rendered


def unreached(
    before: RenderedSide, after: RenderedSide, cases: Sequence[TestCase], renderer: TemplateRenderer
) -> tuple[str, ...]:
    """Returns the places of the change that no case reaches: ``line 3``, ``line 7 of shared/rules.md``.

    Empty if all of the change is measured. Both sides have a rendering for every case.
    """
    if {before.prompt.dialect, after.prompt.dialect}.isdisjoint(LOGICAL):
        return ()
    old, new = _texts(before.prompt), _texts(after.prompt)
    changed = [name for name in (old.keys() | new.keys()) if old.get(name) != new.get(name)]
    jinja = Dialect.JINJA in (before.prompt.dialect, after.prompt.dialect)
    if not any(_has_logic(text, jinja=jinja) for texts in (old, new) for text in texts.values()):
        return ()
    given = frozenset(name for case in cases for name in case.inputs)
    unknown = variables_of(before.prompt) - given, variables_of(after.prompt) - given
    mutants: list[Mutant] = []
    missed: list[Mutant] = []
    for name in sorted(changed):
        change = TemplateChange(name, (old.get(name, ""), new.get(name, "")), jinja=jinja)
        missed += change.ungiven(unknown)
        # One more than allowed shows that there are too many, without making all of them.
        mutants += islice(change.mutants(), MAX_MUTANTS + 1)
        if len(mutants) > MAX_MUTANTS:
            return (f"more than {MAX_MUTANTS:,} changes of its logic, too many to check which of them a case reaches",)
    missed += _survivors(mutants, (before, after), cases, renderer)
    return tuple(dict.fromkeys(_place(mutant, len(after.prompt.messages)) for mutant in missed))


def _texts(prompt: PromptFile) -> dict[str, str]:
    """Returns the texts of a prompt by name: ``message 1`` and the names of its partials."""
    messages = {f"message {number}": message.content for number, message in enumerate(prompt.messages, 1)}
    return {**messages, **prompt.included}


def _has_logic(text: str, *, jinja: bool) -> bool:
    """Returns whether text may be left out or chosen: by a tag, a filter, a test or an inline ``if``."""
    if not jinja:
        return any(tag.kind in ("#", "^", ">") for tag in handlebars.tags(text))
    if "{%" in text:
        return True
    tokens = [token for token in jinja_tokens(text) if token.kind not in ("data", "whitespace")]
    return any(token.kind == "operator" and token.value not in (".", "-") for token in tokens) or any(
        token.kind == "name" and token.value in ("if", "is", "or", "and", "not", "in") for token in tokens
    )


def _survivors(
    mutants: Sequence[Mutant],
    sides: tuple[RenderedSide, RenderedSide],
    cases: Sequence[TestCase],
    renderer: TemplateRenderer,
) -> list[Mutant]:
    """Returns the mutants that change nothing for any case."""
    left = list(mutants)
    budget = MAX_RENDERS
    start, size = 0, FIRST_CASES
    while left and start < len(cases) and budget > 0:
        stop = min(len(cases), start + size, start + max(1, budget // len(left)))
        jobs = [_job(mutant, sides[not mutant.removed].prompt, case) for mutant in left for case in cases[start:stop]]
        budget -= len(jobs)
        results = render(renderer, jobs)
        tried = stop - start
        shows = [
            _differs(results[number * tried : (number + 1) * tried], sides[not mutant.removed].rendered[start:stop])
            for number, mutant in enumerate(left)
        ]
        reached = {mutant.of for mutant, shown in zip(left, shows, strict=True) if shown}
        left = [
            mutant
            for mutant, shown in zip(left, shows, strict=True)
            if not shown and (mutant.of is None or mutant.of not in reached)
        ]
        # Growing portions: a part that four cases don't reach is probably rare, so calls of the renderer are saved.
        start, size = stop, size * 8
    return left


def _differs(results: Sequence[tuple[Message, ...] | RenderFailure], as_it_is: Rendered) -> bool:
    # A failure shows as well that the request depends on this part.
    return any(
        isinstance(result, RenderFailure) or result != sent for result, sent in zip(results, as_it_is, strict=True)
    )


def _job(mutant: Mutant, prompt: PromptFile, case: TestCase) -> RenderJob:
    messages = tuple(
        Message(role=message.role, content=mutant.text) if mutant.name == f"message {number}" else message
        for number, message in enumerate(prompt.messages, 1)
    )
    partials = {**prompt.included, mutant.name: mutant.text} if mutant.name in prompt.included else prompt.included
    return job_of(prompt.model_copy(update={"messages": messages, "included": partials}), case)


def _place(mutant: Mutant, messages: int) -> str:
    where = f"line {mutant.line}"
    if not mutant.name.startswith("message ") or messages > 1:
        where += f" of {mutant.name}"
    return f"{where} of the old version" if mutant.removed else where
