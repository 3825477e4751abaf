"""Test sets as CSV: columns ``input`` or ``input.*``, ``expected`` or ``expected.*``, and the keys of a case.

In a file without such input columns (as promptfoo writes them) every other column is an input. A cell that is a JSON
list or map is read as one; ``slices`` and ``tags`` may also be separated by ``;``. promptfoo's ``__expected`` is read
where it says what the output is or contains; assertions that run code are refused by name.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO

from pydantic import JsonValue

from engine.readers.bounded import Source, did_you_mean, nearest, shown
from engine.readers.cases import KNOWN
from engine.readers.json_nodes import json_line

MAX_COLUMNS = 200
_CODE = ("javascript", "python", "fn", "eval", "webhook", "ruby", "file", "exec")
_YES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": False}


def csv_rows(source: Source) -> Iterator[tuple[int, dict[str, JsonValue]]]:
    """Yields the rows as maps of a case's keys, with their first lines. Raises ``source.failure``."""
    header: _Header | None = None
    for line, cells in _records(source):
        if header is None:
            header = _Header(source, cells, line)
        else:
            yield line, header.row(cells, line)


def _records(source: Source) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(StringIO(source.text, newline=""), strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise source.error(f"not valid CSV: {error}", reader.line_num, hint="check the quotes here") from None


class _Header:
    """The columns, and what they mean."""

    def __init__(self, source: Source, cells: list[str], line: int) -> None:
        self.source = source
        self.names = [cell.strip() for cell in cells]
        if len(self.names) > MAX_COLUMNS:
            raise source.error(f"{len(cells)} columns, {MAX_COLUMNS} are read", line, hint="remove columns")
        for index, name in enumerate(self.names):
            if not name:
                raise source.error(f"column {index + 1} has no name", line, hint="name it or remove it")
            if name in self.names[:index]:
                raise source.error(f"the column {shown(name)} is there twice", line, hint="remove one of the two")
        self.bare = not any(name in ("input", "inputs") or name.startswith("input.") for name in self.names)
        """Whether columns without a meaning are inputs."""
        for name in self.names:
            if not self.bare and self.meaning(name) == "other" and nearest(name, KNOWN) is not None:
                raise source.error(f"unknown column {shown(name)}", line, hint=did_you_mean(name, KNOWN))

    def meaning(self, name: str) -> str:
        """``input``, ``expected`` (a field), ``assertion``, ``known`` (a key of a case), ``nothing`` or ``other``."""
        if name == "input" or name.startswith("input."):
            return "input"
        if name.startswith("expected."):
            return "expected"
        if name.startswith("__expected"):
            return "assertion"
        if name.removeprefix("__metadata:").lower() in KNOWN:
            return "known"
        if name.startswith("__"):
            return "nothing"
        return "input" if self.bare else "other"

    def row(self, cells: list[str], line: int) -> dict[str, JsonValue]:
        """Returns one row as a map of a case's keys."""
        if len(cells) != len(self.names):
            raise self.source.error(
                f"this row has {len(cells)} cells, the header has {len(self.names)}",
                line,
                hint="put cells with commas or line breaks in quotes",
            )
        inputs: dict[str, JsonValue] = {}
        expected: dict[str, JsonValue] = {}
        row: dict[str, JsonValue] = {}
        for name, cell in zip(self.names, cells, strict=True):
            match self.meaning(name):
                case "input":
                    inputs[name.removeprefix("input.")] = _value(self.source, cell, line)
                case "expected" if cell:
                    expected[name.removeprefix("expected.")] = _value(self.source, cell, line)
                case "assertion":
                    row |= _assertion(self.source, cell, line)
                case "known":
                    row |= _known(self.source, name.removeprefix("__metadata:").lower(), cell, line)
                case "other":
                    row[name] = cell
        if expected:
            if "expected" in row:
                raise self.source.error("expected and expected.* in one row", line, hint="keep one of the two")
            row["expected"] = expected
        return row if "inputs" in row else {**row, "inputs": inputs}


def _known(source: Source, key: str, cell: str, line: int) -> dict[str, JsonValue]:
    text = cell.strip()
    if not text:
        return {}
    if key == "protected":
        if text.lower() not in _YES:
            raise source.error(f"protected is {shown(text)}", line, hint="write true or false")
        return {key: _YES[text.lower()]}
    value = _value(source, cell, line)
    if key in ("slice", "slices", "tags") and isinstance(value, str):
        return {key: [part.strip() for part in value.split(";") if part.strip()]}
    return {key: value if key in ("expected", "inputs") or isinstance(value, list) else cell}


def _value(source: Source, cell: str, line: int) -> JsonValue:
    """A cell is text, or a JSON list or map if it looks like one and is one."""
    text = cell.strip()
    if not text.startswith(("{", "[")) or not text.endswith(("}", "]")):
        return cell
    try:
        return json_line(source, text, line)
    except source.failure:
        return cell


def _assertion(source: Source, cell: str, line: int) -> dict[str, JsonValue]:
    text = cell.strip()
    kind, colon, rest = text.partition(":")
    kind = kind.strip().lower()
    if not text:
        return {}
    if colon and kind in _CODE:
        raise source.error(
            f"the assertion {shown(kind)} runs code, which is never done", line, hint="say what is expected as text"
        )
    if not colon or kind in ("equals", "exact"):
        return {"expected": rest.strip() if colon else text}
    if kind in ("llm-rubric", "grade"):
        return {"rubric": rest.strip()}
    if kind in ("contains", "icontains"):
        return {"expected": rest.strip()}
    if kind in ("not-contains", "not-icontains"):
        return {"must_not": [rest.strip()]}
    return {"expected": text}
