"""Finds mistakes in what a configuration says about answers: the labels of a classification and the output contract."""

from __future__ import annotations

from collections.abc import Iterator

from engine.readers.field_mistakes import Mistake, Place
from engine.readers.patterns import schema_mistake
from engine.readers.schema_fields import of_schema
from evaluators.json_schema import schema_check
from evaluators.label_rules import LabelRules
from evaluators.output_contract import contract_mistake
from schemas.config import LineageConfig
from schemas.errors import ConfigError
from schemas.use_cases import UseCase


def of_answers(place: Place, name: str, lineage: LineageConfig) -> Iterator[Mistake]:
    """Yields the mistakes of one lineage."""
    yield from _of_labels(place, name, lineage)
    if lineage.output is None:
        return
    if (mistake := contract_mistake(lineage)) is not None:
        yield (*place, "output"), *mistake
    if lineage.output.json_schema is not None:
        at = (*place, "output", "schema")
        if wrong := schema_mistake(lineage.output.json_schema):
            yield at, f"schema: {wrong}", "fix the schema"
            return
        try:
            schema_check(lineage.output.json_schema, "output.schema")
        except ConfigError as error:
            yield at, error.what, error.hint or "fix the schema"
            return
        yield from of_schema((*place, "fields"), lineage.fields, lineage.output.json_schema)


def _of_labels(place: Place, name: str, lineage: LineageConfig) -> Iterator[Mistake]:
    if len(set(lineage.labels)) != len(lineage.labels):
        yield (*place, "labels"), f"{name} has a label twice", "name each label once"
    elif lineage.use_case == UseCase.CLASSIFICATION and len(lineage.labels) == 1:
        yield (*place, "labels"), f"{name} has only one label, so there is nothing to classify", "name all labels"
    elif lineage.use_case == UseCase.CLASSIFICATION and lineage.labels:
        try:
            LabelRules.of(lineage)
        except ConfigError as error:
            yield (*place, error.where or "labels"), f"{name}: {error.what}", error.hint or "change it"
