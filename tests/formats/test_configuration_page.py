"""docs/configuration.md says all that can be written, and nothing that can't."""

import re
from pathlib import Path

import pytest

from engine.commands.json_schemas import json_schema
from engine.readers.config import read_config
from schemas.testsets import TestCase

PAGE = (Path(__file__).parents[2] / "docs/configuration.md").read_text()
CODE = " ".join(re.findall(r"`([^`]+)`", PAGE.replace("```", ""))) + " ".join(
    re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
)
WORDS = set(re.findall(r"[a-z][a-z0-9_]*", CODE))


def objects(schema):
    yield schema
    yield from schema.get("$defs", {}).values()


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_every_example_can_be_read(block):
    assert read_config("promptverdict.yaml", block.encode())


def test_every_key_and_every_choice_is_there():
    schema = json_schema("config")
    keys = {key for one in objects(schema) for key in one.get("properties", {})}
    choices = {choice for one in objects(schema) for choice in one.get("enum", [])}
    assert (keys | choices) - WORDS == set()


def test_every_key_of_a_case_and_of_a_rubric_is_there():
    keys = {key for one in objects(json_schema("rubric")) for key in one["properties"]}
    assert (keys | TestCase.model_fields.keys() - {"path", "line", "assertions"}) - WORDS == set()


def test_an_editor_can_explain_every_key_that_is_not_plain():
    plain = {"Parameters", "Price", "PriceTier"}
    silent = [
        f"{name}.{key}"
        for name, one in json_schema("config")["$defs"].items()
        if name not in plain
        for key, field in one.get("properties", {}).items()
        if "description" not in field
    ]
    assert silent == []
