"""Says whether an extracted value occurs in the inputs of its case. A value that doesn't is hallucinated."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from decimal import Decimal

from pydantic import JsonValue

from evaluators.field_rules import number_of
from evaluators.field_values import nothing, show
from evaluators.label_index import joined
from evaluators.text import one_line
from schemas.field_config import FieldRule

_NUMBERS = re.compile(r"(?:(?<!\w)[-+−])?\d[\d.,'’]*")
"""The dash of “AB-12” and “5-10” is no minus."""


class CaseInputs:
    """The inputs of one case. Folded once, so that an answer with many values stays cheap."""

    def __init__(self, inputs: Iterable[JsonValue]) -> None:
        texts = (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in inputs)
        self._text = "\n".join(texts)
        self._folded = one_line(self._text)
        self._numbers: dict[str | None, frozenset[Decimal]] = {}

    def hold(self, rule: FieldRule, value: JsonValue) -> bool:
        """Returns whether the value occurs, as a text or as a number. Every member of a list or an object must."""
        rest: list[JsonValue] = [value]
        while rest:
            one = rest.pop()
            if isinstance(one, dict):
                rest += one.values()
            elif isinstance(one, list):
                rest += one
            elif not nothing(one) and not self._holds(rule, one):
                return False
        return True

    def _holds(self, rule: FieldRule, value: JsonValue) -> bool:
        text = value if isinstance(value, str) else show(value)
        number = number_of(rule, value)
        # "5" occurs in "1250" as a text, but not as a number.
        return _occurs(one_line(text), self._folded) if number is None else number.value in self._read(rule)

    def _read(self, rule: FieldRule) -> frozenset[Decimal]:
        if rule.locale not in self._numbers:
            found = (number_of(rule, match[0].rstrip(".,'’")) for match in _NUMBERS.finditer(self._text))
            self._numbers[rule.locale] = frozenset(one.value for one in found if one is not None)
        return self._numbers[rule.locale]


def _occurs(part: str, text: str) -> bool:
    """Returns whether ``part`` stands in ``text`` as whole words: “art” is not in “party”."""
    place = text.find(part)
    while place >= 0:
        end = place + len(part)
        if not (joined(text[place - 1 : place], part[:1]) or joined(part[-1:], text[end : end + 1])):
            return True
        place = text.find(part, place + 1)
    return False
