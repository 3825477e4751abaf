"""Finds the case that a new one repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from engine.patterns.near_duplicates import most_similar
from engine.readers.dialects import value_text
from schemas.testsets import TestCase


class Repeated(NamedTuple):
    """A case that says nearly the same as a new one."""

    case: TestCase
    percent: float
    """Similarity of the inputs, from ``near_duplicates.THRESHOLD`` to 100."""

    @property
    def sentence(self) -> str:
        """Names the case and its place."""
        return f"it repeats the case {self.case.id} ({self.case.where or 'unknown line'}), {self.percent:.0f}% similar"


def inputs_text(inputs: Mapping[str, JsonValue]) -> str:
    """Returns the inputs as one text, in the order of their names."""
    return "\n".join(value_text(value) for _, value in sorted(inputs.items()))


def repeated(inputs: Mapping[str, JsonValue], cases: Sequence[TestCase]) -> Repeated | None:
    """Returns the most similar case if its inputs are equal or nearly so."""
    found = most_similar(inputs_text(inputs), [inputs_text(case.inputs) for case in cases])
    return None if found is None else Repeated(cases[found[0]], found[1])
