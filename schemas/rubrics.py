"""Rubrics for generated text."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import Field, JsonValue

from schemas.config import Name
from schemas.values import Value

Grade = Annotated[int, Field(ge=1, le=5)]


class Dimension(Value):
    """One aspect, graded from 1 (worst) to 5 (best)."""

    description: str = Field(min_length=1)
    anchors: dict[Grade, str] = {}
    """Descriptions of grades. Not every grade needs one."""
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Its share in the overall score, relative to the other dimensions."""


class Rubric(Value):
    """The dimensions that a judge or a person grades. The overall score is their weighted mean."""

    dimensions: dict[Name, Dimension] = Field(min_length=1)


class SampleAnswer(Value):
    """An answer that a person grades, with what it answers."""

    id: str = Field(min_length=1)
    inputs: dict[str, JsonValue] = {}
    expected: JsonValue = None
    output: str = Field(min_length=1)


class LabeledAnswer(SampleAnswer):
    """A sample answer with a person's grades, which calibrates a judge."""

    grades: dict[Name, Grade] = Field(min_length=1)
    """By dimension of the rubric."""

    @property
    def line(self) -> str:
        """The line of the label file, without its line feed."""
        return json.dumps(self.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False)
