"""Compares one extracted field with its expectation, each by its own rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from pydantic import JsonValue

from evaluators.dates import DateStyle, read_date
from evaluators.field_lists import compare_list, compare_objects, compare_set
from evaluators.field_values import RIGHT, FieldResult, nothing, plain, same_json, show, similarity, wrong
from evaluators.locales import Locale, locale_of
from evaluators.numbers import Quantity, read_number, same_number
from evaluators.patterns import compile_pattern
from schemas.field_config import FieldKind, FieldRule

_TRUE = frozenset({"true", "yes", "y", "1", "on"})
_FALSE = frozenset({"false", "no", "n", "0", "off"})
_DIGITS = re.compile(r"\d+")


def compare_field(rule: FieldRule, expected: JsonValue, given: JsonValue) -> FieldResult:
    """Returns the field's score in [0, 1]. ``None`` means absent or ``null``.

    The reason begins with ``missing`` (expected, not given), ``hallucinated`` (given, not expected) or ``wrong``.
    """
    if rule.any_of and isinstance(expected, list) and expected:
        one = rule.model_copy(update={"any_of": False})
        return max((compare_field(one, right, given) for right in expected), key=lambda result: result.value)
    if rule.kind in _UNEXPECTED:
        return _UNEXPECTED[rule.kind](rule, given)
    # Null, an absent field and an empty text all mean "no value" to people.
    same = same_json(expected, given) if rule.kind is FieldKind.EXACT else nothing(expected) and nothing(given)
    if same or (nothing(given) and rule.optional):
        return RIGHT
    if nothing(given) or nothing(expected):
        lacking = f"missing: expected {show(expected)}"
        return FieldResult(0, lacking if nothing(given) else f"hallucinated: {show(given)}, nothing expected")
    return _COMPARISONS[rule.kind](rule, expected, given)


def expectation_problem(rule: FieldRule, expected: JsonValue) -> str | None:
    """Returns why ``expected`` can't be compared by ``rule``, or an empty text."""
    if nothing(expected):
        return None
    if rule.any_of:
        if not isinstance(expected, list):
            return "accepts any of several values by its rule, so the case must list them"
        one = rule.model_copy(update={"any_of": False})
        return next((problem for right in expected if (problem := expectation_problem(one, right))), None)
    find = _PROBLEMS.get(rule.kind)
    return find(rule, expected) if find else None


# -- single values


def _exact(_rule: FieldRule, expected: JsonValue, given: JsonValue) -> FieldResult:
    return wrong(expected, given)  # equal values have already returned


def _normalised(_rule: FieldRule, expected: JsonValue, given: JsonValue) -> FieldResult:
    return RIGHT if plain(expected) == plain(given) else wrong(expected, given)


def _locale(rule: FieldRule) -> Locale | None:
    return None if rule.locale is None else locale_of(rule.locale)


def number_of(rule: FieldRule, value: JsonValue) -> Quantity | None:
    """Returns the number that a value names by the rule's locale and unit, or ``None``."""
    return read_number(value, _locale(rule), rule.unit)


def _number(rule: FieldRule, expected: JsonValue, given: JsonValue) -> FieldResult:
    one, other = number_of(rule, expected), number_of(rule, given)
    if one is None or other is None:
        return wrong(expected, given, "not a number")
    if same_number(one, other, rule.tolerance, rule.relative):
        return RIGHT
    allowed = [f"tolerance {rule.tolerance:g}"] if rule.tolerance else []
    allowed += [f"tolerance {100 * rule.relative:g}%"] if rule.relative else []
    return wrong(expected, given, " or ".join(allowed))


def _style(rule: FieldRule) -> DateStyle:
    return DateStyle(_locale(rule), rule.formats, rule.day_first)


def _date(rule: FieldRule, expected: JsonValue, given: JsonValue) -> FieldResult:
    one, other = read_date(expected, _style(rule)), read_date(given, _style(rule))
    if one.day is None or other.day is None:
        return wrong(expected, given, other.problem or one.problem)
    if abs((one.day - other.day).days) <= rule.tolerance:
        return RIGHT
    return wrong(expected, given, f"tolerance {rule.tolerance:g} days" if rule.tolerance else "")


def _flag(value: JsonValue) -> bool | None:
    word = plain(value)
    return True if word in _TRUE else False if word in _FALSE else None


def _boolean(_rule: FieldRule, expected: JsonValue, given: JsonValue) -> FieldResult:
    flag = _flag(given)
    if flag is None:
        return wrong(expected, given, "neither true nor false")
    return RIGHT if flag == _flag(expected) else wrong(expected, given)


def _enum(rule: FieldRule, expected: JsonValue, given: JsonValue) -> FieldResult:
    if plain(expected) == plain(given):
        return RIGHT
    known = plain(given) in set(map(plain, rule.values))
    return wrong(expected, given, "" if known else "not one of its values")


def _fuzzy(rule: FieldRule, expected: JsonValue, given: JsonValue) -> FieldResult:
    # "Invoice 1041" and "Invoice 1047" are alike as texts, and two invoices.
    if _DIGITS.findall(plain(expected)) != _DIGITS.findall(plain(given)):
        return wrong(expected, given, "other digits")
    alike = similarity(plain(expected), plain(given), rule.threshold)
    return RIGHT if alike >= rule.threshold else wrong(expected, given, f"less similar than {rule.threshold:g}")


# -- rules that expect no value


def _absent(_rule: FieldRule, given: JsonValue) -> FieldResult:
    return RIGHT if nothing(given) else FieldResult(0, f"hallucinated: {show(given)}, should be absent")


def _present(rule: FieldRule, given: JsonValue) -> FieldResult:
    return FieldResult(0, "missing: should be present") if nothing(given) and not rule.optional else RIGHT


def _regex(rule: FieldRule, given: JsonValue) -> FieldResult:
    if nothing(given):
        return _present(rule, given)
    pattern = rule.pattern or ""
    text = given if isinstance(given, str) else show(given)
    matches = compile_pattern(pattern, "pattern")(text)
    return RIGHT if matches else FieldResult(0, f"wrong: {show(given)} does not match {show(pattern)}")


def _objects(rule: FieldRule, expected: JsonValue, given: JsonValue) -> FieldResult:
    return compare_objects(rule, expected, given, compare_field)


_COMPARISONS: Mapping[FieldKind, Callable[[FieldRule, JsonValue, JsonValue], FieldResult]] = {
    FieldKind.EXACT: _exact,
    FieldKind.NORMALISED: _normalised,
    FieldKind.NUMBER: _number,
    FieldKind.DATE: _date,
    FieldKind.BOOLEAN: _boolean,
    FieldKind.ENUM: _enum,
    FieldKind.LIST: compare_list,
    FieldKind.SET: compare_set,
    FieldKind.OBJECTS: _objects,
    FieldKind.FUZZY: _fuzzy,
}
_UNEXPECTED: Mapping[FieldKind, Callable[[FieldRule, JsonValue], FieldResult]] = {
    FieldKind.ABSENT: _absent,
    FieldKind.PRESENT: _present,
    FieldKind.REGEX: _regex,
}


# -- expectations


def _no_value(rule: FieldRule, _expected: JsonValue) -> str | None:
    if rule.kind is FieldKind.ABSENT:
        return "is absent by its rule, but the case expects a value"
    return f"is {rule.kind} by its rule, which compares with no value of the case"


def _no_number(rule: FieldRule, expected: JsonValue) -> str | None:
    return _unlike("a number", expected, "not" if number_of(rule, expected) is None else "")


def _no_date(rule: FieldRule, expected: JsonValue) -> str | None:
    return _unlike("a date", expected, read_date(expected, _style(rule)).problem)


def _no_flag(_rule: FieldRule, expected: JsonValue) -> str | None:
    return _unlike("true or false", expected, "not" if _flag(expected) is None else "")


def _no_choice(rule: FieldRule, expected: JsonValue) -> str | None:
    known = plain(expected) in set(map(plain, rule.values))
    return None if known else _unlike(f"one of {', '.join(rule.values[:8])}", expected, "not")


def _no_list(_rule: FieldRule, expected: JsonValue) -> str | None:
    return None if isinstance(expected, list) else _unlike("a list", expected, "not")


def _no_objects(rule: FieldRule, expected: JsonValue) -> str | None:
    if not isinstance(expected, list) or not all(isinstance(one, dict) for one in expected):
        return _unlike("a list of objects", expected, "not")
    return next(_object_problems(rule, [one for one in expected if isinstance(one, dict)]), None)


def _object_problems(rule: FieldRule, expected: list[dict[str, JsonValue]]) -> Iterator[str]:
    for one in expected:
        for name, inner in rule.fields.items():
            if problem := expectation_problem(inner, one.get(name)):
                yield f"has a field “{show(name)}” that {problem}"
    if rule.key is not None and expected and not any(rule.key in one for one in expected):
        yield f"has no object with its key “{show(rule.key)}”"
    elif rule.key is not None and len({plain(one.get(rule.key)) for one in expected}) < len(expected):
        yield f"has two objects with the same “{show(rule.key)}”"


def _unlike(what: str, expected: JsonValue, problem: str) -> str | None:
    return f"must be {what} by its rule, but “{show(expected)}” is {problem}" if problem else None


_PROBLEMS: Mapping[FieldKind, Callable[[FieldRule, JsonValue], str | None]] = {
    FieldKind.ABSENT: _no_value,
    FieldKind.PRESENT: _no_value,
    FieldKind.REGEX: _no_value,
    FieldKind.NUMBER: _no_number,
    FieldKind.DATE: _no_date,
    FieldKind.BOOLEAN: _no_flag,
    FieldKind.ENUM: _no_choice,
    FieldKind.LIST: _no_list,
    FieldKind.OBJECTS: _no_objects,
}
