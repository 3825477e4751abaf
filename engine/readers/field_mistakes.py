"""Finds mistakes in the rules of an extraction's fields: options of another kind, and rules that can't be applied."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import TypeAlias

from engine.readers.bounded import shown
from engine.readers.patterns import regex_mistake
from evaluators.check_values import matches_all
from evaluators.locales import locale_of
from evaluators.numbers import is_unit
from schemas.field_config import UNEXPECTED, FieldKind, FieldRule

Place: TypeAlias = tuple[str | int, ...]
Mistake: TypeAlias = tuple[Place, str, str]
"""Where, what, and how to fix it."""

_NUMBER, _DATE, _SET, _LIST = FieldKind.NUMBER, FieldKind.DATE, FieldKind.SET, FieldKind.LIST
_OPTIONS = {
    "tolerance": (_NUMBER, _DATE),
    "relative": (_NUMBER,),
    "unit": (_NUMBER,),
    "locale": (_NUMBER, _DATE),
    "formats": (_DATE,),
    "day_first": (_DATE,),
    "values": (FieldKind.ENUM,),
    "match": (_SET, _LIST),
    "threshold": (FieldKind.FUZZY, _SET),
    "ordered": (_LIST,),
    "key": (FieldKind.OBJECTS,),
    "fields": (FieldKind.OBJECTS,),
    "pattern": (FieldKind.REGEX,),
    "any_of": tuple(kind for kind in FieldKind if kind not in UNEXPECTED),
    "optional": tuple(kind for kind in FieldKind if kind not in (FieldKind.PRESENT, FieldKind.ABSENT)),
    "in_input": tuple(kind for kind in FieldKind if kind not in (FieldKind.ABSENT, FieldKind.BOOLEAN)),
    "weight": tuple(FieldKind),
}
"""Kinds of fields to which an option applies."""
_NEEDED = {FieldKind.ENUM: "values", FieldKind.REGEX: "pattern", FieldKind.OBJECTS: "fields"}


def of_field(place: Place, name: str, rule: FieldRule) -> Iterator[Mistake]:
    """Yields the mistakes of one rule, and of the rules inside it."""
    for option in sorted(rule.model_fields_set - {"kind"}):
        kinds = _OPTIONS[option]
        if rule.kind not in kinds:
            named = " and ".join(kinds[:2]) if len(kinds) < 4 else "fields with an expected value"
            yield (
                (*place, option),
                f"{option} is for {named}, but the field {shown(name)} is {rule.kind}",
                f"kind: {kinds[0]}, or remove {option}",
            )
    needed = _NEEDED.get(rule.kind)
    if needed is not None and not getattr(rule, needed):
        yield place, f"the field {shown(name)} is {rule.kind} and has no {needed}", f"add {needed}:"
    if rule.kind is _SET and "threshold" in rule.model_fields_set and rule.match != "fuzzy":
        yield (
            (*place, "threshold"),
            f"threshold is for a fuzzy match, but the set {shown(name)} is matched {rule.match}",
            "match: fuzzy",
        )
    if rule.kind is _LIST and rule.match == "fuzzy":
        yield (*place, "match"), f"the list {shown(name)} can't be matched fuzzily", "kind: set, or another match"
    yield from _of_texts(place, rule)
    yield from _without_effect(place, name, rule)
    for inner, one in rule.fields.items():
        if one.kind is FieldKind.OBJECTS:
            yield (*place, "fields", inner), "objects inside objects are not compared", "name another kind"
        else:
            yield from of_field((*place, "fields", inner), inner, one)


def _without_effect(place: Place, name: str, rule: FieldRule) -> Iterator[Mistake]:
    """Yields the options of a rule that change no score."""
    if rule.kind is FieldKind.FUZZY and rule.threshold == 0:
        yield (*place, "threshold"), f"every text reaches the threshold of {shown(name)}", "write threshold: 0.9"
    if rule.unit is not None and not is_unit(rule.unit):
        yield (
            (*place, "unit"),
            f"{shown(rule.unit)} is never read as a unit",
            "write a word such as kg; currencies and percent signs are read without one",
        )
    if rule.pattern and not regex_mistake(rule.pattern) and matches_all(rule.pattern):
        yield (
            (*place, "pattern"),
            f"every text matches the pattern of {shown(name)}",
            "kind: present, or another pattern",
        )
    for inner, one in rule.fields.items():
        if one.in_input:
            what = f"in_input is for a whole list of objects, and not for {shown(inner)} alone"
            yield (
                (*place, "fields", inner, "in_input"),
                what,
                f"write in_input: true beside the fields of {shown(name)}",
            )
    for idle in ("locale", "day_first"):
        if rule.formats and idle in rule.model_fields_set:
            yield (*place, idle), f"formats alone say how {shown(name)} is written", f"remove {idle} or formats"


def _of_texts(place: Place, rule: FieldRule) -> Iterator[Mistake]:
    """Yields the texts of a rule that can't be used."""
    if rule.locale is not None and locale_of(rule.locale) is None:
        yield (*place, "locale"), f"the locale {shown(rule.locale)} isn't known", "write a language such as de or en_GB"
    if rule.pattern is not None and (mistake := regex_mistake(rule.pattern)):
        yield (*place, "pattern"), f"RE2 refuses the pattern: {mistake}", "use RE2 syntax"
    for index, wanted in enumerate(rule.formats):
        if not _names_a_day(wanted):
            yield (
                (*place, "formats", index),
                f"the format {shown(wanted)} doesn't name one day",
                "write year, month and day, such as %d.%m.%Y",
            )


def _names_a_day(wanted: str) -> bool:
    """Returns whether a format keeps every day apart: what it writes, it reads as the same day."""
    days = (date(2024, 3, 4), date(2024, 4, 3), date(2025, 4, 3))
    try:
        return all(datetime.strptime(day.strftime(wanted), wanted).date() == day for day in days)  # noqa: DTZ007
    except ValueError:
        return False
