"""Applies an edit to a test-set file, and accepts the result only if it says exactly what is wanted."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from engine.test_edits import NoEditError
from engine.test_edits.formats import content_of, read_cases
from schemas.errors import PromptVerdictError
from schemas.testsets import Columns, TestCase

_BOM = "\ufeff"
_OTHER_BREAKS = re.compile("[\x0b\x0c\x85\u2028\u2029]|\r(?!\n)")


class MixedLineEndsError(NoEditError):
    """The file mixes line ends, so no line of it can be named safely."""


def edited(
    path: str, data: bytes, edit: Callable[[str], str], wanted: Sequence[TestCase], columns: Columns | None = None
) -> bytes:
    """Returns the file after ``edit``, which gets its text without a byte order mark and with plain line feeds.

    Raises NoEditError if the file can't be edited so, or if it would not contain exactly ``wanted``.
    """
    new = rewritten(data, edit)
    try:
        after = read_cases(path, new, columns)
    except PromptVerdictError as error:
        raise NoEditError("") from error
    if [content_of(one) for one in after.cases] != [content_of(one) for one in wanted]:
        raise NoEditError("")
    return new


def rewritten(data: bytes, edit: Callable[[str], str]) -> bytes:
    """Returns the content after ``edit``, which gets the text without a byte order mark and with plain line feeds.

    Raises NoEditError for a text that mixes line ends, and UnicodeDecodeError.
    """
    old = data.decode()
    mark = _BOM if old.startswith(_BOM) else ""
    text = old.removeprefix(_BOM).replace("\r\n", "\n")
    ends = old.count("\r\n")
    if _OTHER_BREAKS.search(text) or ends not in (0, old.count("\n")):
        raise MixedLineEndsError("it mixes line ends")
    new = edit(text)
    return (mark + (new.replace("\n", "\r\n") if ends else new)).encode()
