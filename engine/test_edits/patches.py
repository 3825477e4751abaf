"""A ready patch of a test set, for a person to apply: the App needs no write access. Pure.

The file is hostile. It is read within the readers' limits, edited as text, read again, and compared case by case. If
the result is not exactly as intended, there is no patch.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from pydantic import JsonValue

from engine.detection.prompt_diff import ends_in_common
from engine.new_cases.similar import repeated
from engine.readers.bounded import Source, nearest
from engine.readers.cases import case_of
from engine.readers.promptfoo_files import is_promptfoo
from engine.test_edits import NoEditError
from engine.test_edits.formats import EDITORS, format_of, read_cases
from engine.test_edits.row_form import in_file_names, in_their_form, last_row
from engine.test_edits.verified import MixedLineEndsError, edited
from schemas.errors import PromptVerdictError
from schemas.testsets import Columns, TestCase
from schemas.values import Value

CONTEXT = 3
"""Unchanged lines around a change, as in git."""
_QUOTED = re.compile(r'[\x00-\x1f\x7f"\\]')


class Patch(Value):
    """A patch for ``git apply``."""

    path: str
    case: str
    """The id of the case that is marked or added."""
    text: str
    content: bytes
    """The whole file afterwards."""


class NoPatch(Value):
    """Why there is no patch."""

    sentence: str
    missing: bool = False
    """The file has no such case."""


def protect(path: str, data: bytes, case: str) -> Patch | NoPatch:
    """Returns the patch that marks ``case`` as protected, in a test set or in a prompt file with ``testData``."""
    if is_promptfoo(path, data):
        return _by_hand(path)
    try:
        before = read_cases(path, data)
    except PromptVerdictError as error:
        return NoPatch(sentence=f"The test set can't be read: {error}.")
    position = next((number for number, known in enumerate(before.cases) if known.id == case), None)
    if position is None:
        near = nearest(case, (known.id for known in before.cases))
        hint = f": did you mean `{near}`?" if near else "."
        return NoPatch(sentence=f"`{path}` has no case `{case}`{hint}", missing=True)
    found = before.cases[position]
    if found.protected:
        return NoPatch(sentence=f"`{case}` of `{path}` is already protected.")
    set_in = EDITORS[format_of(path)].set
    wanted = [*before.cases]
    wanted[position] = found.model_copy(update={"protected": True})
    place = f" in line {found.line}" if found.line else ""
    return _patch(
        path,
        data,
        case,
        lambda text: set_in(text, position, found.line or 0, "protected", True),
        wanted,
        by_hand=f"set protected: true by hand{place}",
    )


def add(
    path: str,
    data: bytes,
    row: Mapping[str, JsonValue],
    *,
    columns: Columns | None = None,
    others: Sequence[TestCase] = (),
) -> Patch | NoPatch:
    """Returns the patch that adds a case, given as a test set writes it, in the form of its neighbors.

    A case that repeats one of the file, or one of ``others``, is refused, unless it says so with ``same_as`` or
    ``cluster``.
    """
    if is_promptfoo(path, data):
        return _by_hand(path)
    try:
        before = read_cases(path, data, columns)
        last = last_row(path, data)
        formed = in_their_form(row, before, last)
        wanted = case_of(Source("the case", ""), formed, None, Counter()).case
    except NoEditError as error:
        return NoPatch(sentence=f"The case doesn't fit `{path}`: {error}.")
    except PromptVerdictError as error:
        return NoPatch(sentence=f"The test set can't be read: {error}.")
    if any(known.id == wanted.id for known in before.cases):
        return NoPatch(sentence=f"`{path}` already has a case `{wanted.id}`: give this one another id.")
    known = {case.id: case for case in (*others, *before.cases)}
    if (twin := repeated(wanted.inputs, [*known.values()])) is not None and not _on_purpose(wanted, twin.case):
        fix = f"Change its inputs, or write `same_as={twin.case.same_as or twin.case.id}` if that is intended."
        return NoPatch(sentence=f"The case was not added: {twin.sentence}. {fix}")
    kind = format_of(path)
    if kind == "inline":
        formed = {**wanted.inputs, **{key: value for key, value in formed.items() if key not in ("input", "inputs")}}
    else:
        formed = in_file_names(formed, before, last, columns)
    add_to, cases = EDITORS[kind].add, (*before.cases, wanted)
    return _patch(
        path,
        data,
        wanted.id,
        lambda text: add_to(text, formed),
        cases,
        by_hand="write it into the file by hand",
        columns=columns,
    )


def _on_purpose(case: TestCase, twin: TestCase) -> bool:
    """Returns whether a case says that it belongs to another one, so that both count as one draw."""
    return case.same_as in (twin.id, twin.same_as or twin.id) or (
        case.cluster is not None and case.cluster == twin.cluster
    )


def all_added(
    path: str,
    data: bytes,
    rows: Sequence[Mapping[str, JsonValue]],
    *,
    columns: Columns | None = None,
    others: Sequence[TestCase] = (),
) -> Patch | NoPatch:
    """Returns one patch that adds all of ``rows``, or why the first that doesn't fit can't be added."""
    content = data
    for row in rows:
        made = add(path, content, row, columns=columns, others=others)
        if isinstance(made, NoPatch):
            return made
        content = made.content
    return Patch(path=path, case="", text=unified(path, data.decode(), content.decode()), content=content)


def confirm(path: str, data: bytes, names: Collection[str], columns: Columns | None = None) -> Patch | NoPatch:
    """Returns the patch that marks the unverified cases among ``names`` as verified."""
    if is_promptfoo(path, data):
        return _by_hand(path)
    try:
        before = read_cases(path, data, columns)
    except PromptVerdictError as error:
        return NoPatch(sentence=f"The test set can't be read: {error}.")
    places = [number for number, case in enumerate(before.cases) if case.id in names and not case.verified]
    if not places:
        return NoPatch(sentence=f"`{path}` has none of these unverified cases.", missing=True)
    set_in = EDITORS[format_of(path)].set

    def edit(text: str) -> str:
        for position in places:
            text = set_in(text, position, before.cases[position].line or 0, "verified", True)
        return text

    wanted = [
        case.model_copy(update={"verified": True}) if number in places else case
        for number, case in enumerate(before.cases)
    ]
    name = before.cases[places[0]].id
    return _patch(path, data, name, edit, wanted, by_hand="remove the marks by hand", columns=columns)


def _by_hand(path: str) -> NoPatch:
    return NoPatch(sentence=f"`{path}` is promptfoo's configuration. Edit it by hand.")


def _patch(
    path: str,
    data: bytes,
    case: str,
    edit: Callable[[str], str],
    wanted: Sequence[TestCase],
    *,
    by_hand: str,
    columns: Columns | None = None,
) -> Patch | NoPatch:
    """Returns the difference that ``edit`` makes, if the file then contains exactly ``wanted``."""
    try:
        new = edited(path, data, edit, wanted, columns)
    except MixedLineEndsError:
        return NoPatch(sentence=f"`{path}` mixes line endings, so {by_hand}.")
    except NoEditError as error:
        why = f" ({error})" if str(error) else ""
        return NoPatch(sentence=f"`{path}` can't be edited safely{why}, so {by_hand}.")
    return Patch(path=path, case=case, text=unified(path, data.decode(), new.decode()), content=new)


def unified(path: str, old: str, new: str) -> str:
    """Returns one hunk in git's unified format. The texts must differ. A last line without a line end is marked."""
    before, after = _lines(old), _lines(new)
    start, left = ends_in_common(before, after)
    first = max(0, start - CONTEXT)
    kept = before[len(before) - left :][:CONTEXT]
    removed, added = before[start : len(before) - left], after[start : len(after) - left]
    body = [
        *(f" {line}" for line in before[first:start]),
        *(f"-{line}" for line in removed),
        *(f"+{line}" for line in added),
        *(f" {line}" for line in kept),
    ]
    around = start - first + len(kept)
    counts = [around + len(removed), around + len(added)]
    minus, plus = (f"{first + 1 if count else first},{count}" for count in counts)
    hunk = f"@@ -{minus} +{plus} @@\n"
    ended = (line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in body)
    return f"{header(path)}{hunk}{''.join(ended)}"


def header(path: str) -> str:
    """Returns the lines that name the file of a patch."""
    return f"--- {_name('a', path)}\n+++ {_name('b', path)}\n"


def _lines(text: str) -> list[str]:
    parts = text.split("\n")
    return [f"{part}\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _name(side: str, path: str) -> str:
    """Returns the file's name as git writes it: quoted if necessary, with a tab at the end if it has blanks."""
    name = f"{side}/{path}"
    if _QUOTED.search(name):
        escaped = _QUOTED.sub(lambda c: f"\\{c[0]}" if c[0] in '"\\' else f"\\{ord(c[0]):03o}", name)
        return f'"{escaped}"'
    return f"{name}\t" if " " in name else name
