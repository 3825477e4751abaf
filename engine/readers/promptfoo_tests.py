"""Reads the tests of a promptfoo configuration as cases.

What can't be a case, or can't be evaluated, is a warning with its place.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import product

from pydantic import JsonValue

from engine.readers.assertions import Given, LeftOut, NotReadError, filled, read_assertions, variables_in
from engine.readers.bounded import shown, within_limit
from engine.readers.cases import case_of, not_imported
from engine.readers.columns import KNOWN
from engine.readers.nodes import plain
from engine.readers.promptfoo_files import CODE, ConfigFiles
from engine.readers.promptfoo_parts import Part, Parts
from engine.readers.test_source import TestFiles
from engine.readers.testsets import MAX_CASES
from schemas.errors import SourceError
from schemas.testsets import NO_CASE, TestCase, TestSet

_MEDIA = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".pdf", ".mp3", ".wav", ".mp4", ".svg", ".xlsx", ".xls")
_OWN = KNOWN - {"input", "inputs", "expected", "assert"}
"""Keys of a case that a test may have beside its variables."""
_METADATA = {"id": (str, int), "slice": (str, list), "slices": (str, list), "cluster": (str,), "protected": (bool,)}
"""Keys of a case that a test may have in its metadata, and their kinds. Any other metadata is for people."""
_CODED = {
    "transform": "code changes the answer first",
    "postprocess": "code changes the answer first",
    "assertScoringFunction": "code computes the score",
}
"""Keys with which no assertion gives its result."""
_REFUSED = {"providerOutput": "it doesn't ask the model", "transformVars": "code makes its variables"}
"""Keys of tests that can't be cases."""
_READ = frozenset({"vars", "assert", "threshold", "options", "metadata", "description"})
_READ_OPTIONS = frozenset({"disableVarExpansion", "disableDefaultAsserts", "runSerially"})


def promptfoo_tests(path: str, files: TestFiles) -> TestSet:
    """Returns the cases of a promptfoo configuration. Raises SourceError with ``path:line``."""
    return _Tests(ConfigFiles(path, files)).test_set()


def tests_and_left_out(path: str, files: TestFiles) -> tuple[TestSet, list[tuple[TestCase | None, LeftOut]]]:
    """Returns the cases, and everything that isn't imported, with its case if it is a part of one."""
    tests = _Tests(ConfigFiles(path, files))
    return tests.test_set(), tests.left_out


def promptfoo_paths(path: str, files: TestFiles) -> tuple[str, ...]:
    """Returns all paths and patterns that the tests of a configuration depend on, as far as it can be read."""
    try:
        config = ConfigFiles(path, files)
    except SourceError:
        return (path,)
    with contextlib.suppress(SourceError):
        _Tests(config).test_set()
    return tuple(config.asked)


class _Tests:
    """The cases of one configuration while they are read."""

    def __init__(self, config: ConfigFiles) -> None:
        self._config = config
        self._parts = Parts(config)
        self._default = Part(config.source, None, {})
        self._cases: dict[str, TestCase] = {}
        self._alike: Counter[str] = Counter()
        """By name: cases that got another one because of it."""
        self._sizes: dict[int, tuple[JsonValue, int]] = {}
        """By identity: a value, which is kept so that no other one gets its identity, and its size."""
        self.left_out: list[tuple[TestCase | None, LeftOut]] = []
        self._unread: dict[str, dict[str, JsonValue]] = {}

    def test_set(self) -> TestSet:
        if (code := self._config.entries.get("extensions")) is not None:
            self._parts.leave(self._config.source.where(code.line), "extensions", "they run code", plain(code))
        self._default = self._parts.default()
        self._leave_unread(self._default, own=frozenset())
        for part in self._parts.tests():
            self._add(part)
        for one, raw in self._parts.left_out:
            self.left_out.append((None, one))
            listed = self._unread.setdefault(NO_CASE, {}).setdefault(one.what, [])
            assert isinstance(listed, list)
            listed.append(raw)
        return TestSet(
            path=self._config.path,
            cases=tuple(self._cases.values()),
            mapping={"inputs": ("vars",)},
            unread=self._unread,
            warnings=within_limit([*self._config.warnings, *not_imported(self.left_out)]),
        )

    def _add(self, part: Part) -> None:
        own, raw = part.map("options"), dict(part.values)
        options = {**self._default.map("options"), **own}
        merged = {**self._default.values, **options, **part.values}
        refused = next((key for key in _REFUSED if merged.get(key) is not None), None)
        if refused is not None:
            self._parts.leave(part.where, f"a test with {refused}", _REFUSED[refused], raw)
            return
        defaults = () if own.get("disableDefaultAsserts") is True else self._default.asserted
        asserted = self._evaluated(part, merged, (*defaults, *part.asserted))
        self._leave_unread(part, own=_OWN)
        try:
            for inputs in self._expanded(part, every=options.get("disableVarExpansion") is not True):
                self._case(part, merged.get("threshold"), inputs, asserted)
        except NotReadError as error:
            self._parts.leave(part.where, "a test", str(error), raw)

    def _leave_unread(self, part: Part, *, own: frozenset[str]) -> None:
        """Notes the keys and options of a test, or of the defaults, that nothing reads. ``own``: keys of a case."""
        options = part.map("options")
        for key in sorted({*part.values} - _READ - own - _CODED.keys() - _REFUSED.keys()):
            self._parts.leave(part.where, f"{shown(key)} of a test", "it isn't read", part.values[key])
        for key in sorted({*options} - _READ_OPTIONS - _CODED.keys() - _REFUSED.keys()):
            self._parts.leave(part.where, f"the option {shown(key)}", "it isn't read", options[key])

    def _evaluated(self, part: Part, merged: Mapping[str, JsonValue], asserted: tuple[Given, ...]) -> tuple[Given, ...]:
        """Returns the assertions of a test, none if code has a say in their results."""
        coded = next((key for key in _CODED if merged.get(key) is not None), None)
        if coded is None:
            return asserted
        if asserted:
            raw = [one.raw for one in part.asserted]
            self._parts.leave(part.where, f"what a test with {coded} asserts", _CODED[coded], raw)
        return ()

    # -- inputs

    def _expanded(self, part: Part, *, every: bool) -> Iterator[dict[str, JsonValue]]:
        """Yields the inputs for each combination of the values of lists and patterns of files."""
        variables = {**self._default.map("vars"), **part.map("vars")}
        choices = {name: self._choices(value, every=every) for name, value in variables.items()}
        if math.prod(map(len, choices.values())) > MAX_CASES:
            raise part.source.error(f"more than {MAX_CASES:,} cases", part.line, hint="shorten the lists of values")
        for values in product(*choices.values()):
            inputs = dict(zip(choices, values, strict=True))
            yield {name: self._rendered(value, inputs) for name, value in inputs.items()}

    def _choices(self, value: JsonValue, *, every: bool) -> list[JsonValue]:
        try:
            if isinstance(value, str) and value.startswith("file://"):
                paths = self._config.named(value) if every else (self._config.resolve(value),)
                return [self._loaded(path) for path in paths]
        except SourceError as error:
            raise NotReadError(str(error)) from None
        # A list whose first value is not text is one value.
        if every and isinstance(value, list) and value and isinstance(value[0], str):
            return [self._choices(one, every=False)[0] for one in value]
        return [value]

    def _loaded(self, path: str) -> JsonValue:
        if CODE.search(path):
            raise NotReadError("code makes one of its variables")
        if path.lower().endswith(_MEDIA):
            raise NotReadError(f"{shown(path, 80)} is not text")
        if path.endswith((".yaml", ".yml")):
            return json.dumps(plain(self._config.document(path)), ensure_ascii=False, separators=(",", ":"))
        return self._config.text(path)

    def _rendered(self, value: JsonValue, inputs: Mapping[str, JsonValue]) -> JsonValue:
        """Returns a text with other variables filled in, unless one of them is missing."""
        if not isinstance(value, str):
            return value
        value = value.removesuffix("\n")
        names = variables_in(value)
        if any(name.startswith("env.") for name in names):
            raise NotReadError("it depends on the environment")
        if any(name.partition(".")[0] not in inputs for name in names):
            return value
        return filled(self._config.source, value, inputs) if names or "{%" in value else value

    # -- cases

    def _case(
        self, part: Part, threshold: JsonValue, inputs: dict[str, JsonValue], asserted: tuple[Given, ...]
    ) -> None:
        if len(self._cases) == MAX_CASES:
            raise part.source.error(f"more than {MAX_CASES:,} cases", part.line, hint="split the test set")
        self._config.source.charge(sum(map(self._size, inputs.values())))
        found = read_assertions(self._config.source, asserted, inputs, self._config.content)
        row = {**_about(self._default.map("metadata")), **_about(part.map("metadata"))}
        row |= {key: value for key, value in part.values.items() if key in _OWN}
        row |= {"inputs": inputs, "assert": [], "threshold": threshold}
        if isinstance(description := part.values.get("description"), str):
            row.setdefault("notes", description)
        case, named, _ = case_of(part.source, row, part.line, Counter(), found)
        if not named:
            case = case.model_copy(update={"id": self._free(case.id)})
        elif (first := self._cases.get(case.id)) is not None and first.where == case.where:
            case = case.model_copy(update={"id": self._free(case.id)})  # one test with a list of values
        elif case.id in self._cases:
            what = f"two cases have the id {shown(case.id)} ({self._cases[case.id].where} and {case.where})"
            raise part.source.error(what, part.line, hint="give each its own id, or remove one")
        self._cases[case.id] = case
        self.left_out += [(case, one) for one in found.left_out]
        if found.left_out:
            self._unread[case.id] = {"assert": [one.raw for one in asserted]}

    def _size(self, value: JsonValue) -> int:
        """Returns how many characters a value has. Equal values of many tests are the same objects."""
        if isinstance(value, str):
            return len(value)
        if not isinstance(value, list | dict):
            return 1
        if id(value) not in self._sizes:
            self._sizes[id(value)] = (value, len(json.dumps(value)))
        return self._sizes[id(value)][1]

    def _free(self, name: str) -> str:
        """Returns a name that no case has: two tests may have the same variables."""
        free = name
        while free in self._cases:
            self._alike[name] += 1
            free = f"{name}-{self._alike[name] + 1}"
        return free


def _about(metadata: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Returns the keys of a case that metadata has. Cells of CSV are texts."""
    found = {key: value for key, value in metadata.items() if isinstance(value, _METADATA.get(key, ()))}
    for key in ("slice", "slices"):
        if isinstance(text := found.get(key), str):
            found[key] = [part.strip() for part in text.split(";") if part.strip()]
    if str(metadata.get("protected")).lower() == "true":
        found["protected"] = True
    return found
