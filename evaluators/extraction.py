"""Scores extraction: compares the JSON object in the answer with the expectation, field by field."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import chain
from typing import ClassVar

from pydantic import JsonValue

from evaluators.field_inputs import CaseInputs
from evaluators.field_rules import compare_field, expectation_problem
from evaluators.field_values import FieldResult, show
from evaluators.json_answers import read_object
from evaluators.parts import EvaluatorSources, MetricGroup, Scores, finding
from evaluators.text import shown
from evaluators.tool_calls import ToolCalls, expects_calls
from schemas.errors import ConfigError
from schemas.field_config import UNEXPECTED, FieldKind, FieldRule
from schemas.outcomes import MetricSpec, Score
from schemas.ports import Ask
from schemas.prompts import Finding
from schemas.testsets import TestCase
from schemas.values import digest_of

METRIC = "fields"
MAX_ANSWER_CHARACTERS = 400
UNASKED = "not asked for: "
"""Begins the last part of a reason: keys that no rule names."""


def part(sources: EvaluatorSources) -> MetricGroup:
    """Returns the evaluator of the lineage's fields, or of those that the cases expect. Raises ConfigError.

    If all cases expect tool calls, it is the evaluator of these.
    """
    lineage, cases = sources.lineage, sources.cases
    if not lineage.fields and expects_calls(case.expected for case in cases):
        return ToolCalls()
    fields = lineage.fields or rules_by_example(case.expected for case in cases)
    if not fields:
        raise ConfigError(
            "an extraction needs fields", hint="list them under `fields:`, or let `expected` be a map of fields"
        )
    # A misspelled field name would score 1 in every case and hide regressions.
    if cases and (idle := unexpected(fields, (case.expected for case in cases))):
        known = sorted({name for case in cases if isinstance(case.expected, dict) for name in case.expected})
        near = get_close_matches(idle[0], known, 1)
        raise ConfigError(
            f"no case has an expected value for the field “{idle[0]}”, so every answer would be right",
            hint=f"did you mean {near[0]}?"
            if near
            else "add it to `expected` (`a.b` is b inside a), or remove its rule",
        )
    return Extraction(fields)


class Extraction:
    """The metric ``fields``, which is the mean over the fields, then one metric for each field, and one for each field
    of objects in a list, such as ``items[].price``.

    A field that ``expected`` lacks, or has as null, must be absent or null in the answer. Fields without a rule are
    ignored. ``address.city`` is the city inside the address, unless a field has that very name.
    """

    asks: ClassVar = False
    ignores_case: ClassVar = False

    def __init__(self, fields: Mapping[str, FieldRule]) -> None:
        self.fields = dict(fields)
        self._reads_input = any(rule.in_input for rule in fields.values())

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """The mean, then the fields in the order of the configuration, then those of objects, which don't decide."""
        fields = (MetricSpec(name=name, kind="field") for name in self.fields)
        inner = (MetricSpec(name=f"{name}[].{one}", gates=False) for name, one in self._inner())
        return (MetricSpec(name=METRIC), *fields, *inner)

    def _inner(self) -> Iterator[tuple[str, str]]:
        """Yields the fields of objects, each with the list that holds them."""
        return ((name, one) for name, rule in self.fields.items() for one in rule.fields)

    @property
    def version(self) -> str:
        """The version of the algorithm and a digest of the rules."""
        rules = [[name, rule.model_dump(mode="json")] for name, rule in self.fields.items()]
        return f"extraction-6-{digest_of(rules)[:16]}"

    def problem(self, case: TestCase) -> Finding | None:
        """Returns a finding if the expectation isn't a map, has none of the fields, or breaks a field's rule."""
        if not isinstance(case.expected, dict):
            what = "it expects nothing" if case.expected is None else "expected is not a map of fields"
            return finding(case, what, "write `expected: {field: value, …}`; `null` for a field that must be absent")
        if not any(holds(case.expected, name) for name in self.fields) and case.expected:
            names = ", ".join(list(self.fields)[:8])
            return finding(case, "expected has none of the lineage's fields", f"the fields are {names}")
        for name, rule in self.fields.items():
            if problem := expectation_problem(rule, lookup(case.expected, name)):
                return finding(case, f"the field “{name}” {problem}", "change the expectation or the field's rule")
        return self._not_in_input(case, case.expected)

    def _not_in_input(self, case: TestCase, expected: dict[str, JsonValue]) -> Finding | None:
        """Returns a finding if a right value would count as hallucinated."""
        source = CaseInputs(case.inputs.values()) if self._reads_input else None
        for name, rule in self.fields.items():
            value = lookup(expected, name)
            right = value if rule.any_of and isinstance(value, list) and value else [value]
            if source and rule.in_input and not any(source.hold(rule, one) for one in right):
                what = f"the field “{name}” expects {show(value)}, which its inputs don't contain as in_input demands"
                return finding(case, what, "expect it as the inputs write it, or remove in_input")
        return None

    def extra_keys(self, answer: Mapping[str, JsonValue]) -> tuple[str, ...]:
        """Returns the top-level keys of an answer that no rule names."""
        known = {step for name in self.fields for step in (name, name.partition(".")[0])}
        return tuple(key for key in answer if key not in known)

    async def score(self, case: TestCase, output: str, ask: Ask) -> Scores:  # noqa: ARG002 - needs no judge
        """Returns the mean and every field. An answer without a JSON object scores 0 on all of them."""
        reading = read_object(output)
        if not reading.found or not isinstance(reading.value, dict):
            return tuple(Score(metric=spec.name, value=0, reason=reading.problem) for spec in self.metrics)
        given = {name: lookup(reading.value, name) for name in self.fields}
        expected = case.expected if isinstance(case.expected, dict) else {}
        source = CaseInputs(case.inputs.values()) if self._reads_input else None
        results = {
            name: _result(rule, lookup(expected, name), given[name], source) for name, rule in self.fields.items()
        }
        # Every field weighs the same, whatever its size, unless its rule says otherwise.
        total = sum(rule.weight for rule in self.fields.values())
        mean = min(1.0, sum(results[name].value * rule.weight for name, rule in self.fields.items()) / total)
        wrong = [f"{name} {result.reason}" for name, result in results.items() if result.reason]
        wrong += (
            [f"{UNASKED}{shown(', '.join(extra)).replace(';', ',')}"]
            if (extra := self.extra_keys(reading.value))
            else []
        )
        answer = json.dumps(given, ensure_ascii=False)
        return (
            Score(metric=METRIC, value=mean, reason="; ".join(wrong), answer=shown(answer, MAX_ANSWER_CHARACTERS)),
            *(
                Score(
                    metric=name,
                    value=result.value,
                    reason=result.reason,
                    answer=show(given[name], MAX_ANSWER_CHARACTERS),
                )
                for name, result in results.items()
            ),
            *(
                Score(metric=f"{name}[].{one}", value=min(1.0, results[name].parts.get(one, results[name].value)))
                for name, one in self._inner()
            ),
        )


def _result(rule: FieldRule, expected: JsonValue, given: JsonValue, source: CaseInputs | None) -> FieldResult:
    if rule.in_input and source is not None and not source.hold(rule, given):
        return FieldResult(0, f"hallucinated: {show(given)}, which is not in the input")
    return compare_field(rule, expected, given)


def rules_by_example(expectations: Iterable[JsonValue]) -> dict[str, FieldRule]:
    """Returns rules for a lineage without `fields`: the keys of all expectations, compared by the type of their values.

    Numbers are compared by ``number`` and lists by ``set``. Everything else, including mixed types, is compared by
    ``normalised``.
    """
    kinds: dict[str, set[FieldKind]] = {}
    for expected in expectations:
        for name, value in expected.items() if isinstance(expected, dict) else ():
            seen = kinds.setdefault(name, set())
            # Null fits every kind, so it decides nothing about the field.
            if value is not None:
                seen.add(_kind_of(value))
    return {name: FieldRule(kind=_only(seen)) for name, seen in kinds.items()}


def _kind_of(value: JsonValue) -> FieldKind:
    if isinstance(value, list):
        return FieldKind.SET
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return FieldKind.NUMBER if number else FieldKind.NORMALISED


def _only(kinds: set[FieldKind]) -> FieldKind:
    return next(iter(kinds)) if len(kinds) == 1 else FieldKind.NORMALISED


def unexpected(fields: Mapping[str, FieldRule], expectations: Iterable[JsonValue]) -> tuple[str, ...]:
    """Returns the fields that no expectation contains, not even as null. Any answer would be right about them.

    Fields of objects in a list are named ``items[].price``. A field that must be absent, present or match a pattern
    needs no expectation.
    """
    maps = [expected for expected in expectations if isinstance(expected, dict)]
    found: list[str] = []
    for name, rule in fields.items():
        if rule.kind not in UNEXPECTED and not any(holds(expected, name) for expected in maps):
            found.append(name)
        elif rule.fields:
            lists = [_listed(lookup(expected, name)) for expected in maps]
            if rule.any_of:
                lists = [_listed(right) for several in lists for right in several]
            inner = unexpected(rule.fields, chain.from_iterable(lists))
            found += [f"{name}[].{one}" for one in inner]
    return tuple(found)


def _listed(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def holds(fields: Mapping[str, JsonValue], name: str) -> bool:
    """Returns whether the field exists, as a key or at the dotted path. Null counts."""
    return _found(fields, name) is not None


def lookup(fields: Mapping[str, JsonValue], name: str) -> JsonValue:
    """Returns the field's value: of the key itself, else at the dotted path, else ``None``."""
    found = _found(fields, name)
    return None if found is None else found[0]


def _found(fields: Mapping[str, JsonValue], name: str) -> tuple[JsonValue] | None:
    # A key with dots in its name comes before a path, so that existing data keeps its meaning.
    if name in fields:
        return (fields[name],)
    value: JsonValue = dict(fields)
    for step in name.split("."):
        if not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    return (value,)
