"""``fields:`` of an extraction: how each field is compared."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from schemas.values import Fraction, Value


class FieldKind(StrEnum):
    """How one extracted field is compared."""

    EXACT = "exact"
    NORMALISED = "normalised"
    NUMBER = "number"
    DATE = "date"
    BOOLEAN = "boolean"
    ENUM = "enum"
    LIST = "list"
    SET = "set"
    OBJECTS = "objects"
    FUZZY = "fuzzy"
    REGEX = "regex"
    PRESENT = "present"
    ABSENT = "absent"


UNEXPECTED = frozenset({FieldKind.REGEX, FieldKind.PRESENT, FieldKind.ABSENT})
"""Kinds that compare with no expected value."""


class FieldRule(Value):
    """The rule of one extracted field."""

    kind: FieldKind = FieldKind.NORMALISED
    """How the values are compared."""
    tolerance: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """``number``: absolute; ``date``: days."""
    relative: Fraction = 0.0
    """``number``: tolerance as a share of the expected number."""
    unit: str | None = Field(default=None, min_length=1)
    """``number``: the unit of a number without one, such as ``kg``."""
    locale: str | None = None
    """``number``, ``date``: how they are written, such as ``de`` or ``en_US``."""
    formats: tuple[str, ...] = ()
    """``date``: accepted ways of writing, such as ``%d.%m.%y``, besides ISO 8601."""
    day_first: bool | None = None
    """``date``: whether 03/04/2024 is the third of April. By default, it is no date."""
    values: tuple[str, ...] = ()
    """``enum``: the permitted values."""
    match: Literal["exact", "normalised", "fuzzy"] = "normalised"
    """``set``, ``list``: how members are matched."""
    threshold: Fraction = 0.9
    """``fuzzy``: similarity from which two texts count as equal."""
    ordered: bool = True
    """``list``: whether the order counts. Duplicates always do."""
    key: str | None = None
    """``objects``: the field by which objects are aligned; by default, the best match."""
    fields: dict[str, FieldRule] = {}
    """``objects``: the rules of each object's fields."""
    pattern: str | None = None
    """``regex``: RE2 syntax."""
    any_of: bool = False
    """Whether the expected value is a list of right answers."""
    optional: bool = False
    """Whether an answer may leave the field out."""
    weight: float = Field(default=1.0, gt=0, le=1000)
    """How much it counts in the mean over the fields."""
    in_input: bool = False
    """Whether the value must occur in the case's input. Otherwise it is hallucinated."""
