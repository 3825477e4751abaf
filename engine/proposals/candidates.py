"""Lists the checks that could tell bad answers from good ones. Nothing here measures them."""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from engine.patterns.features import COMMON
from engine.proposals.answers import JudgedAnswer
from engine.readers.bounded import shown
from schemas.check_config import Between, Check

MOST_PHRASES = 60
"""Phrases of each kind that are tried."""
WORDS = 3
"""Most words of a phrase."""
LONGEST = 8_000
"""Characters of an answer in which phrases are looked for."""
LARGEST = 1e15
"""Largest number of a range. Infinity and NaN are beyond it, and so are integers that no float can hold."""
SHARE = 0.95
"""Share of the good answers that a length or a common feature must hold for."""
FEWEST = 2
"""Fewest bad answers with a phrase."""
SIGNS = {
    "placeholder in brackets": r"\[[A-Za-z][^\]\n]{1,40}\]",
    "unfilled variable": r"\{\{[^{}\n]{1,60}\}\}",
    "code fence": "```",
    "Markdown heading": r"(?m)^#{1,6} ",
    "Markdown list": r"(?m)^ {0,3}(?:[-*]|\d{1,2}[.)]) ",
    "bold text": r"\*\*[^*\n]+\*\*",
    "link": r"https?://",
    "e-mail address": r"[\w.+-]+@[\w-]+\.[\w.]+",
    "number": r"\d",
    "exclamation mark": "!",
    "second exclamation mark": r"(?s)!.*!",
    "question": r"\?",
    "emoji": r"[\x{1F300}-\x{1FAFF}]",
    "word in capitals": r"\b[A-Z]{4,}\b",
    "apology": r"(?i)\b(?:sorry|apologi[sz]e|unfortunately)\b",
    "mention of being a model": r"(?i)\bas an? (?:ai|language model)\b",
    "HTML tag": r"</?[a-z]+[^<>\n]{0,100}>",
}
"""Regular expressions (RE2) that tell kinds of answers apart, by what they find."""


def candidates(answers: Sequence[JudgedAnswer], *, generated: bool) -> Iterator[Check]:
    """Yields checks, those with the simplest meaning first. Their names are different.

    ``generated``: the answers are generated text. In other use cases the expectation scores them already.
    """
    good = [one for one in answers if not one.fails]
    bad = [one for one in answers if one.fails]
    if not good or not bad:
        return
    yield Check(name="no refusal", is_refusal=False)
    yield from _forms(good)
    yield from _lengths(good, bad)
    for what, sign in SIGNS.items():
        yield Check(name=f"no {what}", not_regex_match=sign)
        yield Check(name=f"has a {what}", regex_match=sign)
    yield from _variables(answers, expected=generated)
    yield from _edges(good)
    yield from _phrases(good, bad)


def _forms(good: Sequence[JudgedAnswer]) -> Iterator[Check]:
    """Yields checks of JSON and of numbers, if all good answers are of that form."""
    values = [_json(one.text) for one in good]
    maps = [value for value in values if isinstance(value, dict)]
    if len(maps) == len(good):
        yield Check(name="a JSON object", json_schema_valid={"type": "object"})
        fields = [name for name in maps[0] if all(value.get(name) not in (None, "", []) for value in maps)]
        for name in fields[:MOST_PHRASES]:
            yield Check(name=f"has the field {shown(name, 40)}", required_fields_present=(name,))
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) == len(good) and all(abs(number) <= LARGEST for number in numbers):
        yield Check(
            name=f"from {min(numbers):g} to {max(numbers):g}", numeric_range=Between(min=min(numbers), max=max(numbers))
        )


def _json(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text[: LONGEST * 10])
    except (ValueError, RecursionError):
        return None
    return value


def _lengths(good: Sequence[JudgedAnswer], bad: Sequence[JudgedAnswer]) -> Iterator[Check]:
    """Yields limits that all good answers keep, and tighter ones that most keep."""
    for unit, size in (("words", _word_count), ("characters", len)):
        sizes = sorted(size(one.text) for one in good)
        others = [size(one.text) for one in bad]
        last = len(sizes) - 1
        for most in dict.fromkeys(_round(sizes[at], up=True) for at in (last, math.ceil(SHARE * last))):
            if max(others) > most > 0:
                yield Check.model_validate({"name": f"at most {most:,} {unit}", f"max_{unit}": most})
        for least in dict.fromkeys(_round(sizes[at], up=False) for at in (0, math.floor((1 - SHARE) * last))):
            if least > 0 and min(others) < least:
                yield Check.model_validate({"name": f"at least {least:,} {unit}", f"min_{unit}": least})


def _word_count(text: str) -> int:
    return len(text.split())


def _round(number: int, *, up: bool) -> int:
    """Returns the number with two digits, as a person would write a limit."""
    step = int(10 ** max(0, len(str(number)) - 2))
    return (-(-number // step) if up else number // step) * step


def _variables(answers: Sequence[JudgedAnswer], *, expected: bool) -> Iterator[Check]:
    """Yields checks on texts of the case itself, for variables that every case has."""
    cases = [one.case for one in answers]
    names = [
        name
        for name in cases[0].inputs
        if all(isinstance(case.inputs.get(name), str) and case.inputs[name] for case in cases)
    ]
    if expected and all(isinstance(case.expected, str) and case.expected for case in cases):
        names.append("expected")
    for name in dict.fromkeys(names):
        yield Check(name=f"has the {shown(name, 40)}", contains="{{" + name + "}}")
        yield Check(name=f"doesn't repeat the {shown(name, 40)}", not_contains="{{" + name + "}}")


def _edges(good: Sequence[JudgedAnswer]) -> Iterator[Check]:
    """Yields how most good answers start and end."""
    texts = [one.text.strip() for one in good if one.text.strip()]
    first = Counter(match[0] for text in texts if (match := re.match(r"\w+|\W", text)))
    last = Counter(match[0] for text in texts if (match := re.search(r"\w+$|\W$", text)))
    for part, count in first.items():
        if count >= SHARE * len(texts):
            yield Check(name=f"starts with “{shown(part, 40)}”", starts_with=part)
    for part, count in last.items():
        if count >= SHARE * len(texts):
            yield Check(name=f"ends with “{shown(part, 40)}”", ends_with=part)


def _phrases(good: Sequence[JudgedAnswer], bad: Sequence[JudgedAnswer]) -> Iterator[Check]:
    """Yields phrases that bad answers have and good ones lack, then those of all good answers that bad ones lack."""
    in_good, in_bad = _places(good), _places(bad)
    nowhere = frozenset[int]()
    often = {phrase: places for phrase, places in in_bad.items() if len(places) >= FEWEST}
    for phrase in _telling(often, len(bad), {phrase: in_good.get(phrase, nowhere) for phrase in often}, len(good)):
        yield Check(name=f"no “{shown(phrase, 60)}”", not_contains=phrase)
    always = {phrase: places for phrase, places in in_good.items() if len(places) == len(good)}
    for phrase in _telling(always, len(good), {phrase: in_bad.get(phrase, nowhere) for phrase in always}, len(bad)):
        yield Check(name=f"has “{shown(phrase, 60)}”", contains=phrase)


def _places(answers: Sequence[JudgedAnswer]) -> dict[str, frozenset[int]]:
    """Returns by phrase which answers have it."""
    found: dict[str, set[int]] = defaultdict(set)
    for number, one in enumerate(answers):
        for phrase in _phrases_in(one.text):
            found[phrase].add(number)
    return {phrase: frozenset(places) for phrase, places in found.items()}


def _telling(
    held: Mapping[str, frozenset[int]], of: int, others: Mapping[str, frozenset[int]], of_others: int
) -> list[str]:
    """Returns the phrases whose shares among ``held`` and ``others`` differ most.

    Of those in the same answers only the longest: it says most clearly what is meant.
    """
    excess = {phrase: len(places) / of - len(others[phrase]) / of_others for phrase, places in held.items()}
    order = sorted((phrase for phrase in excess if excess[phrase] > 0), key=lambda one: (-excess[one], -len(one), one))
    first: dict[tuple[frozenset[int], frozenset[int]], str] = {}
    for phrase in order:
        first.setdefault((held[phrase], others[phrase]), phrase)
    return list(first.values())[:MOST_PHRASES]


def _phrases_in(text: str) -> set[str]:
    """Returns the runs of up to ``WORDS`` words that stand in a text as they are, in small letters."""
    lower = text[:LONGEST].lower()
    words = [match.span() for match in re.finditer(r"[^\W\d_][\w'’-]*", lower)]
    runs = (
        lower[words[at][0] : words[at + more][1]]
        for at in range(len(words))
        for more in range(min(WORDS, len(words) - at))
        if any(lower[slice(*words[near])] not in COMMON for near in range(at, at + more + 1))
    )
    return {run for run in runs if len(run) >= 4 and "\n" not in run and "{{" not in run}
