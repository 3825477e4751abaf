"""Reads test sets as CSV: columns ``input`` or ``input.*``, ``expected`` or ``expected.*``, and the keys of a case.

engine/readers/columns.py decides about other columns. A cell that is a JSON list or map is read as one. ``slices`` and
``tags`` may also be separated by ``;``. Tabs and semicolons separate cells if the first line has more of them than
commas. engine/readers/assertions.py reads ``__expected``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO

from pydantic import JsonValue

from engine.readers.assertions import in_cell
from engine.readers.bounded import Source, did_you_mean, nearest, shown
from engine.readers.columns import KNOWN
from engine.readers.json_nodes import json_line

MAX_COLUMNS = 200
_THRESHOLD = "__threshold"
"""promptfoo's column of the score from which a row's assertions pass together."""
_YES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": False}


def csv_rows(source: Source) -> Iterator[tuple[int, dict[str, JsonValue]]]:
    """Yields the rows as maps of a case's keys, each with its first line. Raises ``source.failure``."""
    header: _Header | None = None
    for line, cells in _records(source):
        if header is None:
            header = _Header(source, cells, line)
        else:
            yield line, header.row(cells, line)


def csv_table(source: Source) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the rows by the names of their columns, each with its first line. Raises ``source.failure``."""
    header: _Header | None = None
    for line, cells in _records(source):
        if header is None:
            header = _Header(source, cells, line)
        else:
            yield line, header.table_row(cells, line)


def _records(source: Source) -> Iterator[tuple[int, list[str]]]:
    first = source.text.partition("\n")[0]
    delimiter = max((",", ";", "\t"), key=first.count)
    reader = csv.reader(StringIO(source.text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise source.error(
            f"not valid CSV: {shown(str(error))}", reader.line_num, hint="check the quotes here"
        ) from None


class _Header:
    """The columns and their meanings."""

    def __init__(self, source: Source, cells: list[str], line: int) -> None:
        self.source = source
        self.names = [cell.strip() for cell in cells]
        if len(self.names) > MAX_COLUMNS:
            raise source.error(f"{len(cells)} columns, but at most {MAX_COLUMNS} are read", line, hint="remove columns")
        self.numbered = len(self.names) > 1 and self.names[0] in ("", "Unnamed: 0")
        """Whether the first column has row numbers, as pandas writes them."""
        for index, name in enumerate(self.names):
            if not name and not (self.numbered and index == 0):
                raise source.error(f"column {index + 1} has no name", line, hint="name it or remove it")
            if name in self.names[:index]:
                raise source.error(f"duplicate column {shown(name)}", line, hint="remove one of the two")
        self.meanings = [self.meaning(name) for name in self.names]
        self.is_explicit = "input" in self.meanings
        """Whether columns ``input.*`` say which ones are inputs."""
        if self.is_explicit:
            for name, meaning in zip(self.names, self.meanings, strict=True):
                if meaning == "other" and nearest(name, KNOWN) is not None:
                    raise source.error(f"unknown column {shown(name)}", line, hint=did_you_mean(name, KNOWN))

    def meaning(self, name: str) -> str:
        """Returns the meaning of a column: ``input`` or ``expected`` (one variable or field), ``assertion``, ``known``
        (a key of a case), ``nothing`` or ``other``."""
        if name.startswith("input."):
            return "input"
        if name.startswith("expected."):
            return "expected"
        if name.startswith("__expected"):
            return "assertion"
        if _key(name) in KNOWN - {"input", "assert"} or name == _THRESHOLD:
            return "known"
        return "nothing" if name.startswith("__") else "other"

    def row(self, cells: list[str], line: int) -> dict[str, JsonValue]:
        """Returns one row as a map of a case's keys, and of the other columns by their names."""
        self._check(cells, line)
        inputs: dict[str, JsonValue] = {}
        expected: dict[str, JsonValue] = {}
        asserted: list[JsonValue] = []
        row: dict[str, JsonValue] = {}
        for name, meaning, cell in list(zip(self.names, self.meanings, cells, strict=True))[self.numbered :]:
            match meaning:
                case "input":
                    inputs[name.removeprefix("input.")] = _value(self.source, cell, line)
                case "expected" if cell:
                    expected[name.removeprefix("expected.")] = _value(self.source, cell, line)
                case "assertion" if cell.strip():
                    asserted.append(in_cell(self.source, cell.strip(), line))
                case "known":
                    row |= _known(self.source, _key(name), cell, line)
                case "other":
                    row[name] = _value(self.source, cell, line)
        row |= {"assert": asserted} if "assertion" in self.meanings else {}
        if expected:
            if "expected" in row:
                raise self.source.error("expected and expected.* in one row", line, hint="keep one of the two")
            row["expected"] = expected
        if self.is_explicit and "input" in row:
            raise self.source.error("input and input.* in one row", line, hint="name both input.*")
        return {**row, "inputs": inputs} if self.is_explicit else row

    def table_row(self, cells: list[str], line: int) -> dict[str, str]:
        """Returns one row by the names of its columns."""
        self._check(cells, line)
        return dict(list(zip(self.names, cells, strict=True))[self.numbered :])

    def _check(self, cells: list[str], line: int) -> None:
        if len(cells) != len(self.names):
            raise self.source.error(
                f"this row has {len(cells)} cells, but the header has {len(self.names)}",
                line,
                hint="put cells with commas or line breaks in quotes",
            )
        if self.numbered and not cells[0].strip().isdecimal():
            raise self.source.error("column 1 has no name", line, hint="name it or remove it")


def _key(name: str) -> str:
    return name.removeprefix("__metadata:").lower()


def _known(source: Source, key: str, cell: str, line: int) -> dict[str, JsonValue]:
    text = cell.strip()
    if not text:
        return {}
    if key == _THRESHOLD:
        try:
            return {"threshold": float(text)}
        except ValueError:
            raise source.error(f"{key} is {shown(text)}", line, hint="write a number from 0 to 1") from None
    if key in ("protected", "verified"):
        if text.lower() not in _YES:
            raise source.error(f"{key} is {shown(text)}", line, hint="write true or false")
        return {key: _YES[text.lower()]}
    value = _value(source, cell, line)
    if key in ("slice", "slices", "tags") and isinstance(value, str):
        return {key: [part.strip() for part in value.split(";") if part.strip()]}
    return {key: value if key in ("expected", "inputs", "must", "must_not") or isinstance(value, list) else cell}


def _value(source: Source, cell: str, line: int) -> JsonValue:
    """Returns a cell's value: text, or a JSON list or map if it looks like one and is valid."""
    text = cell.strip()
    if not text.startswith(("{", "[")) or not text.endswith(("}", "]")):
        return cell
    try:
        return json_line(source, text, line)
    except source.failure:
        return cell
