"""A promptfoo configuration and the files that it names. Code is never run, and nothing outside the repository read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from pydantic import JsonValue

from engine.readers.bounded import MAX_BYTES, MAX_DEPTH, MAX_TEST_SET_BYTES, Source, inside, shown, source_of
from engine.readers.file_patterns import is_pattern
from engine.readers.json_nodes import read_json
from engine.readers.nodes import Node, plain
from engine.readers.test_source import TestFiles
from engine.readers.yaml_nodes import read_yaml
from schemas.errors import SourceError
from schemas.prompts import Finding

NAME = re.compile(r"(?:^|/)promptfooconfig[^/]*\.(?:ya?ml|json)$")
CODE = re.compile(r"\.(?:[cm]?[jt]sx?|py|rb|go|sh|exe)(?::\w+)?$")
BY_LINE = (".csv", ".jsonl")
MAX_TOTAL = 64 * 1024 * 1024
"""Most bytes of a configuration and all files that it names."""
MAX_FETCHED = 500
"""Most files that are read at once."""
MAX_PATTERNS = 100
"""Most different patterns, each of which searches the whole tree."""
DOCUMENTS = (".yaml", ".yml", ".json")
_KEYS = (
    re.compile(rb"""^["' \t{]*(?:tests|scenarios)["']?[ \t]*:""", re.MULTILINE),
    re.compile(rb"""^["' \t{]*(?:prompts|providers|targets|defaultTest)["']?[ \t]*:""", re.MULTILINE),
)
_OF_TESTS = frozenset({"tests", "scenarios", "defaultTest", "assertionTemplates", "extensions"})
_STARTS_LINE = re.compile(rf"""[{{, \t]*["']?(?:{"|".join(sorted(_OF_TESTS))})["']?[ \t]*:""")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://")


def is_promptfoo(path: str, data: bytes) -> bool:
    """Returns whether a file is a promptfoo configuration: by its name, or by its keys."""
    if NAME.search(path):
        return True
    return path.endswith(DOCUMENTS) and all(key.search(data) for key in _KEYS)


def lines_of_tests(path: str, data: bytes) -> frozenset[int]:
    """Returns the lines of a promptfoo configuration that only its tests are read from. None if it can't be read."""
    try:
        source = source_of(path, data)
        root = read_json(source) if path.endswith(".json") else read_yaml(source)
    except SourceError:
        return frozenset()
    starts = sorted((line, key) for key, (line, _) in root.keys.items())
    ends = [line for line, _ in starts[1:]] + [source.text.count("\n") + 2]
    spans = [range(line, end) for (line, key), end in zip(starts, ends, strict=True) if key in _OF_TESTS]
    lines, keys = source.text.split("\n"), Counter(line for line, _ in starts)
    # In flow style, other keys and their values may be on the line on which the tests start.
    whole = [span for span in spans if keys[span.start] == 1 and _STARTS_LINE.match(lines[span.start - 1])]
    return frozenset(line for span in whole for line in span)


def inline_prompts(path: str, data: bytes) -> list[JsonValue]:
    """Returns the prompts that a promptfoo configuration holds itself, without those that name files.

    None if it is no such configuration or can't be read.
    """
    return [one for one in _prompts(path, data) if _named_file(one) is None]


def prompt_files(path: str, data: bytes) -> tuple[str, ...]:
    """Returns the paths and patterns of prompts that a promptfoo configuration names, at most ``MAX_PATTERNS``."""
    named = (_named_file(one) for one in _prompts(path, data)[:MAX_PATTERNS])
    folder = path.rpartition("/")[0]
    return tuple(found for one in named if one and (found := inside(folder, one.removeprefix("file://"))))


def _prompts(path: str, data: bytes) -> list[JsonValue]:
    if not is_promptfoo(path, data):
        return []
    try:
        source = source_of(path, data)
        root = read_json(source) if path.endswith(".json") else read_yaml(source)
    except SourceError:
        return []
    written = root.value.get("prompts") if isinstance(root.value, dict) else None
    value = None if written is None else plain(written)
    return [one for one in (value if isinstance(value, list) else [value]) if one is not None]


def _named_file(prompt: JsonValue) -> str | None:
    named = prompt.get("id") if isinstance(prompt, dict) and "raw" not in prompt else prompt
    is_file = isinstance(named, str) and (named.startswith("file://") or not re.search(r"[\s{]", named))
    return named if isinstance(named, str) and is_file else None


class ConfigFiles:
    """A promptfoo configuration with its document, and access to the files beside it.

    ``asked`` holds every path and pattern that was asked for, which are all that its tests depend on.
    """

    def __init__(self, path: str, files: TestFiles) -> None:
        self.path = path
        self.folder = path.rpartition("/")[0]
        self._files = files
        self.asked: dict[str, None] = {path: None}
        self._matching: dict[str, tuple[str, ...]] = {}
        self._sources: dict[str, Source] = {}
        self._documents: dict[str, Node] = {}
        self._texts: dict[str, str] = {}
        self._bytes = 0
        self.source = self.source_of(path)
        self.root = self.document(path)
        if not isinstance(self.root.value, dict):
            what = f"this promptfoo configuration is {self.root.kind}"
            raise self.source.error(what, self.root.line, hint="write prompts:, providers: and tests:")
        self.entries = self.root.value

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The warnings about all files that were read."""
        return tuple(warning for source in self._sources.values() for warning in source.warnings)

    def resolve(self, written: str, folder: str | None = None) -> str:
        """Returns the path in the repository that ``written`` names. Raises SourceError for one that isn't in it."""
        if _SCHEME.match(written.removeprefix("file://")):
            raise SourceError(f"{shown(written)} is no file of the repository", hint="commit the file")
        path = inside(self.folder if folder is None else folder, written.removeprefix("file://"))
        if path is None:
            raise SourceError(f"{shown(written)} is outside the repository", hint="name a file in it")
        return path

    def named(self, written: str, folder: str | None = None) -> tuple[str, ...]:
        """Returns the files that a path or a pattern names. Raises SourceError if there is none."""
        path = self.resolve(written, folder)
        self.asked[path] = None
        if not is_pattern(path):
            return (path,)
        if path not in self._matching:
            if len(self._matching) == MAX_PATTERNS:
                raise SourceError(f"more than {MAX_PATTERNS} patterns of files", where=self.path, hint="use fewer")
            self._matching[path] = tuple(self._files.matching(path))
        found = self._matching[path]
        if not found:
            raise SourceError(f"no file matches {shown(path, 200)}", hint="check the pattern")
        return found

    def source_of(self, path: str) -> Source:
        """Returns a file. Raises SourceError."""
        self.asked[path] = None
        if path not in self._sources:
            if not self._files.exists(path):
                raise SourceError("this file doesn't exist", where=shown(path, 4096), hint="check the path")
            data = self._files.content(path)
            self._bytes += len(data)
            if self._bytes > MAX_TOTAL:
                raise SourceError("the files of this configuration are too large together", where=self.path)
            limit = MAX_TEST_SET_BYTES if path.endswith(BY_LINE) else MAX_BYTES
            self._sources[path] = source_of(path, data, limit=limit)
        return self._sources[path]

    def text(self, path: str) -> str:
        """Returns a file's text without blanks around it. Raises SourceError."""
        if path not in self._texts:
            self._texts[path] = self.source_of(path).text.strip()
        return self._texts[path]

    def document(self, path: str) -> Node:
        """Returns the YAML or JSON document in a file. Raises SourceError."""
        if path not in self._documents:
            source = self.source_of(path)
            self._documents[path] = read_json(source) if path.endswith(".json") else read_yaml(source)
            self._files.fetch(islice(self._named_in(self._documents[path]), MAX_FETCHED))
        return self._documents[path]

    def _named_in(self, document: Node) -> Iterator[str]:
        """Yields the paths of files that a document names. Those of patterns are left out."""
        waiting = [document]
        while waiting:
            value = waiting.pop().value
            if isinstance(value, dict | list):
                waiting += value.values() if isinstance(value, dict) else value
            elif isinstance(value, str) and value.startswith("file://"):
                path = inside(self.folder, value.removeprefix("file://"))
                if path is not None and not is_pattern(path):
                    yield path

    def followed(self, node: Node) -> Node:
        """Returns the node that a ``$ref`` within the configuration leads to, or the node itself."""
        for _ in range(MAX_DEPTH):
            found = node.value.get("$ref") if isinstance(node.value, dict) else None
            if found is None or not isinstance(found.value, str) or not found.value.startswith("#/"):
                break
            node = self._at(found.value[2:].split("/"), found)
        return node

    def _at(self, steps: list[str], ref: Node) -> Node:
        node = self.root
        for step in steps:
            key = step.replace("~1", "/").replace("~0", "~")
            below = node.value.get(key) if isinstance(node.value, dict) else None
            if below is None:
                raise self.source.error(f"nothing is at {shown(str(ref.value))}", ref.line, hint="check the $ref")
            node = below
        return node

    def content(self, written: str) -> JsonValue:
        """Returns what a value names: a document, or a text. Raises SourceError."""
        path = self.resolve(written)
        return plain(self.document(path)) if path.endswith(DOCUMENTS) else self.text(path)
