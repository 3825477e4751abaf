"""Writes slices into a test-set file. Everything else in it stays byte for byte."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import JsonValue

from engine.readers.promptfoo_files import is_promptfoo
from engine.test_edits import NoEditError
from engine.test_edits.formats import EDITORS, format_of, read_cases
from engine.test_edits.verified import edited
from schemas.testsets import Columns

SHORT = "slice"
_SHORT_KEY = re.compile(r"(?m)[\s{,\"'-]slice[\"']?\s*:")


def with_slices(path: str, data: bytes, chosen: Mapping[str, str], columns: Columns | None = None) -> bytes:
    """Returns the file with a slice for each case of ``chosen``, by id. Other cases and slices don't change.

    Raises NoEditError if the file can't be edited safely, and SourceError if it can't be read.
    """
    if is_promptfoo(path, data):
        raise NoEditError("it is promptfoo's configuration")
    before = read_cases(path, data, columns)
    key = (columns.slices if columns else None) or _key_in(data.decode(errors="replace"))
    given = {
        position: chosen[case.id] for position, case in enumerate(before.cases) if case.id in chosen and not case.slices
    }
    set_in = EDITORS[format_of(path)].set

    def edit(text: str) -> str:
        for position, slice_ in given.items():
            value: JsonValue = slice_ if key == SHORT else [slice_]
            text = set_in(text, position, before.cases[position].line or 0, key, value)
        return text

    wanted = [
        case.model_copy(update={"slices": (given[position],)}) if position in given else case
        for position, case in enumerate(before.cases)
    ]
    return edited(path, data, edit, wanted, columns)


def _key_in(text: str) -> str:
    """Returns the key that the file uses. A wrong guess is harmless: the result is read again."""
    return SHORT if _SHORT_KEY.search(text) and "slices" not in text else "slices"
