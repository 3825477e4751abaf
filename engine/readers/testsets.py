"""Reads test sets: JSONL, CSV, YAML, JSON, and the ``testData`` of a prompt file.

JSONL and CSV may have 16 MiB. YAML and JSON lists, which are read value by value, may have 1 MiB and 50,000 values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from pydantic import JsonValue

from engine.readers.assertions import LeftOut
from engine.readers.bounded import MAX_BYTES, MAX_TEST_SET_BYTES, Source, shown, source_of, within_limit
from engine.readers.cases import case_of, not_imported
from engine.readers.columns import KNOWN, ColumnMap
from engine.readers.csv_cases import csv_rows
from engine.readers.dialects import variables_of
from engine.readers.json_nodes import json_line, read_json
from engine.readers.nodes import Node, plain
from engine.readers.same_as import with_originals
from engine.readers.yaml_nodes import read_yaml
from schemas.prompts import PromptFile
from schemas.testsets import Columns, TestCase, TestSet

MAX_CASES = 20_000
"""Most cases in one test set. Each is a paid call in each arm."""
SUFFIXES = (".jsonl", ".ndjson", ".csv", ".tsv", ".yaml", ".yml", ".json")
BY_LINE = (".jsonl", ".ndjson", ".csv", ".tsv")
WRAPPERS = ("cases", "tests", "test_cases", "testCases", "examples", "data", "items")
"""Keys under which files keep their list of cases."""
ABOUT = "_meta"
"""The only key of a first row that is about the file. With other keys, such a row gets a warning."""
Rows = Iterator[tuple[int, dict[str, JsonValue]]]
"""Raw cases, each with the line on which it starts."""


def read_test_set(path: str, data: bytes, columns: Columns | None = None) -> TestSet:
    """Returns the test set in ``data``. The suffix of ``path`` tells the format. Cases are in the file's order.

    ``columns`` maps columns whose names don't tell. A file without cases gives a TestSet without cases. Unverified
    cases are among the others: this is the file as it is. Raises SourceError with ``path:line`` for a file that can't
    be parsed, a case without inputs, a misspelled key, two keys that disagree about the expectation, and duplicate ids.
    """
    source = source_of(path, data, limit=MAX_TEST_SET_BYTES if path.endswith(BY_LINE) else MAX_BYTES)
    if path.endswith((".csv", ".tsv")):
        rows = csv_rows(source)
    elif path.endswith((".jsonl", ".ndjson")):
        rows = _json_lines(source)
    elif path.endswith((".yaml", ".yml", ".json")):
        rows = _list(source, read_json(source) if path.endswith(".json") else read_yaml(source))
    else:
        raise source.error("this test set format is not supported", hint=f"known: {', '.join(SUFFIXES)}")
    return _test_set(source, rows, columns)


def inline_test_set(prompt: PromptFile) -> TestSet:
    """Returns the ``testData`` of a prompt file as a test set.

    ``expected``, ``id``, ``slice`` and the other keys of a test case have their usual meaning, unless the prompt uses
    them as variables. Unverified cases are among them. Raises SourceError as ``read_test_set`` does.
    """
    used = variables_of(prompt)
    rows = []
    for number, row in enumerate(prompt.test_data, 1):
        about = {key: value for key, value in row.items() if key in KNOWN - {"input", "inputs"} and key not in used}
        inputs = {key: value for key, value in row.items() if key not in about}
        if "expected" in row:
            about["expected"] = row["expected"]
        rows.append((number, {**about, "inputs": inputs}))
    return with_originals(_test_set(Source(prompt.path, ""), rows, place="testData "))


def _test_set(
    source: Source,
    rows: Iterable[tuple[int, dict[str, JsonValue]]],
    columns: Columns | None = None,
    place: str = "line ",
) -> TestSet:
    """Builds a test set from rows. ``place`` is the unit that the rows' numbers count."""
    names = ColumnMap(source, columns)
    cases: list[TestCase] = []
    lines: dict[str, int] = {}
    unknown: Counter[str] = Counter()
    unread: dict[str, dict[str, JsonValue]] = {}
    left_out: list[tuple[TestCase, LeftOut]] = []
    for number, (line, raw) in enumerate(rows):
        at = line if place == "line " else None
        if not number and raw and all(key.startswith("_") for key in raw):
            if list(raw) != [ABOUT]:
                source.warn(f"the first row, {shown(', '.join(raw))}, describes the file and is not a case", line)
            continue
        row = names.row(raw, at)
        case, given, unable = case_of(source, row, at, unknown)
        first = lines.setdefault(case.id, line)
        if first != line:
            alike = f"the id {shown(case.id)}" if given else "the same inputs and no ids"
            what = f"two cases have {alike} ({place}{first} and {place}{line})"
            raise source.error(what, at, hint="give each its own id, or remove one")
        if len(cases) == MAX_CASES:
            raise source.error(f"more than {MAX_CASES:,} cases", hint="split the test set")
        cases.append(case)
        left_out += [(case, one) for one in unable]
        if ignored := _unread(row, every_assertion=not unable):
            unread[case.id] = ignored
    for key, count in unknown.items():
        source.warn(f"unknown key {shown(key)} of {count} case{'s' if count > 1 else ''} is ignored")
    return TestSet(
        path=source.path,
        cases=tuple(cases),
        mapping=names.mapping,
        unread=unread,
        warnings=within_limit([*source.warnings, *not_imported(left_out)]),
    )


def _unread(row: Mapping[str, JsonValue], *, every_assertion: bool) -> dict[str, JsonValue]:
    """Returns the values that nothing reads."""
    read = KNOWN | ({"threshold"} if "assert" in row else set())
    return {key: value for key, value in row.items() if key not in read or (key == "assert" and not every_assertion)}


def _json_lines(source: Source) -> Rows:
    for line, text in enumerate(source.text.split("\n"), 1):
        if not text.strip():
            continue
        row = json_line(source, text, line)
        if not isinstance(row, dict):
            raise source.error(
                "this line is not a JSON object", line, hint='write one case a line: {"id": …, "input": …}'
            )
        yield line, row


def _list(source: Source, root: Node) -> Rows:
    items = root.value
    if isinstance(items, dict):
        held = [name for name in WRAPPERS if name in items and isinstance(items[name].value, list)]
        if len(held) > 1:
            raise source.error(f"both {held[0]} and {held[1]} hold cases", root.line, hint="keep one of the two lists")
        items = items[held[0]].value if held else items
    if items is None:
        return
    if not isinstance(items, list):
        raise source.error(f"the test set is {root.kind}", root.line, hint="write a list of cases: - input: …")
    for item in items:
        row = plain(item)
        if not isinstance(row, dict) or not isinstance(item.value, dict):
            raise source.error(f"a case is {item.kind}", item.line, item.column, hint="write it as a map: - input: …")
        if (name := item.value.get("id")) is not None and name.text is not None:
            row["id"] = name.text  # 007 is an id of three characters
        yield item.line, row
