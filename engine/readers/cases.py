"""Reads one test case from a map."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from sys import intern
from typing import NamedTuple

from pydantic import JsonValue, ValidationError

from engine.readers.assertions import Asserted, Given, LeftOut, read_assertions
from engine.readers.bounded import Source, did_you_mean, shown
from engine.readers.columns import KNOWN
from evaluators.case_assertions import named_value
from evaluators.checks import examine
from schemas.check_config import CheckRule
from schemas.conversations import MAX_STEPS, ScriptedResult
from schemas.errors import ConfigError
from schemas.prompts import Finding
from schemas.testsets import Source as Origin
from schemas.testsets import TestCase
from schemas.values import digest_of

MAX_RESULTS = 100
"""Most scripted results of one case."""
SHORT = 80
"""Characters of a text that several cases probably share: a label, a slice."""
MAX_PLACES = 20
"""Most further places that one warning lists."""
_READ = set(TestCase.model_fields)
"""Which fields of a case are set. One set for all cases: a set for each would take half of their memory."""


_NOTHING: dict[str, object] = {
    name: None if field.is_required() else field.default for name, field in TestCase.model_fields.items()
}
"""The fields of a case without any keys."""
_USUAL = frozenset({"id", "input", "inputs", "expected", "slice", "slices"})


class ReadCase(NamedTuple):
    """A case and what reading it found."""

    case: TestCase
    named: bool
    """Whether it has an id of its own."""
    left_out: tuple[LeftOut, ...]
    """Its assertions that aren't evaluated."""


def case_of(
    source: Source,
    row: Mapping[str, JsonValue],
    line: int | None,
    unknown: Counter[str],
    asserted: Asserted | None = None,
) -> ReadCase:
    """Returns the case. Without an id of its own, its id is a hash of its inputs.

    ``asserted`` holds its assertions if they were read already. Counts unknown keys in ``unknown``. Raises SourceError
    at ``line``.
    """
    reading = _Reading(source, row, line)
    if not row.keys() <= KNOWN:
        unknown.update(key for key in row if key not in KNOWN and not (key == "threshold" and "assert" in row))
    inputs = reading.inputs()
    given = reading.name()
    fields = _NOTHING | {
        "id": given or digest_of(inputs)[:12],
        "inputs": inputs,
        "expected": _shared(expected) if isinstance(expected := row.get("expected"), str) else expected,
        "slices": reading.texts("slice", "slices"),
        "path": source.path,
        "line": line,
    }
    left_out: tuple[LeftOut, ...] = ()
    # Most cases of a large test set have none of the other keys.
    if asserted is not None or not row.keys() <= _USUAL:
        asserted = asserted or read_assertions(source, [Given(one, source, line) for one in reading.asserted()], inputs)
        left_out = asserted.left_out
        fields |= reading.others(asserted)
        if "expected" not in row and (names := named_value(asserted.assertions)):
            fields["expected"] = names.value
    # The types are checked one by one; validating 5,000 cases again would take longer than reading them.
    return ReadCase(TestCase.of_checked(fields, _READ), given is not None, left_out)


def _shared(text: str) -> str:
    """Returns a short text, such as a label or a slice, as the same object for all cases that have it."""
    return intern(str(text)) if len(text) <= SHORT else text


def not_imported(
    left_out: Iterable[tuple[TestCase | None, LeftOut]], *, most: int | None = MAX_PLACES
) -> list[Finding]:
    """Returns a warning for each kind of assertion that isn't evaluated, with its places, and for cases without any.

    ``most`` is the number of further places that one warning lists. ``None``: all.
    """
    groups: dict[tuple[str, str], dict[str, None]] = {}
    bare: dict[str, None] = {}
    for case, one in left_out:
        groups.setdefault((f"{one.what} is not imported", one.why), {})[one.where] = None
        if case and not case.assertions and case.expected is None and case.rubric is None:
            bare[case.where or ""] = None
    if bare:
        groups["no assertion is left that says what is right here", "give the case one that can be evaluated"] = bare
    return [_at(list(places), what, why, most) for (what, why), places in groups.items()]


def _at(places: Sequence[str], what: str, why: str, most: int | None) -> Finding:
    first, others = places[0], places[1:]
    listed = f", nor at {', '.join(others[:most])}" if others else ""
    more = f" and {len(others) - most} more places" if most is not None and len(others) > most else ""
    return Finding(what=f"{what}{listed}{more}", where=first or None, hint=why)


class _Reading:
    """The keys of one case while it is read."""

    def __init__(self, source: Source, row: Mapping[str, JsonValue], line: int | None) -> None:
        self.source = source
        self.row = row
        self.line = line

    def error(self, what: str, hint: str) -> Exception:
        return self.source.error(what, self.line, hint=hint)

    def inputs(self) -> dict[str, JsonValue]:
        if "input" in self.row and "inputs" in self.row:
            raise self.error("the case has input and inputs", "keep one of the two")
        inputs = self.row.get("inputs", self.row.get("input"))
        if isinstance(inputs, dict):
            return inputs
        if inputs is None:
            raise self.error("the case has no inputs", "add input: text, or inputs: {name: value}")
        if "inputs" in self.row:
            raise self.error("inputs is not a map", "write inputs: {name: value}, or input: text")
        return {"input": inputs}

    def others(self, asserted: Asserted) -> dict[str, object]:
        """Returns the fields that most cases of a large test set lack."""
        return {
            "tags": self.texts("tags"),
            "source": self.origin(),
            "verified": self.flag("verified", default=True),
            "protected": self.flag("protected"),
            "cluster": self.text("cluster"),
            "notes": self.text("notes"),
            "rubric": self.either("rubric", "rubric_notes") or asserted.rubric,
            "must": tuple(CheckRule(contains=one) if isinstance(one, str) else one for one in self.rules("must")),
            "must_not": tuple(one for one in self.rules("must_not") if one),
            "assertions": asserted.assertions,
            "threshold": self.threshold(),
            "same_as": self.reference(),
            "turns": self.turns(),
            "tool_results": self.tool_results(),
        }

    def name(self) -> str | None:
        name = self.row.get("id")
        if name is None or name == "":
            return None
        if isinstance(name, bool) or not isinstance(name, str | int):
            raise self.error("the id is not text", "write it in quotes")
        return str(name)

    def text(self, key: str) -> str | None:
        text = self.row.get(key)
        if text is None or isinstance(text, str):
            return text or None
        raise self.error(f"{key} is not text", "write it in quotes")

    def reference(self) -> str | None:
        name = self.row.get("same_as")
        return str(name) if isinstance(name, int) and not isinstance(name, bool) else self.text("same_as")

    def either(self, *keys: str) -> str | None:
        return next((text for key in keys if (text := self.text(key)) is not None), None)

    def texts(self, *keys: str) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for key in keys:
            value = self.row.get(key)
            if value is None:
                continue
            members = value if isinstance(value, list) else [value]
            for member in members:
                if not isinstance(member, str):
                    raise self.error(f"{key} contains something that is not text", "write texts: [one, two]")
                found[_shared(member)] = None
        return tuple(found)

    def rules(self, key: str) -> list[str | CheckRule]:
        """Returns texts and checks such as ``{regex_match: …}``. Raises SourceError for one that can't be run."""
        value = self.row.get(key)
        members = value if isinstance(value, list) else [] if value is None else [value]
        return [self._rule(key, member) for member in members]

    def _rule(self, key: str, member: JsonValue) -> str | CheckRule:
        if isinstance(member, str):
            return member
        if not isinstance(member, dict):
            raise self.error(f"{key} contains something that is neither a text nor a check", "write [text, {rule: …}]")
        try:
            rule = CheckRule.model_validate(member)
            examine(rule, key)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            at = ".".join(str(step) for step in first["loc"])
            unknown = first["type"] == "extra_forbidden"
            hint = did_you_mean(at, CheckRule.model_fields) if unknown else "change the value"
            raise self.error(f"{key}: {shown(at)}: {first['msg'].removeprefix('Value error, ')}", hint) from None
        except ConfigError as error:
            raise self.error(error.what, error.hint or "change the check") from None
        return rule

    def turns(self) -> tuple[str, ...]:
        value = self.row.get("turns")
        members = value if isinstance(value, list) else [] if value is None else [value]
        if len(members) > MAX_STEPS or not all(isinstance(member, str) and member.strip() for member in members):
            hint = f"write at most {MAX_STEPS} texts: turns: [first, second]"
            raise self.error("turns is not a list of texts", hint)
        return tuple(map(str, members))

    def tool_results(self) -> tuple[ScriptedResult, ...]:
        value = self.row.get("tool_results")
        members = value if isinstance(value, list) else [] if value is None else [value]
        if len(members) > MAX_RESULTS:
            raise self.error(f"more than {MAX_RESULTS} tool_results", "split the case")
        return tuple(self._scripted(member) for member in members)

    def _scripted(self, member: JsonValue) -> ScriptedResult:
        try:
            return ScriptedResult.model_validate(member)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            at = ".".join(str(step) for step in first["loc"])
            what = f"tool_results: {shown(at)}: {first['msg']}" if at else "an item of tool_results is not a map"
            raise self.error(what, "write [{name: look_up, arguments: {id: 7}, result: …, set: {…}}]") from None

    def asserted(self) -> list[JsonValue]:
        given = self.row.get("assert")
        return given if isinstance(given, list) else [] if given is None else [given]

    def threshold(self) -> float | None:
        value = self.row.get("threshold") if "assert" in self.row else None
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.error("the threshold is not a number", "write one from 0 to 1")
        return float(value)

    def origin(self) -> Origin | None:
        name = self.row.get("source")
        if name is None or name == "":
            return None
        try:
            return Origin(str(name))
        except ValueError:
            raise self.error(f"unknown source {shown(str(name))}", did_you_mean(str(name), Origin)) from None

    def flag(self, key: str, *, default: bool = False) -> bool:
        value = self.row.get(key, default)
        if not isinstance(value, bool):
            raise self.error(f"{key} must be true or false", f"write {key}: {json.dumps(not default)}")
        return value
