"""JSON Schemas agree with the readers."""

import json

import pytest
from jsonschema import Draft202012Validator

from engine.commands.json_schemas import json_schema
from engine.readers.bounded import Source
from engine.readers.config import read_config
from engine.readers.nodes import plain
from engine.readers.yaml_nodes import read_yaml
from schemas.scorecard import CommitRef, Scorecard

CONFIG = """version: 1
models: {m: {provider: offline, model: small, price: {input: 0.2, output: 1}}}
lineages:
  a: {use_case: classification, prompt: a.md, labels: [x, y], gate: {floor: 0.8, margin: {overall: 0.05}}}
  b: {use_case: extraction, prompt: b.md, fields: {s: {kind: number, tolerance: 5}}, gate: {floor: {overall: 0.5}}}
"""


def valid(kind, value):
    return Draft202012Validator(json_schema(kind)).is_valid(value)


@pytest.mark.parametrize("kind", ["config", "tests", "scorecard"])
def test_each_is_a_schema_and_json(kind):
    Draft202012Validator.check_schema(json_schema(kind))
    assert json.loads(json.dumps(json_schema(kind)))["$schema"].startswith("https://json-schema.org")


def test_the_configuration_that_reads_is_valid_and_a_typo_is_not():
    read_config("c.yaml", CONFIG.encode())
    assert valid("config", plain(read_yaml(Source("c", CONFIG))))
    assert not valid("config", plain(read_yaml(Source("c", CONFIG.replace("margin", "margn")))))
    assert not valid("config", plain(read_yaml(Source("c", CONFIG.replace("floor: 0.8", "floor: 8")))))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"input": "a"}, True),
        ({"id": 1, "inputs": {"a": 1}, "slice": "x", "tags": ["t"], "must_not": "no", "rubric_notes": "n"}, True),
        ([{"input": "a"}, {"input": "b", "protected": True}], True),
        ({"input": "a", "must": [{"max_words": 3}, "b"], "must_not": {"is_refusal": True}}, True),
        ({"input": "a", "must": [{"max_word": 3}]}, False),
        ({"input": "a", "turns": "And?", "tool_results": {"name": "look_up", "result": None}}, True),
        ({"input": "a", "turns": ["And?"], "tool_results": [{"name": "a", "result": 1, "set": {"b": 2}}]}, True),
        ({"input": "a", "tool_results": [{"name": "a", "results": 1}]}, False),
        ({"id": "a"}, False),
        ({"input": "a", "protected": "yes"}, False),
        ({"input": "a", "source": "prod"}, False),
    ],
)
def test_a_case_in_its_short_forms(value, expected):
    assert valid("tests", value) is expected


def test_a_scorecard():
    ref = CommitRef(ref="main", sha="0" * 40)
    card = Scorecard(status="approved", passes=True, title="t", summary="s", base=ref, head=ref, merge_base=None)
    assert valid("scorecard", json.loads(card.model_dump_json()))
