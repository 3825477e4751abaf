"""Compares one extracted field with its expectation, each by its own rule."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from evaluators.classification import set_f1
from evaluators.numbers import read_date, read_number, same_number
from evaluators.text import normalised, shown
from schemas.config import FieldKind, FieldRule

MAX_FUZZY_CHARACTERS = 10_000
MAX_FUZZY_MEMBERS = 200
MAX_MEMBER_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class FieldResult:
    """The score of a field, and what is wrong with it."""

    value: float
    reason: str = ""


RIGHT = FieldResult(1.0)


def compare_field(rule: FieldRule, expected: JsonValue, given: JsonValue) -> FieldResult:
    """Returns the field's score in [0, 1]. ``None`` means absent or ``null``.

    The reason begins with ``missing`` (expected, not given), ``hallucinated`` (given, not expected) or ``wrong``.
    """
    if rule.kind is FieldKind.ABSENT:
        return RIGHT if _nothing(given) else FieldResult(0, f"hallucinated: {show(given)}, should be absent")
    if rule.kind is FieldKind.EXACT:
        if same_json(expected, given):
            return RIGHT
    # Null, an absent field and an empty text all mean "no value" to people.
    elif _nothing(expected) and _nothing(given):
        return RIGHT
    if _nothing(given):
        return FieldResult(0, f"missing: expected {show(expected)}")
    if _nothing(expected):
        return FieldResult(0, f"hallucinated: {show(given)}, nothing expected")
    return _COMPARISONS[rule.kind](rule, expected, given)


def show(value: JsonValue, limit: int = 60) -> str:
    """Returns a JSON value for a reason: short, on one line, texts unchanged."""
    return shown(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), limit)


def same_json(one: JsonValue, other: JsonValue) -> bool:
    """Returns whether two JSON values are equal. ``true`` is not 1, but 1 is 1.0. The order of keys is ignored."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def expectation_problem(rule: FieldRule, expected: JsonValue) -> str | None:
    """Returns why ``expected`` can't be compared by ``rule``, or an empty text."""
    if _nothing(expected):
        return None
    if rule.kind is FieldKind.ABSENT:
        return "is absent by its rule, but the case expects a value"
    if rule.kind is FieldKind.NUMBER and read_number(expected) is None:
        return f"must be a number by its rule, but “{show(expected)}” is not"
    if rule.kind is FieldKind.DATE and (problem := read_date(expected).problem):
        return f"must be a date by its rule, but “{show(expected)}” is {problem}"
    return None


def _nothing(value: JsonValue) -> bool:
    return value is None or value in ("", [], {})


def _wrong(expected: JsonValue, given: JsonValue, why: str = "") -> FieldResult:
    return FieldResult(0, f"wrong: expected {show(expected)}, got {show(given)}{f' ({why})' if why else ''}")


def _plain(value: JsonValue) -> str:
    """Returns one spelling of a value for lenient comparisons. A key with null counts as absent."""
    if isinstance(value, str):
        return normalised(value)
    if isinstance(value, dict):
        there = sorted(key for key, item in value.items() if item is not None)
        return "{" + ",".join(f"{normalised(key)}:{_plain(value[key])}" for key in there) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_plain, value)) + "]"
    # JSON has one kind of number: 3.0 and 3 mean the same.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value)


def _exact(_rule: FieldRule, expected: JsonValue, given: JsonValue) -> FieldResult:
    return _wrong(expected, given)  # equal values have already returned


def _normalised(_rule: FieldRule, expected: JsonValue, given: JsonValue) -> FieldResult:
    return RIGHT if _plain(expected) == _plain(given) else _wrong(expected, given)


def _number(rule: FieldRule, expected: JsonValue, given: JsonValue) -> FieldResult:
    one, other = read_number(expected), read_number(given)
    if one is None or other is None:
        return _wrong(expected, given, "not a number")
    if same_number(one, other, rule.tolerance):
        return RIGHT
    return _wrong(expected, given, f"tolerance {rule.tolerance:g}" if rule.tolerance else "")


def _date(rule: FieldRule, expected: JsonValue, given: JsonValue) -> FieldResult:
    one, other = read_date(expected), read_date(given)
    if one.day is None or other.day is None:
        return _wrong(expected, given, other.problem or one.problem)
    if abs((one.day - other.day).days) <= rule.tolerance:
        return RIGHT
    return _wrong(expected, given, f"tolerance {rule.tolerance:g} days" if rule.tolerance else "")


def _fuzzy(rule: FieldRule, expected: JsonValue, given: JsonValue) -> FieldResult:
    similarity = _similarity(_plain(expected), _plain(given), rule.threshold)
    return RIGHT if similarity >= rule.threshold else _wrong(expected, given, f"less similar than {rule.threshold:g}")


def _similarity(one: str, other: str, threshold: float, limit: int = MAX_FUZZY_CHARACTERS) -> float:
    """Returns the normalized Indel similarity of the first ``limit`` characters (rapidfuzz), or 0 if it is below
    ``threshold``."""
    from rapidfuzz.distance import Indel  # takes 40 ms to import, which most lineages don't need

    return float(Indel.normalized_similarity(one[:limit], other[:limit], score_cutoff=threshold))


def _set(rule: FieldRule, expected: JsonValue, given: JsonValue) -> FieldResult:
    spelling: Callable[[JsonValue], str] = _plain if rule.match != "exact" else _typed
    # By spelling, so repeated members count once, as in a set.
    wanted = {spelling(member): member for member in _as_members(expected)}
    got = {spelling(member): member for member in _as_members(given)}
    missing, extra = _without(wanted, got), _without(got, wanted)
    common = len(wanted) - len(missing)
    # Equal members are paired first. Only the rest needs the expensive comparison.
    if rule.match == "fuzzy" and missing and extra:
        partner = _match_fuzzily(missing[:MAX_FUZZY_MEMBERS], extra[:MAX_FUZZY_MEMBERS], rule.threshold)
        common += len(partner)
        missing = _without(missing, partner)
        extra = _without(extra, set(partner.values()))
    parts = [_listed("missing", missing, wanted), _listed("hallucinated", extra, got)]
    return FieldResult(set_f1(common, len(wanted), len(got)), "; ".join(filter(None, parts)))


def _listed(what: str, keys: Sequence[str], members: Mapping[str, JsonValue]) -> str:
    return f"{what}: {shown(', '.join(show(members[key], 30) for key in keys[:9]))}" if keys else ""


def _without(members: Iterable[str], taken: Collection[str]) -> list[str]:
    return [member for member in members if member not in taken]


def _as_members(value: JsonValue) -> Sequence[JsonValue]:
    """Returns the members of a list or of an enumeration in a text, or else the value alone."""
    if isinstance(value, str):
        # The rarest separator wins: commas occur within members, line breaks hardly ever.
        separator = next((mark for mark in ("\n", ";", ",") if mark in value), ",")
        return [member.strip() for member in value.split(separator) if member.strip()]
    return [member for member in value if not _nothing(member)] if isinstance(value, list) else [value]


def _typed(value: JsonValue) -> str:
    return json.dumps(_without_nulls(value), sort_keys=True)


def _without_nulls(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _match_fuzzily(wanted: Sequence[str], got: Sequence[str], threshold: float) -> dict[str, str]:
    """Returns a largest one-to-one matching of members with at least ``threshold`` similarity (augmenting paths,
    Kuhn)."""
    similar = {
        one: [other for other in got if _similarity(one, other, threshold, MAX_MEMBER_CHARACTERS) >= threshold]
        for one in wanted
    }
    taken_by: dict[str, str] = {}

    # An augmenting path: a taken partner may move if its current match finds another one.
    def place(one: str, tried: set[str]) -> bool:
        for other in similar[one]:
            if other not in tried:
                tried.add(other)
                if other not in taken_by or place(taken_by[other], tried):
                    taken_by[other] = one
                    return True
        return False

    for one in wanted:
        place(one, set())
    return {one: other for other, one in taken_by.items()}


_COMPARISONS: dict[FieldKind, Callable[[FieldRule, JsonValue, JsonValue], FieldResult]] = {
    FieldKind.EXACT: _exact,
    FieldKind.NORMALISED: _normalised,
    FieldKind.NUMBER: _number,
    FieldKind.DATE: _date,
    FieldKind.SET: _set,
    FieldKind.FUZZY: _fuzzy,
}
