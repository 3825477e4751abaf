"""The formats of test sets that can be edited as text, and how each is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pydantic import JsonValue

from engine.readers.prompts.registry import read_prompt
from engine.readers.testsets import inline_test_set, read_test_set
from engine.test_edits.csv_text import add_row, set_in_row
from engine.test_edits.json_text import add_element, add_line, set_in_element, set_in_line
from engine.test_edits.yaml_text import add_item, set_in_item
from schemas.testsets import Columns, TestCase, TestSet

INLINE = (".prompt.yml", ".prompt.yaml")
TEST_DATA = "testData"


class Editor(NamedTuple):
    """How one format of test sets is edited as text. Each function raises NoEditError."""

    set: Callable[[str, int, int, str, JsonValue], str]
    """Of the text, the case's position and its line, a key and its value."""
    add: Callable[[str, Mapping[str, JsonValue]], str]


EDITORS = {
    "jsonl": Editor(lambda text, _, line, key, value: set_in_line(text, line, key, value), add_line),
    "json": Editor(lambda text, position, _, key, value: set_in_element(text, position, key, value), add_element),
    "csv": Editor(lambda text, position, _, key, value: set_in_row(text, position, key, value), add_row),
    "yaml": Editor(lambda text, position, _, key, value: set_in_item(text, position, key, value), add_item),
    "inline": Editor(
        lambda text, position, _, key, value: set_in_item(text, position, key, value, TEST_DATA),
        lambda text, row: add_item(text, row, TEST_DATA),
    ),
}


def format_of(path: str) -> str:
    """Returns the format of a test set, or of a prompt file with test data: a key of ``EDITORS``."""
    if path.endswith(INLINE):
        return "inline"
    kinds = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".json": "json"}
    return next((kind for suffix, kind in kinds.items() if path.endswith(suffix)), "yaml")


def read_cases(path: str, data: bytes, columns: Columns | None = None) -> TestSet:
    """Returns the cases of a file. Raises SourceError."""
    if path.endswith(INLINE):
        return inline_test_set(read_prompt(path, {path: data}))
    return read_test_set(path, data, columns)


def content_of(case: TestCase) -> dict[str, JsonValue]:
    """Returns what a case says, without its place."""
    return case.model_dump(mode="json", exclude={"path", "line"})
