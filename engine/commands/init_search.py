"""Finds prompts and test sets in a repository for ``promptverdict init``.

Names decide which files are read, within limits. Contents then decide what is a prompt.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from engine.readers.bounded import shown
from engine.readers.dialects import texts_of, variables_of
from engine.readers.guess import INPUT, settled, without_question
from engine.readers.nodes import Node
from engine.readers.promptfoo_files import NAME as PROMPTFOO
from engine.readers.promptfoo_files import is_promptfoo, prompt_files
from engine.readers.promptfoo_tests import promptfoo_tests
from engine.readers.prompts.keys import KEYED_SUFFIXES, keyed_document
from engine.readers.prompts.parts import Blobs, prompt_source
from engine.readers.prompts.references import CODE_SUFFIXES, PYTHON_SUFFIXES, members, read_reference
from engine.readers.prompts.registry import may_hold_prompt
from engine.readers.test_source import GivenFiles
from engine.readers.testsets import BY_LINE, read_test_set
from schemas.errors import SourceError
from schemas.prompts import PromptFile
from schemas.references import PromptParts, reference_of
from schemas.testsets import TestSet

MOST_FILES = {"prompts": 300, "others": 700, "code": 2000, "tests": 100}
"""Most files of each kind that are read."""
MOST_BYTES = {"prompts": 4 * 2**20, "others": 4 * 2**20, "code": 16 * 2**20, "tests": 8 * 2**20}
"""Most bytes of each kind that are read."""
LARGEST = {"prompts": 2**18, "others": 2**16, "code": 2**18, "tests": 8 * 2**20}
"""Larger files of each kind are not read."""
MOST_IN_A_FILE = 40
"""Most constants or keys of one file that are looked at."""
MOST_CONSTANTS = 200
"""Most constants that are looked at."""
MOST_UNREAD = 3
"""Most names of a file that are said not to be read, where nothing in it is called a prompt."""
FEWEST_WORDS = 3
"""A text with fewer words is no prompt, unless it has a variable."""

_TEST_WORDS = r"tests?|cases?|evals?|golden|examples?|fixtures?|datasets?|samples?|qa"
_TEST_LISTS = re.compile(
    rf"(?:^|[/_.-])(?:{_TEST_WORDS})(?:[/_.-]).*\.(?:ya?ml|json)$|{PROMPTFOO.pattern}", re.IGNORECASE
)
"""A list in YAML or JSON may be anything, so only files with such names are read."""
CALLED_TESTS = re.compile(rf"(?:^|[/_.-])(?:{_TEST_WORDS})(?:[/_.-])", re.IGNORECASE)
_PROSE = re.compile(
    r"(?:^|/)(?:readme|changelog|contributing|license|code_of_conduct|security|agents|claude)\b[^/]*$", re.IGNORECASE
)
_NOT_OURS = re.compile(
    r"(?:^|/)(?:node_modules|bower_components|vendor|third_party|site-packages|dist|build|target|\.(?!github/)[^/]+)/"
    r"|\.min\.[cm]?js$|\.d\.ts$",
    re.IGNORECASE,
)
_NO_SOURCE = re.compile(
    r"(?:^|/)(?:tests?|__tests__|migrations)/|(?:^|/)(?:test_[^/]*|conftest)\.py$|[._](?:test|spec)\.[^/]+$"
)
_ABOUT_MODELS = re.compile(r"(?:^|[/_.-])(?:llms?|ai|gpt|openai|anthropic|claude|agents?|chat|bots?|chains?)(?:[/_.-])")

_PYTHON = re.compile(
    r"^(?:(?:(?:async )?def|class) +(\w+) *[(:]|([A-Za-z_]\w*) *(?::[^=\n]{0,200})?=(?!=))", re.MULTILINE
)
_SCRIPT = re.compile(
    r"^(?:export +)?(?:default +)?(?:(?:(?:async +)?function|(?:abstract +)?class|enum|namespace) +(\w+)"
    r"|(?:const|let|var) +([A-Za-z_$]\w*))",
    re.MULTILINE,
)
_HOLDING = ("class ", "export class ", "export default class ", "enum ", "export enum ")
"""Beginnings of definitions that may hold prompts, whatever they are called."""
_TEMPLATES = (".yaml", ".yml", ".json", ".j2", ".jinja", ".jinja2")
_ROLES = re.compile(
    rb"""\brole["']?[ \t]*:[ \t]*["']?(?:system|developer|user)\b|^(?:\#[ \t]*)?(?:system|developer|user):[ \t]*\r?$""",
    re.IGNORECASE | re.MULTILINE,
)
"""Messages with roles, as in a list of messages, or as lines before the texts."""
_WORD = re.compile(r"[A-Za-z_]\w*")
_PARTS = {"system": "system", "system_prompt": "system", "user": "user", "user_prompt": "user"}
"""Keys that are the parts of one prompt."""


class Candidates(NamedTuple):
    """Files worth reading, the likeliest first."""

    prompts: tuple[str, ...]
    """Files whose names suggest prompts."""
    others: tuple[str, ...]
    """Files that may hold messages with roles, whatever their names."""
    code: tuple[str, ...]
    tests: tuple[str, ...]
    left: int = 0
    """How many others there are that the limits leave out."""

    @property
    def paths(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.prompts, *self.others, *self.code, *self.tests)

    def within(self, sizes: Mapping[str, int | None]) -> Candidates:
        """Returns those that the limits on bytes allow."""
        kept: dict[str, list[str]] = {}
        left = self.left
        for kind, most in MOST_BYTES.items():
            room, kept[kind] = most, []
            for path in getattr(self, kind):
                size = sizes.get(path) or 0
                if size > min(room, LARGEST[kind]):
                    left += 1
                    continue
                room -= size
                kept[kind].append(path)
        return Candidates(**{kind: tuple(found) for kind, found in kept.items()}, left=left)


def candidates(paths: Iterable[str]) -> Candidates:
    """Chooses by names alone, within the limits on numbers."""
    kinds: dict[str, list[str]] = {kind: [] for kind in MOST_FILES}
    for path in paths:
        if _NOT_OURS.search(path) or not path.isprintable():
            continue
        if path.endswith(CODE_SUFFIXES):
            if not _NO_SOURCE.search(path):
                kinds["code"].append(path)
        elif may_hold_prompt(path) and not _PROSE.search(path):
            kinds["prompts"].append(path)
        elif path.endswith(BY_LINE) or _TEST_LISTS.search(path):
            kinds["tests"].append(path)
        elif path.endswith(_TEMPLATES):
            kinds["others"].append(path)
    left = sum(max(0, len(found) - MOST_FILES[kind]) for kind, found in kinds.items())
    chosen = {kind: tuple(sorted(found, key=_rank)[: MOST_FILES[kind]]) for kind, found in kinds.items()}
    return Candidates(**chosen, left=left)


def _rank(path: str) -> tuple[object, ...]:
    likely = ("prompt" in path.lower() and may_hold_prompt(path)) or CALLED_TESTS.search(path)
    return not likely, not _ABOUT_MODELS.search(path), path.count("/"), path


class FoundPrompt(NamedTuple):
    """A prompt, and how a configuration names it."""

    written: str | PromptParts
    prompt: PromptFile
    variables: frozenset[str]


class Search:
    """What the files hold. ``left`` has what was not taken: the reason and the place."""

    def __init__(self, files: Candidates, blobs: Blobs) -> None:
        self._blobs = blobs
        self.left: list[tuple[str, str]] = []
        self._unread: list[tuple[str, str]] = []
        """The same of names in a file of code that may be no prompts."""
        # A configuration of promptfoo may be called like a prompt: evals/04_prompt_evaluation.yaml.
        named = (path for path in (*files.prompts, *files.others) if is_promptfoo(path, blobs.get(path) or b""))
        configs = self._test_sets(named)
        prompts, others = ([path for path in kind if path not in configs] for kind in (files.prompts, files.others))
        found = [*self._files(prompts), *self._others(others), *self._constants(files.code)]
        included = {partial for each in found for partial in each.prompt.partials}
        by_name = {str(each.written): each for each in found if each.prompt.path not in included}
        self.prompts = tuple(each for _, each in sorted(by_name.items()))
        self.tests = tuple((self._test_sets(files.tests) | configs).values())
        self.promptfoo = (*(path for path in files.tests if PROMPTFOO.search(path)), *configs)
        """The configurations of promptfoo."""

    @property
    def named(self) -> dict[str, tuple[str, ...]]:
        """By configuration of promptfoo: the paths and patterns of its prompts."""
        return {path: prompt_files(path, self._blobs.get(path) or b"") for path in self.promptfoo}

    def _files(self, paths: Iterable[str]) -> Iterator[FoundPrompt]:
        for path in paths:
            try:
                yield self._read(path)
            except SourceError as error:
                keys = list(self._keys(path)) if path.endswith(KEYED_SUFFIXES) else []
                yield from keys
                if not keys:
                    self.left.append((error.what, path))

    def _others(self, paths: Iterable[str]) -> Iterator[FoundPrompt]:
        for path in paths:
            if _ROLES.search(self._blobs.get(path) or b""):
                with contextlib.suppress(SourceError):
                    yield self._read(path)

    def _read(self, written: str | PromptParts) -> FoundPrompt:
        prompt = read_reference(reference_of(written), self._blobs)
        pair = isinstance(written, str) and "#" not in written and prompt.path != written
        return FoundPrompt(prompt.path if pair else written, prompt, _variables(prompt))

    def _keys(self, path: str) -> Iterator[FoundPrompt]:
        """Yields the texts of a YAML, JSON or TOML file. ``system`` and ``user`` beside each other are one prompt."""
        try:
            places = list(_texts(keyed_document(prompt_source(path, self._blobs)), ()))
        except SourceError:
            return
        for parts in _grouped(f"{path}#{'.'.join(steps)}" for steps in places[:MOST_IN_A_FILE]):
            try:
                yield self._read(parts)
            except SourceError as error:
                self.left.append((error.what, str(reference_of(parts).places[0])))

    def _constants(self, paths: Iterable[str]) -> Iterator[FoundPrompt]:
        looked_at = 0
        for path in paths:
            found, self._unread = 0, []
            for name in self._wanted(path)[: min(MOST_IN_A_FILE, MOST_CONSTANTS - looked_at)]:
                looked_at += 1
                for each in self._constant(path, name):
                    found += 1
                    yield each
            # A file of prompts in which none can be read is named, whatever its functions are called.
            if not found and may_hold_prompt(path):
                self.left += self._unread[:MOST_UNREAD]

    def _wanted(self, path: str) -> list[str]:
        """Returns the names in a file of code that may be prompts, or hold some."""
        data = self._blobs.get(path) or b""
        if b"prompt" not in data.lower() and not may_hold_prompt(path):
            return []
        text = data.decode("utf-8", "replace")
        pattern = _PYTHON if path.endswith(PYTHON_SUFFIXES) else _SCRIPT
        names = dict.fromkeys(found[1] or found[2] for found in pattern.finditer(text))
        classes = {found[1] for found in pattern.finditer(text) if found[0].lstrip().startswith(_HOLDING)}
        return [name for name in names if may_hold_prompt(path) or _is_called_prompt(name) or name in classes]

    def _constant(self, path: str, name: str) -> Iterator[FoundPrompt]:
        """Yields the prompt that a constant is, or those that a dict or a class holds."""
        held = members(path, self._blobs, name)[:MOST_IN_A_FILE]
        all_of_them = _is_called_prompt(name) or may_hold_prompt(path)
        wanted = [each for each in held or (name,) if all_of_them or _is_called_prompt(each.rpartition(".")[2])]
        places = [f"{path}#{each}" for each in wanted]
        for written in _grouped(places) if held else places:
            yield from self._text(written)

    def _text(self, written: str | PromptParts) -> Iterator[FoundPrompt]:
        place = reference_of(written).places[0]
        name = (place.key or "").rpartition(".")[2]
        try:
            found = self._read(written)
        except SourceError as error:
            said = self.left if _is_called_prompt(name) else self._unread
            if not _is_component(place.path, name):
                said.append((error.what.replace(shown(name), "it"), str(place)))
            return
        if _may_be_prompt(found.prompt.messages[0].content):
            yield found

    def _test_sets(self, paths: Iterable[str]) -> dict[str, TestSet]:
        return {path: tests for path in paths if (tests := self._tests(path)) is not None}

    def _tests(self, path: str) -> TestSet | None:
        """Returns the test set in a file, if it is one. Notes one that is named like one and can't be read."""
        data = self._blobs.get(path)
        if data is None:
            return None
        try:
            if is_promptfoo(path, data):
                tests = promptfoo_tests(path, GivenFiles(self._blobs))
                if not any(case.assertions or case.rubric for case in tests.cases):
                    raise SourceError("no assertion of its cases can be evaluated", where=path)
            else:
                tests = read_test_set(path, data)
        except SourceError as error:
            if PROMPTFOO.search(path) or (path.endswith(BY_LINE) and CALLED_TESTS.search(path)):
                self.left.append((error.what, error.where or path))
            return None
        return tests if tests.cases else None


def _grouped(places: Iterable[str]) -> list[str | PromptParts]:
    """Returns the places, with ``system`` and ``user`` beside each other as the parts of one prompt."""
    groups: dict[str, dict[str, str]] = {}
    for place in places:
        above, _, last = place.rpartition(".") if "." in place.partition("#")[2] else ("", "", place.partition("#")[2])
        part = _PARTS.get(last.lower())
        groups.setdefault(f"{above} of {place.partition('#')[0]}" if part else place, {})[part or ""] = place
    return [
        PromptParts.model_validate(parts) if len(parts) > 1 else next(iter(parts.values())) for parts in groups.values()
    ]


def _variables(prompt: PromptFile) -> frozenset[str]:
    """Returns the inputs of a prompt, in the dialect in which it would use most. Without any, it takes ``input``."""
    words = {word for text in texts_of(prompt) for word in _WORD.findall(text)}
    used = variables_of(without_question(settled([prompt], words)[0]))
    return used or variables_of(settled([prompt], {INPUT})[0])


def _is_called_prompt(name: str) -> bool:
    """Returns whether ``prompt`` is the first or the last word: ``SYSTEM_PROMPT``, ``triagePrompt``, ``prompt_v2``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_$").split("_")
    return not {"prompt", "prompts"}.isdisjoint((words[0], words[-1]))


def _is_component(path: str, name: str) -> bool:
    """Returns whether a name is that of a component of a user interface (``PromptInput``), which is no prompt."""
    return path.endswith((".tsx", ".jsx")) and re.match(r"[A-Z][A-Za-z0-9]*[a-z]", name) is not None


def _may_be_prompt(text: str) -> bool:
    words = text.split()
    return len(words) >= FEWEST_WORDS or (len(words) > 1 and ("{" in text or "$" in text))


def _texts(node: Node, steps: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yields the steps to each text that may be a prompt, and to each list of messages."""
    if isinstance(node.value, dict):
        for key, child in node.value.items():
            yield from _texts(child, (*steps, key))
    elif isinstance(node.value, list):
        if steps and node.value and all(isinstance(i.value, dict) and "role" in i.value for i in node.value):
            yield steps
    elif steps and isinstance(node.value, str) and _may_be_prompt(node.value):
        yield steps
