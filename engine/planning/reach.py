"""Which parts of a template's change reach a test case: what no case reaches is not measured, whatever the verdict.

A change of a Jinja template is taken apart into its tokens. A part is reached when doing without it changes what is
sent for at least one case. Two kinds of parts are tried:

* every literal (text between tags, a string, a number) that the change adds or removes: with a mark in it, does any
  request of its version differ?
* every stretch that the change touches: with the old tokens in its place, does any request of the new version differ?

This is mutation testing of the change, with the test set as the tests (DeMillo, Lipton and Sayward 1978). Templates
without logic need none of it: all of their text is in every request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from engine.detection.prompt_diff import compare
from engine.readers.dialects import Token, jinja_tokens, parses
from schemas.ports import RenderFailure, RenderJob, TemplateRenderer
from schemas.prompts import Dialect, Message, PromptFile
from schemas.testsets import TestCase

MARK = "\ue000"
"""A private-use character: put into a literal, it shows where the literal goes."""
TOKEN_PAIRS = 4_000_000
"""Tokens before × tokens after that are aligned."""
MAX_PARTS = 400
"""Parts of one change that are tried; a larger change can't be told to be reached."""
MAX_RENDERS = 200_000
"""Renderings for one change: what isn't reached by then counts as not reached."""
FIRST_CASES = 4
"""Cases that every part is tried with first; most parts are reached by any case."""
MAX_TOGETHER = 3
"""Stretches that are undone together where one alone gives no valid template (an ``if`` and its ``endif``)."""
LITERALS = ("data", "string", "integer", "float")

Rendered = Sequence[tuple[Message, ...]]
Texts = Mapping[str, str]
"""The texts of a prompt by name: ``message 1`` and the names of its partials."""
Stretch = tuple[int, int, int, int]
"""Tokens ``before[i:j]`` that became ``after[k:m]``."""


@dataclass(frozen=True)
class RenderedSide:
    """One version of a prompt with what is sent for each case."""

    prompt: PromptFile
    rendered: Rendered


@dataclass(frozen=True)
class _Part:
    """A version of one side's text in which a part of the change is missing or marked."""

    side: RenderedSide
    name: str
    """Which text of the prompt it changes."""
    text: str
    line: int
    """Where the part begins, in that text of its own version."""
    removed: bool = False
    """Whether it is a part of the old version only."""


def unreached(
    before: RenderedSide, after: RenderedSide, cases: Sequence[TestCase], renderer: TemplateRenderer
) -> tuple[str, ...]:
    """The parts of a change that no case reaches, as places: ``line 3``, ``line 7 of shared/rules.md``.

    Empty where all of the change is measured. Both sides have a rendering for every case.
    """
    if after.prompt.dialect is not Dialect.JINJA and before.prompt.dialect is not Dialect.JINJA:
        return ()
    old, new = _texts(before.prompt), _texts(after.prompt)
    changed = [name for name in (old.keys() | new.keys()) if old.get(name) != new.get(name)]
    if not any(_has_logic(texts.get(name, "")) for texts in (old, new) for name in texts):
        return ()
    parts: list[_Part] = []
    for name in sorted(changed):
        parts += _parts(name, old.get(name, ""), new.get(name, ""), before, after)
        if len(parts) > MAX_PARTS:
            return (f"more than {MAX_PARTS} changes of its logic, too many to tell which of them a case reaches",)
    missed = _missed(parts, cases, renderer)
    return tuple(dict.fromkeys(_place(part, len(after.prompt.messages)) for part in missed))


def _texts(prompt: PromptFile) -> dict[str, str]:
    messages = {f"message {number}": message.content for number, message in enumerate(prompt.messages, 1)}
    return {**messages, **prompt.included}


def _has_logic(text: str) -> bool:
    """Whether text may stay away or be chosen: a tag, a filter, a test, an inline ``if``."""
    if "{%" in text:
        return True
    tokens = [token for token in jinja_tokens(text) if token.kind not in ("data", "whitespace")]
    return any(token.kind == "operator" and token.value not in (".", "-") for token in tokens) or any(
        token.kind == "name" and token.value in ("if", "is", "or", "and", "not", "in") for token in tokens
    )


def _parts(name: str, old: str, new: str, before: RenderedSide, after: RenderedSide) -> Iterator[_Part]:
    tokens = jinja_tokens(old), jinja_tokens(new)
    coded = [[f"{token.kind} {token.value}" for token in side] for side in tokens]
    stretches = compare(coded[0], coded[1], TOKEN_PAIRS)
    for i, j, k, m in stretches:
        for index in range(k, m):
            if text := _marked(tokens[1], index):
                yield _Part(after, name, text, tokens[1][index].line)
        for index in range(i, j):
            if text := _marked(tokens[0], index):
                yield _Part(before, name, text, tokens[0][index].line, removed=True)
    yield from _undone(name, tokens, stretches, after)


def _marked(tokens: Sequence[Token], index: int) -> str | None:
    """The text with a mark in one literal; ``None`` for what is no literal, or only blanks."""
    token = tokens[index]
    if token.kind not in LITERALS or not token.value.strip():
        return None
    value = token.value
    if token.kind == "data":
        value = MARK + value
    elif token.kind == "string":
        value = value[0] + MARK + value[1:]
    else:
        value = f"{value}1"
    return "".join([*(each.value for each in tokens[:index]), value, *(each.value for each in tokens[index + 1 :])])


def _undone(
    name: str, tokens: tuple[Sequence[Token], Sequence[Token]], stretches: Sequence[Stretch], after: RenderedSide
) -> Iterator[_Part]:
    """The new text with each stretch as it was; with the fewest others where it isn't valid alone."""
    logical = [stretch for stretch in stretches if _is_logical(tokens, stretch)]
    done: set[Stretch] = set()
    for together in range(1, MAX_TOGETHER + 1):
        for chosen in combinations(logical, together):
            if done.issuperset(chosen):
                continue
            text = _without(tokens, chosen)
            if parses(text):
                done |= set(chosen)
                yield _Part(after, name, text, _line(tokens[1], chosen[0][2]))
        logical_left = [stretch for stretch in logical if stretch not in done]
        if not logical_left or len(logical) > MAX_PARTS // 10:
            break


def _is_logical(tokens: tuple[Sequence[Token], Sequence[Token]], stretch: Stretch) -> bool:
    """Whether more than text differs."""
    i, j, k, m = stretch
    return any(token.kind not in ("data", "whitespace") for token in (*tokens[0][i:j], *tokens[1][k:m]))


def _without(tokens: tuple[Sequence[Token], Sequence[Token]], stretches: Sequence[Stretch]) -> str:
    old, new = tokens
    pieces: list[str] = []
    at = 0
    for i, j, k, m in stretches:
        pieces += [token.value for token in new[at:k]] + [token.value for token in old[i:j]]
        at = m
    return "".join([*pieces, *(token.value for token in new[at:])])


def _line(tokens: Sequence[Token], index: int) -> int:
    return tokens[min(index, len(tokens) - 1)].line if tokens else 1


def _missed(parts: Sequence[_Part], cases: Sequence[TestCase], renderer: TemplateRenderer) -> list[_Part]:
    """The parts that change nothing for any case."""
    left = list(parts)
    budget = MAX_RENDERS
    start, size = 0, FIRST_CASES
    while left and start < len(cases) and budget > 0:
        stop = min(len(cases), start + size, start + max(1, budget // len(left)))
        jobs = [_job(part, case) for part in left for case in cases[start:stop]]
        budget -= len(jobs)
        results = renderer.render(jobs)
        tried = stop - start
        left = [
            part
            for number, part in enumerate(left)
            if not _differs(results[number * tried : (number + 1) * tried], part.side.rendered[start:stop])
        ]
        start, size = stop, size * 8
    return left


def _differs(results: Sequence[tuple[Message, ...] | RenderFailure], as_it_is: Rendered) -> bool:
    return any(
        isinstance(result, RenderFailure) or result != sent for result, sent in zip(results, as_it_is, strict=True)
    )


def _job(part: _Part, case: TestCase) -> RenderJob:
    prompt = part.side.prompt
    messages = tuple(
        Message(role=message.role, content=part.text) if part.name == f"message {number}" else message
        for number, message in enumerate(prompt.messages, 1)
    )
    partials = {**prompt.included, part.name: part.text} if part.name in prompt.included else prompt.included
    return RenderJob(dialect=prompt.dialect, messages=messages, variables=case.inputs, partials=partials)


def _place(part: _Part, messages: int) -> str:
    where = f"line {part.line}"
    if not part.name.startswith("message ") or messages > 1:
        where += f" of {part.name}"
    return f"{where} of the old version" if part.removed else where
