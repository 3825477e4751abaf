"""Edits of CSV. Cells are replaced in place; other quotes and line breaks stay."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO

from pydantic import JsonValue

from engine.test_edits import NoEditError

_CELL = re.compile(r'(?:"(?:[^"]|"")*+"|(?!")[^,\n]*+)(?=[,\n]|\Z)')
_LISTS = ("slice", "slices", "tags")
_ADDED = ("id", "slice", "slices", "source", "verified", "same_as")
"""Keys for which a new row may bring a column: the other rows leave it empty."""
_TWINS = {"slice": "slices", "slices": "slice", "rubric": "rubric_notes", "rubric_notes": "rubric"}


@dataclass(frozen=True)
class _Record:
    """The start and end of each cell of a row."""

    cells: tuple[tuple[int, int], ...]

    @property
    def end(self) -> int:
        return self.cells[-1][1]


def _records(text: str) -> list[_Record]:
    """Returns the header and the rows, without empty lines.

    Raises NoEditError if the CSV reader reads them differently.
    """
    found: list[_Record] = []
    cells: list[tuple[int, int]] = []
    at = 0
    while at <= len(text):
        cell = _CELL.match(text, at)
        if cell is None:
            raise NoEditError("its quotes are used in an unusual way")
        cells.append(cell.span())
        if text[cell.end() : cell.end() + 1] != ",":
            found.append(_Record(tuple(cells)))
            cells = []
        at = cell.end() + 1
    rows = [record for record in found if any(start < end for start, end in record.cells)]
    read = [row for row in csv.reader(StringIO(text, newline=""), strict=True) if any(row)]
    if [len(row) for row in read] != [len(record.cells) for record in rows]:
        raise NoEditError("its quotes are used in an unusual way")
    return rows


def _names(text: str, header: _Record) -> list[str]:
    return [text[start:end].strip().strip('"').strip() for start, end in header.cells]


def set_in_row(text: str, position: int, key: str, value: JsonValue) -> str:
    """Returns the CSV with a value of the case at ``position``. Without such a column every row gets one more cell."""
    header, *rows = _records(text)
    names = [name.removeprefix("__metadata:").lower() for name in _names(text, header)]
    column = next((names.index(name) for name in (key.lower(), _TWINS.get(key)) if name in names), None)
    if column is not None:
        start, end = rows[position].cells[column]
        return f"{text[:start]}{_quoted(_cell(key, value), always=text[start:end].startswith(chr(34)))}{text[end:]}"
    return _with_column(text, key, {position: value})


def _with_column(text: str, key: str, values: Mapping[int, JsonValue] | None = None) -> str:
    """Returns the CSV with one more column, which is empty but for ``values`` by the position of their row."""
    cells = {position + 1: _quoted(_cell(key, value)) for position, value in (values or {}).items()} | {0: _quoted(key)}
    out, at = [], 0
    for index, record in enumerate(_records(text)):
        out += [text[at : record.end], ",", cells.get(index, "")]
        at = record.end
    return "".join(out) + text[at:]


def add_row(text: str, row: Mapping[str, JsonValue]) -> str:
    """Returns the CSV with one more row, and with a column for each of ``_ADDED`` that it needs.

    Raises NoEditError for any other key without a column.
    """
    names = _names(text, _records(text)[0])
    for key in row:
        if key in _ADDED and not {key, f"__metadata:{key}", _TWINS.get(key, key)}.intersection(names):
            text = _with_column(text, key)
    header, *rows = _records(text)
    names = _names(text, header)
    cells = dict.fromkeys(names, "")
    for key, value in row.items():
        for name, cell in _cells(key, value, names):
            cells[name] = cell
    written = StringIO(newline="")
    last = rows[-1] if rows else header
    every = all(text[start:end].startswith('"') for start, end in last.cells)
    # The writer quotes a cell for the line breaks that its own line ends have.
    csv.writer(written, quoting=csv.QUOTE_ALL if every else csv.QUOTE_MINIMAL, lineterminator="\r\n").writerow(
        [cells[name] for name in names]
    )
    row_text = written.getvalue().removesuffix("\r\n")
    return f"{text}{'' if text.endswith(chr(10)) else chr(10)}{row_text}\n"


def _cells(key: str, value: JsonValue, names: Sequence[str]) -> list[tuple[str, str]]:
    """Returns the columns that hold this part of a case, with their texts."""
    for parts in _in_parts(key, value, names):
        if set(names).issuperset(parts):
            return [(part, _cell(part, one)) for part, one in parts.items()]
    candidates = [key, f"__metadata:{key}", _TWINS.get(key, key), *(["__expected"] if key == "expected" else [])]
    for name in candidates:
        if name in names:
            return [(name, _cell(key, value))]
    raise NoEditError(f"it has no column for “{key}”; its columns are {', '.join(names)}")


def _in_parts(key: str, value: JsonValue, names: Sequence[str]) -> Iterator[dict[str, JsonValue]]:
    """Yields the ways to spread a value over columns: ``input.text``; ``text`` alone where no column has a prefix."""
    if isinstance(value, dict) and value:
        prefix = "input" if key == "inputs" else key
        yield {f"{prefix}.{name}": one for name, one in value.items()}
    bare = not any(name in ("input", "inputs") or name.startswith("input.") for name in names)
    if bare and key in ("input", "inputs"):
        yield value if isinstance(value, dict) else {"input": value}


def _quoted(cell: str, *, always: bool = False) -> str:
    if always or any(sign in cell for sign in ',"\n\r'):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def _cell(key: str, value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    if key in _LISTS and isinstance(value, list) and all(isinstance(v, str) and ";" not in v for v in value):
        return ";".join(map(str, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)
