"""Writes slices into a test-set file. Everything else in it stays byte for byte."""

from __future__ import annotations

import re
from collections.abc import Mapping

from engine.readers.promptfoo_files import is_promptfoo
from engine.test_edits import NoEditError
from engine.test_edits.formats import EDITORS, format_of, read_cases
from engine.test_edits.verified import edited
from schemas.testsets import Columns

_KEY = re.compile(r"(?m)[\s{,\"'-]slice[\"']?\s*:")
"""The short key, in JSON and YAML. A wrong guess is harmless: the result is read again."""


def with_slices(path: str, data: bytes, chosen: Mapping[str, str], columns: Columns | None = None) -> bytes:
    """Returns the file with a slice for each case of ``chosen``, by id. Other cases and slices don't change.

    Raises NoEditError if the file can't be edited safely, and SourceError if it can't be read.
    """
    if is_promptfoo(path, data):
        raise NoEditError("it is promptfoo's configuration")
    before = read_cases(path, data, columns)
    mapped, text = columns.slices if columns else None, data.decode(errors="replace")
    alone = mapped is None and _KEY.search(text) is not None and "slices" not in text
    key = mapped or ("slice" if alone else "slices")
    places = [
        (position, case.line or 0, chosen[case.id])
        for position, case in enumerate(before.cases)
        if case.id in chosen and not case.slices
    ]
    set_in = EDITORS[format_of(path)].set

    def edit(text: str) -> str:
        # From the end, so that a line that is added doesn't move those that are still to come.
        for position, line, slice_ in reversed(places):
            text = set_in(text, position, line, key, slice_ if alone else [slice_])
        return text

    given = {position: slice_ for position, _, slice_ in places}
    wanted = [
        case.model_copy(update={"slices": (given[position],)}) if position in given else case
        for position, case in enumerate(before.cases)
    ]
    return edited(path, data, edit, wanted, columns)
