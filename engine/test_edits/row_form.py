"""Writes a new case in the form of its file: the names, the order and the nesting that its neighbors have."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from io import StringIO

from pydantic import JsonValue

from engine.readers.bounded import MAX_TEST_SET_BYTES, shown, source_of
from engine.readers.columns import INPUTS
from engine.readers.json_nodes import json_line, read_json
from engine.readers.nodes import plain
from engine.readers.prompts.registry import read_prompt
from engine.readers.yaml_nodes import read_yaml
from engine.test_edits import NoEditError
from engine.test_edits.formats import format_of
from schemas.testsets import Columns, TestSet
from schemas.values import digest_of


def in_file_names(
    formed: Mapping[str, JsonValue], before: TestSet, last: Mapping[str, JsonValue], columns: Columns | None
) -> dict[str, JsonValue]:
    """Returns a case of ``in_their_form`` under the file's own names: ``answer`` for ``expected``, bare inputs.

    The names come from ``columns``, else from what the reader found.
    """
    names = columns.model_dump(exclude={"inputs"}, exclude_none=True) if columns else {}
    if "expected" not in names and "expected" not in last and len(found := before.mapping.get("expected", ())) == 1:
        names |= {"expected": found[0]}
    own: dict[str, JsonValue] = {}
    for key, value in formed.items():
        if key in ("input", "inputs"):
            own |= _inputs_in_file(key, value, last, columns)
        elif key in ("slice", "slices") and "slices" in names:
            own[names["slices"]] = value
        else:
            own[names.get(key, key)] = value
    order = {key: number for number, key in enumerate(last)}
    return dict(sorted(own.items(), key=lambda item: order.get(item[0], len(order))))


def _inputs_in_file(
    key: str, value: JsonValue, last: Mapping[str, JsonValue], columns: Columns | None
) -> dict[str, JsonValue]:
    inputs: dict[str, JsonValue] = value if isinstance(value, dict) else {"input": value}
    if columns is not None and columns.inputs and columns.inputs.keys() >= inputs.keys():
        return {columns.inputs[name]: one for name, one in inputs.items()}
    held = next((name for name in INPUTS if name in last), None)
    if held is None and inputs.keys() <= last.keys():
        return dict(inputs)
    return {"vars": inputs} if held == "vars" else {key: value}


def last_row(path: str, data: bytes) -> Mapping[str, JsonValue]:
    """Returns the last case as written: a new case gets the same keys. Empty for a file without cases."""
    source = source_of(path, data, limit=MAX_TEST_SET_BYTES)
    row: JsonValue
    match format_of(path):
        case "jsonl":
            lines = [line for line in source.text.split("\n") if line.strip()]
            row = json_line(source, lines[-1], len(lines)) if lines else {}
        case "csv":
            row = {name.strip(): "" for name in next(csv.reader(StringIO(source.text, newline="")), [])}
        case "json":
            row = _last_of(plain(read_json(source)))
        case "yaml":
            row = _last_of(plain(read_yaml(source)))
        case "inline":
            rows = read_prompt(path, {path: data}).test_data
            row = rows[-1] if rows else {}
    return row if isinstance(row, dict) else {}


def _last_of(root: JsonValue) -> JsonValue:
    if isinstance(root, dict):
        root = next(iter(root.values()), [])
    return root[-1] if isinstance(root, list) and root else {}


def in_their_form(row: Mapping[str, JsonValue], before: TestSet, last: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Returns the case with the file's names for its keys, in the file's order, with an id if the others have one."""
    formed = dict(row)
    given = formed.pop("inputs") if "inputs" in formed else formed.pop("input")
    inputs = _named_inputs(dict(given) if isinstance(given, dict) else {"input": given}, before)
    formed |= _as_written(inputs, last)
    if "slice" in formed and "slice" not in last and "slices" in last:
        value = formed.pop("slice")
        formed["slices"] = value if isinstance(value, list) else [value]
    if "id" in last and not formed.get("id"):
        formed["id"] = f"case-{digest_of(inputs)[:8]}"
    order = {key: number for number, key in enumerate(last)}
    return dict(sorted(formed.items(), key=lambda item: order.get(item[0], len(order))))


def _as_written(inputs: dict[str, JsonValue], last: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Returns the key ``input`` or ``inputs`` as the file's other cases use it."""
    named = inputs.keys() != {"input"}
    if "inputs" in last or (named and "input" not in last):
        return {"inputs": inputs}
    bare = not named and not isinstance(last.get("input"), dict)
    return {"input": inputs["input"] if bare else inputs}


def _named_inputs(inputs: dict[str, JsonValue], before: TestSet) -> dict[str, JsonValue]:
    """Returns the inputs as the file's cases name them: a single unnamed one gets the name of their only one."""
    shapes = {frozenset(case.inputs) for case in before.cases}
    if not shapes or frozenset(inputs) in shapes:
        return inputs
    single = next(iter(shapes)) if len(shapes) == 1 else frozenset[str]()
    if inputs.keys() != {"input"} or len(single) != 1:
        names = " or ".join(", ".join(f"input.{name}" for name in sorted(shape)) for shape in list(shapes)[:3])
        raise NoEditError(f"its cases have {shown(names, 200)}")
    return dict.fromkeys(single, inputs["input"])
