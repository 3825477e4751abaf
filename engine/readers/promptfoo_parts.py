"""Reads the parts of a promptfoo configuration that say what a test is: in it, and in the files that it names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, product
from typing import NamedTuple, TypeVar

from pydantic import JsonValue

from engine.readers.assertions import Given, LeftOut, in_cell
from engine.readers.bounded import Source, shown
from engine.readers.csv_cases import csv_table
from engine.readers.json_nodes import json_line
from engine.readers.nodes import Node, plain
from engine.readers.promptfoo_files import CODE, ConfigFiles
from engine.readers.testsets import MAX_CASES
from schemas.errors import SourceError

T = TypeVar("T")
_CHANGING = ("__prefix", "__suffix", "__providerOutput")
"""Columns that change the prompt or the answer."""


class Part(NamedTuple):
    """A test, a default or a part of a scenario, as written."""

    source: Source
    line: int | None
    values: Mapping[str, JsonValue]
    asserted: tuple[Given, ...] = ()

    @property
    def where(self) -> str:
        """Its place."""
        return self.source.where(self.line)

    def map(self, key: str) -> Mapping[str, JsonValue]:
        """Returns a map under ``key``, empty if there is none. Raises SourceError for anything else."""
        value = self.values.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise self.source.error(f"{key} of a test is not a map", self.line, hint=f"write {key}: {{name: value}}")
        return value


class Parts:
    """The parts of one configuration. ``left_out`` holds what can't be read, once it was asked for."""

    def __init__(self, config: ConfigFiles) -> None:
        self._config = config
        self.left_out: list[tuple[LeftOut, JsonValue]] = []

    def leave(self, where: str, what: str, why: str, raw: JsonValue = None) -> None:
        """Notes that ``raw`` isn't read."""
        self.left_out.append((LeftOut(what, why, where), raw))

    def default(self) -> Part:
        """Returns what every test has."""
        found = list(self._of(self._config.entries.get("defaultTest"), self._config.folder))
        return found[0] if found else Part(self._config.source, None, {})

    def tests(self) -> Iterator[Part]:
        """Yields all tests in order, those of scenarios last."""
        entries, folder = self._config.entries, self._config.folder
        yield from self._of(entries.get("tests"), folder)
        for item in map(self._config.followed, items_of(entries.get("scenarios"))):
            if not isinstance(item.value, dict):
                self.leave(self._config.source.where(item.line), "a scenario", "it is not a map", plain(item))
                continue
            configs = list(self._of(item.value.get("config"), folder))
            tests: list[Part | None] = [*self._of(item.value.get("tests"), folder)]
            tests = tests or [None]
            if len(configs) * len(tests) > MAX_CASES:
                raise self._config.source.error(f"more than {MAX_CASES:,} cases", item.line)
            yield from (_merged(data, test) for data, test in product(configs, tests))

    def _of(self, node: Node | None, folder: str) -> Iterator[Part]:
        """Yields the tests of a list, a map, or the files that a text names."""
        source = self._config.source
        for item in map(self._config.followed, items_of(node)):
            path = item.value if isinstance(item.value, str) else None
            if isinstance(item.value, dict) and "path" in item.value:
                path = item.value["path"].text
            if path is None:
                yield self._part(source, item, folder)
                continue
            try:
                if CODE.search(path):
                    raise SourceError("it runs code, which is never done")
                for file in self._config.named(path, folder):
                    yield from self._of_file(file)
            except SourceError as error:
                if error.where is not None:
                    raise
                self.leave(source.where(item.line), f"the file {shown(path, 80)}", error.what, path)

    def _of_file(self, path: str) -> Iterator[Part]:
        source = self._config.source_of(path)
        if path.endswith(".csv"):
            yield from (self._of_row(source, line, row) for line, row in _counted(source, csv_table(source)))
        elif path.endswith(".jsonl"):
            lines = ((line, text) for line, text in enumerate(source.text.split("\n"), 1) if text.strip())
            found = _counted(source, lines)
            yield from (_of_line(source, line, json_line(source, text, line)) for line, text in found)
        elif path.endswith((".yaml", ".yml", ".json")):
            folder = path.rpartition("/")[0]
            yield from (self._part(source, item, folder) for item in items_of(self._config.document(path)))
        else:
            raise SourceError("tests in this format aren't read")

    def _part(self, source: Source, item: Node, folder: str) -> Part:
        if not isinstance(item.value, dict):
            raise source.error(f"a test is {item.kind}", item.line, hint="write it as a map: {vars: …, assert: …}")
        values = {key: plain(child) for key, child in item.value.items() if key not in ("assert", "vars")}
        asserted = [
            Given(plain(self._config.followed(one)), source, one.line) for one in items_of(item.value.get("assert"))
        ]
        if (named := item.value.get("vars")) is not None:
            values["vars"] = self._vars(source, named, folder)
        return Part(source, item.line, values, tuple(asserted))

    def _vars(self, source: Source, node: Node, folder: str) -> JsonValue:
        """Returns the variables of a test: a map, or all maps in the files that texts name."""
        node = self._config.followed(node)
        if isinstance(node.value, dict) or node.value is None:
            return plain(node)
        merged: dict[str, JsonValue] = {}
        for item in items_of(node):
            if not isinstance(item.value, str):
                raise source.error(f"vars of a test is {node.kind}", node.line, hint="write vars: {name: value}")
            for path in self._config.named(item.value, folder):
                found = plain(self._config.document(path))
                merged |= found if isinstance(found, dict) else {}
        return merged

    def _of_row(self, source: Source, line: int, row: Mapping[str, str]) -> Part:
        for name in _CHANGING:
            if row.get(name):
                what = f"the column {name}"
                self.leave(source.where(line), what, "it isn't added to the prompt or the answer", row[name])
        asserted = [
            _with_threshold(source, line, number, in_cell(source, cell.strip(), line), row)
            for number, cell in enumerate((c for n, c in row.items() if n.startswith("__expected") and c.strip()), 1)
        ]
        values: dict[str, JsonValue] = {
            "vars": {name: cell for name, cell in row.items() if not name.startswith("__")},
            "metadata": _metadata(row),
        }
        if row.get("__threshold", "").strip():
            values["threshold"] = _number(source, line, "__threshold", row["__threshold"])
        if row.get("__description"):
            values["description"] = row["__description"]
        return Part(source, line, values, tuple(Given(one, source, line) for one in asserted))


def items_of(node: Node | None) -> list[Node]:
    """Returns the members of a list, a single other value, or nothing."""
    if node is None or node.value is None:
        return []
    return node.value if isinstance(node.value, list) else [node]


def _counted(source: Source, rows: Iterable[tuple[int, T]]) -> list[tuple[int, T]]:
    """Returns the rows of a file, each a case or more. Raises SourceError for too many, before any is evaluated."""
    found = list(islice(rows, MAX_CASES + 1))
    if len(found) > MAX_CASES:
        raise source.error(f"more than {MAX_CASES:,} cases", found[-1][0], hint="split the test set")
    return found


def _of_line(source: Source, line: int, value: JsonValue) -> Part:
    if not isinstance(value, dict):
        raise source.error("this line is not a JSON object", line, hint='write {"vars": {…}, "assert": […]}')
    given = value.pop("assert", None) or []
    return Part(
        source, line, value, tuple(Given(one, source, line) for one in (given if isinstance(given, list) else [given]))
    )


def _metadata(row: Mapping[str, str]) -> dict[str, JsonValue]:
    """Returns the metadata of a row: ``name[]`` is a list between commas."""
    found: dict[str, JsonValue] = {}
    for name, cell in row.items():
        key = name.removeprefix("__metadata:")
        if key != name and cell.strip():
            found[key.removesuffix("[]")] = [part.strip() for part in cell.split(",")] if key.endswith("[]") else cell
    return found


def _with_threshold(
    source: Source, line: int, number: int, one: dict[str, JsonValue], row: Mapping[str, str]
) -> dict[str, JsonValue]:
    """Returns the assertion of a row's ``number``-th cell with the threshold from its own column."""
    names = [f"__config:__expected{number}:threshold"] + ["__config:__expected:threshold"] * (number == 1)
    name = next((name for name in names if row.get(name)), None)
    return one if name is None else {**one, "threshold": _number(source, line, name, row[name])}


def _number(source: Source, line: int, name: str, cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        raise source.error(f"{name} is {shown(cell)}", line, hint="write a number") from None


def _merged(data: Part, test: Part | None) -> Part:
    """Returns a test of a scenario with the values of one of its configurations."""
    if test is None:
        return data
    values = {**data.values, **test.values}
    for key in ("vars", "options", "metadata"):
        if both := {**data.map(key), **test.map(key)}:
            values[key] = both
    return Part(test.source, test.line, values, (*data.asserted, *test.asserted))
