"""promptfoo's deterministic assertions, evaluated as promptfoo evaluates them.

benchmarks/promptfoo_reference.py compares them with promptfoo itself. What can't give the same result (code, other
models, expressions that RE2 lacks) is a ConfigError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from pydantic import JsonValue

from evaluators import javascript
from evaluators.json_schema import value_check
from evaluators.text import shown
from schemas.errors import ConfigError
from schemas.testsets import Assertion

SET = "assert-set"
DISTANCE = 5
"""The largest distance of ``levenshtein`` without a threshold."""
MAX_DISTANCE = 2**31
"""No output is so far from a text."""
MAX_TRIED = 4 * 1024 * 1024
"""Most characters that are tried as JSON in one output."""
LONGEST_OBJECT = 100_000
"""Most characters of a JSON object within a text."""
DRAFT = "http://json-schema.org/draft-07/schema"

Test = Callable[[str], bool]


class Result(NamedTuple):
    """What assertions say about one output."""

    passed: bool
    score: float
    """Between 0 and 1: the weighted share of those that hold."""
    failed: tuple[str, ...]
    """What each failed one asks for."""
    forbidden: bool
    """Whether one that says what must not occur failed."""


def result_of(assertions: Sequence[Assertion], threshold: float | None, output: str) -> Result:
    """Returns the result of a case's, or a set's, assertions. Without any, they pass with the score 0."""
    total = weights = 0.0
    failed: list[str] = []
    forbidden = False
    for one in assertions:
        if one.type == SET:
            passed, score, reasons, held = result_of(one.members, one.threshold, output)
        else:
            passed = test_of(one)(output)
            score = float(passed)
            # The score of one with the weight 0 counts nothing, and it can't fail.
            passed = passed or not one.weight
            reasons, held = (named(one),), one.negated
        total += score * one.weight
        weights += one.weight
        if not passed:
            failed += reasons
            forbidden |= held
    mean = total / weights if weights > 0 else 0.0
    passed = not failed if threshold is None else mean >= threshold
    return Result(passed, mean, tuple(failed), forbidden and not passed)


def named(one: Assertion) -> str:
    """Returns the assertion in words for a message: ``not-contains “a”``."""
    value = "" if one.value is None else f" “{shown(javascript.text_of(one.value), 40)}”"
    return f"{'not-' if one.negated else ''}{one.type}{value}"


def test_of(one: Assertion) -> Test:
    """Returns the assertion, other than a set, as a function of the output.

    Raises ConfigError for an unknown one and for a value that it can't have.
    """
    return _compiled(one.model_dump_json())


@lru_cache(maxsize=4096)
def _compiled(text: str) -> Test:
    one = Assertion.model_validate_json(text)
    where = f"the assertion {named(one)}"
    if one.type not in KINDS:
        raise ConfigError(f"{where} is not evaluated", hint="use one of " + ", ".join(KINDS))
    test = KINDS[one.type](one, where)
    # Of these two, a negated one also fails for JSON that fits no schema, so each looks at that itself.
    if not one.negated or one.type in ("is-json", "contains-json"):
        return test
    return lambda output: not test(output)


def _text(one: Assertion, where: str) -> str:
    if not isinstance(one.value, str) or not one.value:
        raise ConfigError(f"{where} needs a text", hint="add value:")
    return one.value


def _part(one: Assertion, where: str) -> str:
    if one.value == "" or isinstance(one.value, bool) or not isinstance(one.value, str | int | float):
        raise ConfigError(f"{where} needs a text or a number", hint="add value:")
    return javascript.text_of(one.value)


def _parts(one: Assertion, where: str) -> list[str]:
    if isinstance(one.value, str) and one.value:
        return comma_separated(one.value, where)
    if not isinstance(one.value, list):
        raise ConfigError(f"{where} needs a list, or texts between commas", hint="add value:")
    return [javascript.text_of(part) for part in one.value]


def comma_separated(text: str, where: str) -> list[str]:
    """Returns the texts between commas. One with commas is in double quotes. Raises ConfigError for an open quote."""
    parts: list[str] = []
    at = 0
    while True:
        while at < len(text) and (text[at] == "," or not javascript.words(text[at])):
            at += 1
        if at == len(text):
            return parts
        if text[at] == '"':
            part, at = _quoted(text, at + 1, where)
        else:
            end = text.find(",", at)
            end = len(text) if end < 0 else end
            part, at = _trimmed(text[at:end]), end
        parts.append(part)


def _trimmed(text: str) -> str:
    start, end = 0, len(text)
    while start < end and not javascript.words(text[start]):
        start += 1
    while end > start and not javascript.words(text[end - 1]):
        end -= 1
    return text[start:end]


def _quoted(text: str, at: int, where: str) -> tuple[str, int]:
    part: list[str] = []
    while at < len(text):
        pair = text[at : at + 2]
        if pair in ('\\"', "\\\\", '""'):
            part.append(pair[1])
            at += 2
        elif text[at] == '"':
            rest = _trimmed(text[at + 1 :])
            if rest and not rest.startswith(","):
                raise ConfigError(f"{where} has text after a quote", hint="put a comma between two texts")
            return "".join(part), at + 1
        else:
            part.append(text[at])
            at += 1
    raise ConfigError(f"{where} has an open quote", hint='write \\" for a quote in a text')


def _equals(one: Assertion, where: str) -> Test:  # noqa: ARG001 - any value will do
    if one.value is not None and not isinstance(one.value, dict | list):
        text = javascript.text_of(one.value)
        return lambda output: output == text

    def same(output: str) -> bool:
        try:
            return javascript.equal(javascript.parsed(output), one.value)
        except ValueError:
            return False

    return same


def _contains(one: Assertion, where: str) -> Test:
    part = _part(one, where)
    return lambda output: part in output


def _icontains(one: Assertion, where: str) -> Test:
    part = _part(one, where).lower()
    return lambda output: part in output.lower()


def _of_all(choose: Callable[[list[bool]], bool], *, lower: bool) -> Callable[[Assertion, str], Test]:
    def build(one: Assertion, where: str) -> Test:
        parts = [part.lower() if lower else part for part in _parts(one, where)]

        def test(output: str) -> bool:
            searched = output.lower() if lower else output
            return choose([part in searched for part in parts])

        return test

    return build


def _regex(one: Assertion, where: str) -> Test:
    return javascript.pattern(_text(one, where), where)


def _starts_with(one: Assertion, where: str) -> Test:
    start = _text(one, where)
    return lambda output: output.startswith(start)


def _levenshtein(one: Assertion, where: str) -> Test:
    if not isinstance(one.value, str):
        raise ConfigError(f"{where} needs a text", hint="add value:")
    from rapidfuzz.distance import Levenshtein  # takes 40 ms to import, which most lineages don't need

    text = javascript.units(one.value)
    limit = DISTANCE if one.threshold is None else one.threshold
    cutoff = int(min(max(limit, 0), MAX_DISTANCE))
    return lambda output: (
        Levenshtein.distance(javascript.units(output), text, score_cutoff=cutoff) <= min(limit, cutoff)
    )


def _word_count(one: Assertion, where: str) -> Test:
    low, high = _range(one.value, where)
    return lambda output: low <= len(javascript.words(output)) <= high


def _range(value: JsonValue, where: str) -> tuple[float, float]:
    bounds: Sequence[JsonValue] = (value, value)
    if isinstance(value, dict):
        bounds = (
            (value.get("min", 0), value.get("max", float("inf"))) if value.keys() & {"min", "max"} else (None, None)
        )
    try:
        low, high = (
            float(bound) for bound in bounds if isinstance(bound, int | float | str) and not isinstance(bound, bool)
        )
    except ValueError:
        raise ConfigError(f"{where} needs a number, or min and max", hint="write value: {min: 10, max: 50}") from None
    if low > high:
        raise ConfigError(f"{where} has a min above its max", hint="swap them")
    return low, high


def _schema(one: Assertion, where: str) -> Callable[[JsonValue], bool]:
    """Returns whether a value fits the assertion's schema. Without one, every value does."""
    if not one.value:
        return lambda _: True
    if not isinstance(one.value, dict):
        raise ConfigError(f"{where} needs a schema that is a map", hint="write the schema under value:")
    # promptfoo reads schemas as drafts 6 and 7 do.
    check = value_check({"$schema": DRAFT, **one.value}, where)
    return lambda value: not check(value)


def _is_json(one: Assertion, where: str) -> Test:
    fits = _schema(one, where)

    def test(output: str) -> bool:
        try:
            value = javascript.parsed(output)
        except ValueError:
            return one.negated
        # Without a schema, JSON alone decides.
        return fits(value) != one.negated

    return test


def _contains_json(one: Assertion, where: str) -> Test:
    fits = _schema(one, where)

    def test(output: str) -> bool:
        found = objects_in(output)
        if not one.value:
            return bool(found) != one.negated
        return any(map(fits, found)) != one.negated

    return test


def objects_in(text: str) -> list[JsonValue]:
    """Returns the JSON objects in a text, from left to right. A last one without its end is closed.

    promptfoo reads them as YAML, so to it ``{word}`` is an object too; here only JSON is.
    """
    ends = _ends(text)
    found: list[JsonValue] = []
    at = tried = 0
    while (at := text.find("{", at)) >= 0 and tried < MAX_TRIED:
        end, missing = ends.get(at, (len(text), 0))
        tried += min(end - at, LONGEST_OBJECT)
        try:
            if end - at > LONGEST_OBJECT:
                raise ValueError
            found.append(javascript.parsed(text[at:end] + "}" * missing))
            at = end
        except ValueError:
            at += 1
    return found


def _ends(text: str) -> Mapping[int, tuple[int, int]]:
    """Returns, by the place of each brace that opens, the end of its object and the number of braces that are missing.

    Braces in texts count too.
    """
    ends: dict[int, tuple[int, int]] = {}
    opened: list[int] = []
    for at, character in enumerate(text):
        if character == "{":
            opened.append(at)
        elif character == "}" and opened:
            ends[opened.pop()] = (at + 1, 0)
    for missing, at in enumerate(reversed(opened), 1):
        ends[at] = (len(text), missing)
    return ends


KINDS: Mapping[str, Callable[[Assertion, str], Test]] = {
    "equals": _equals,
    "contains": _contains,
    "icontains": _icontains,
    "contains-all": _of_all(all, lower=False),
    "contains-any": _of_all(any, lower=False),
    "icontains-all": _of_all(all, lower=True),
    "icontains-any": _of_all(any, lower=True),
    "starts-with": _starts_with,
    "regex": _regex,
    "is-json": _is_json,
    "contains-json": _contains_json,
    "levenshtein": _levenshtein,
    "word-count": _word_count,
}
"""The assertions that are evaluated, by their names without ``not-``."""
