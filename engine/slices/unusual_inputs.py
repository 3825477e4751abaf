"""Recognizes inputs that differ from those of their test set: empty, very short or long, another script or language."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from statistics import median
from typing import NamedTuple

from schemas.testsets import TestCase

FEWEST = 10
"""Values of an input that are needed to know what is usual."""
TIMES = 4
"""How many times shorter or longer than the median is unusual."""
SHORT, LONG = 20, 200
"""Characters: a value is called short only below one, and long only above the other."""
MOST = 0.8
"""Share of the values that must agree about a script or language before another one is unusual."""
SAMPLE = 2_000
"""Characters of a value whose letters and words are counted."""
_WORDS = {
    "English": "the and is are you your to of in for with that this have not can my we i it was on please",
    "German": "der das und ist nicht ich wir sie ein eine mit für auf den von zu bitte wie haben",
    "French": "le la les et est pas je nous vous une des avec pour dans sur merci que mon ai",
    "Spanish": "el los las y es yo una con para por que mi en del gracias como está",
    "Italian": "il lo gli e è non io una con per che mi di della sono grazie ho un questo",
    "Portuguese": "o os e é não eu uma com para por que meu em obrigado como está",
    "Dutch": "de het een en niet ik wij u met voor op te dat deze hebben mijn graag",
    "Polish": "jest nie się na w z że mam proszę jak dla mój czy po",
}
_LANGUAGES: dict[str, list[str]] = {}
for _language, _listed in _WORDS.items():
    for _word in _listed.split():
        _LANGUAGES.setdefault(_word, []).append(_language)


class _Value(NamedTuple):
    text: str
    script: str | None
    language: str | None


class Usual(NamedTuple):
    """What is usual for one input of a test set."""

    length: float
    filled: bool
    script: str | None
    language: str | None


def usual_inputs(cases: Sequence[TestCase]) -> dict[str, Usual]:
    """Returns what is usual for each text input that at least ``FEWEST`` cases have."""
    values: dict[str, list[_Value]] = {}
    for case in cases:
        for name, value in case.inputs.items():
            if isinstance(value, str):
                values.setdefault(name, []).append(_value(value))
    return {name: _usual(held) for name, held in values.items() if len(held) >= FEWEST}


def unusual(case: TestCase, usual: Mapping[str, Usual]) -> str | None:
    """Returns what is unusual about a case's inputs; ``None`` if nothing is."""
    for name, known in usual.items():
        value = case.inputs.get(name)
        if isinstance(value, str):
            one = _value(value)
            if said := _size(one.text, known) or _writing(one, known):
                return f"{name} {said}"
    return None


def _value(text: str) -> _Value:
    return _Value(text.strip(), _script(text), _language_of(text))


def _usual(held: Sequence[_Value]) -> Usual:
    filled = [one.text for one in held if one.text]
    return Usual(
        length=median(map(len, filled)) if filled else 0,
        filled=len(filled) >= MOST * len(held),
        script=_agreed([one.script for one in held]),
        language=_agreed([one.language for one in held]),
    )


def _agreed(votes: Sequence[str | None]) -> str | None:
    counts = Counter(vote for vote in votes if vote is not None)
    if not counts:
        return None
    (first, number), *_ = counts.most_common(1)
    return first if number >= MOST * counts.total() and number >= FEWEST else None


def _size(text: str, usual: Usual) -> str | None:
    if not text:
        return "is empty" if usual.filled else None
    size = len(text)
    if size < SHORT and size * TIMES < usual.length:
        return f"is very short: {size} characters, half of the others have over {usual.length:,.0f}"
    if size > LONG and size > TIMES * usual.length:
        return f"is very long: {size:,} characters, half of the others have under {usual.length:,.0f}"
    return None


def _writing(value: _Value, usual: Usual) -> str | None:
    if usual.script and value.script not in (None, usual.script):
        return f"is in {value.script} script, the others are in {usual.script}"
    if usual.language and value.language not in (None, usual.language):
        return f"looks {value.language}, the others look {usual.language}"
    return None


@lru_cache(maxsize=4_096)
def _script_of(letter: str) -> str:
    # The first word of a letter's Unicode name is its script: "CYRILLIC SMALL LETTER A".
    return unicodedata.name(letter, "").partition(" ")[0].capitalize()


def _script(text: str) -> str | None:
    """Returns the script of most letters; ``None`` with fewer than five letters."""
    letters = [sign for sign in text[:SAMPLE] if sign.isalpha()]
    if len(letters) < 5:
        return None
    return Counter(map(_script_of, letters)).most_common(1)[0][0]


def _language_of(text: str) -> str | None:
    """Returns the language of most function words; ``None`` if fewer than three tell, or two languages are close."""
    words = re.findall(r"[^\W\d_]+", text[:SAMPLE].lower())
    counts = Counter(language for word in words for language in _LANGUAGES.get(word, ()))
    ranked = [*counts.most_common(2), ("", 0), ("", 0)]
    return ranked[0][0] if ranked[0][1] >= 3 and ranked[0][1] >= 1.5 * ranked[1][1] else None
