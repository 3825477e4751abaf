"""Compares lists: sets, lists with order or duplicates, and lists of objects."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from pydantic import JsonValue

from evaluators.field_values import RIGHT, FieldResult, nothing, plain, show, similarity
from evaluators.matching import assignment, set_f1
from evaluators.text import shown
from schemas.field_config import FieldRule

MAX_FUZZY_MEMBERS = 200
MAX_MEMBER_CHARACTERS = 500
MAX_LISTED = 1_000
"""Most members of a list that are compared in order."""
MAX_MATCHED = 25
"""Most objects that are aligned by their best match."""
Compare = Callable[[FieldRule, JsonValue, JsonValue], FieldResult]


def compare_set(rule: FieldRule, expected: JsonValue, given: JsonValue) -> FieldResult:
    """Compares sets: the F1 of their members. A text may list them."""
    spelling: Callable[[JsonValue], str] = plain if rule.match != "exact" else _typed
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
    return [member for member in value if not nothing(member)] if isinstance(value, list) else [value]


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
        one: [other for other in got if similarity(one, other, threshold, MAX_MEMBER_CHARACTERS) >= threshold]
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


def compare_list(rule: FieldRule, expected: JsonValue, given: JsonValue) -> FieldResult:
    """Compares lists in which duplicates count, and the order unless ``ordered`` is false: the F1 of what they share.

    In order, that is their longest common subsequence.
    """
    wanted = [member for member in expected if not nothing(member)] if isinstance(expected, list) else [expected]
    if not isinstance(given, list):
        return FieldResult(0, f"wrong: expected a list, got {show(given)}")
    got = [member for member in given if not nothing(member)]
    if max(len(wanted), len(got)) > MAX_LISTED:
        return FieldResult(0, f"wrong: more than {MAX_LISTED:,} members")
    spelling: Callable[[JsonValue], str] = plain if rule.match != "exact" else _typed
    ours, theirs = list(map(spelling, wanted)), list(map(spelling, got))
    common = _in_order(ours, theirs) if rule.ordered else _in_any_order(ours, theirs)
    if common == len(ours) == len(theirs):
        return RIGHT
    missing = _surplus(ours, theirs)
    extra = _surplus(theirs, ours)
    names = dict(zip(ours, wanted, strict=True)) | dict(zip(theirs, got, strict=True))
    parts = [_listed("missing", missing, names), _listed("hallucinated", extra, names)]
    reason = "; ".join(filter(None, parts)) or "wrong: in another order"
    return FieldResult(set_f1(common, len(ours), len(theirs)), reason)


def _in_order(one: Sequence[str], other: Sequence[str]) -> int:
    """Returns the length of the longest common subsequence."""
    from rapidfuzz.distance import LCSseq

    return int(LCSseq.similarity(one, other))


def _in_any_order(one: Sequence[str], other: Sequence[str]) -> int:
    return len(one) - len(_surplus(one, other))


def _surplus(one: Sequence[str], other: Sequence[str]) -> list[str]:
    """Returns the members of ``one`` that ``other`` lacks, with multiplicity."""
    rest = Counter(other)
    found = []
    for member in one:
        if rest[member]:
            rest[member] -= 1
        else:
            found.append(member)
    return found


def compare_objects(rule: FieldRule, expected: JsonValue, given: JsonValue, compare: Compare) -> FieldResult:
    """Compares lists of objects, aligned by ``key`` or by the best match: the soft F1 of the pairs' scores.

    A pair scores the weighted mean over the fields of the rule.
    """
    wanted, got = _objects(expected), _objects(given)
    if wanted is None or got is None:
        return FieldResult(0, f"wrong: expected a list of objects, got {show(given)}")
    pairs = _by_key(rule, wanted, got) if rule.key is not None else None
    if pairs is None:
        pairs = _best(rule, wanted[:MAX_MATCHED], got[:MAX_MATCHED], compare)
    compared = [_compared(rule, wanted[one], got[other], compare) for one, other in pairs]
    scores = [_pair(rule, results) for results in compared]
    parts = {
        name: set_f1(sum(results[name].value for results in compared), len(wanted), len(got)) for name in rule.fields
    }
    lost, extra = len(wanted) - len(pairs), len(got) - len(pairs)
    reasons = [f"{place + 1}: {reason}" for (place, _), (_, reason) in zip(pairs, scores, strict=True) if reason]
    reasons += [f"missing: {lost} objects"] if lost else []
    reasons += [f"hallucinated: {extra} objects"] if extra else []
    value = set_f1(sum(value for value, _ in scores), len(wanted), len(got))
    return RIGHT if not reasons else FieldResult(min(value, 1.0), shown("; ".join(reasons), 200), parts)


def _objects(value: JsonValue) -> list[dict[str, JsonValue]] | None:
    if not isinstance(value, list):
        return None
    found = [member for member in value if isinstance(member, dict)]
    return found if len(found) == len(value) else None


def _compared(
    rule: FieldRule, expected: dict[str, JsonValue], given: dict[str, JsonValue], compare: Compare
) -> dict[str, FieldResult]:
    return {name: compare(one, expected.get(name), given.get(name)) for name, one in rule.fields.items()}


def _pair(rule: FieldRule, results: Mapping[str, FieldResult]) -> tuple[float, str]:
    total = sum(one.weight for one in rule.fields.values())
    value = sum(results[name].value * one.weight for name, one in rule.fields.items())
    reasons = (f"{name} {result.reason}" for name, result in results.items() if result.reason)
    return value / total if total else 1.0, "; ".join(reasons)


def _by_key(
    rule: FieldRule, wanted: Sequence[dict[str, JsonValue]], got: Sequence[dict[str, JsonValue]]
) -> list[tuple[int, int]] | None:
    """Returns the pairs with equal keys; ``None`` if a key occurs twice or is missing among the expected objects."""
    name = rule.key or ""
    places = {plain(one.get(name)): place for place, one in reversed(list(enumerate(got))) if one.get(name) is not None}
    keys = [plain(one.get(name)) for one in wanted]
    if len(set(keys)) < len(keys):
        return None
    return [(place, places[key]) for place, key in enumerate(keys) if key in places]


def _best(
    rule: FieldRule, wanted: Sequence[dict[str, JsonValue]], got: Sequence[dict[str, JsonValue]], compare: Compare
) -> list[tuple[int, int]]:
    """Returns the pairs with the highest total score. Pairs without anything in common are left out."""
    scores = [[_pair(rule, _compared(rule, one, other, compare))[0] for other in got] for one in wanted]
    return [(one, other) for one, other in assignment(scores) if scores[one][other] > 0]
