"""The definitions of an agent's tools: a part of the prompt, whose changes are measured."""

import json

import pytest

from schemas.detection import End
from tests.detect.pullrequests import CONFIG, codes, detected, only

LOOK = {"name": "look_up", "description": "Finds an order.", "parameters": {"type": "object"}}
REFUND = {"type": "function", "function": {"name": "refund", "parameters": {"type": "object"}}}
AGENT = {
    "promptverdict.yaml": CONFIG.replace("classification", "agent").replace(
        "    labels: [billing, refunds]\n", "    tools: prompts/tools.json\n"
    ),
    "prompts/tools.json": json.dumps([LOOK]),
    "tests/triage.jsonl": '{"id": "one", "input": "my bill", "expected": {"used": ["look_up"]}}\n',
}


def test_a_changed_definition_is_measured_as_part_of_the_prompt(repository):
    change = only(detected(repository, {"prompts/tools.json": json.dumps([LOOK, REFUND])}, base=AGENT))
    assert [(ending.what, ending.path, ending.end) for ending in change.endings] == [
        ("prompt", "prompts/triage.md", End.MEASURED)
    ]
    assert change.baseline.parameters.tools == (LOOK,)
    assert change.candidate.parameters.tools == (LOOK, REFUND)
    assert [found.kind for found in change.changes] == ["parameters"]
    assert codes(change) == []


def test_the_file_of_tools_may_move(repository):
    head = {
        "prompts/tools.json": None, "agents/tools.json": json.dumps([LOOK]),
        "promptverdict.yaml": AGENT["promptverdict.yaml"].replace("prompts/tools.json", "agents/tools.json"),
    }  # fmt: skip
    change = only(detected(repository, head, base=AGENT))
    assert change.candidate.parameters.tools == (LOOK,)
    assert "unreadable: error" not in codes(change)


BROKEN = {
    "no JSON": ("[", "prompts/tools.json:1"),
    "no list": ("{}", "the tools are a map"),
    "no name": ('[{"description": "x"}]', "a tool has no name"),
    "no map": ("[7]", "a tool has no name"),
    "twice": (json.dumps([LOOK, LOOK]), "two tools are called look_up"),
    "too many": (json.dumps([{"name": f"t{at}"} for at in range(129)]), "more than 128 tools"),
    "none": (None, "this file of tools doesn't exist"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_definitions_that_cannot_be_read_are_an_error_that_says_where(repository, kind):
    content, said = BROKEN[kind]
    change = only(detected(repository, {"prompts/tools.json": content}, base=AGENT))
    assert codes(change) == ["unreadable: error"]
    assert said in str(change.unreadable)
    assert "prompts/tools.json" in str(change.unreadable)


def test_tools_in_two_places_are_a_mistake(repository):
    prompty = "---\nmodel:\n  parameters:\n    tools: [{name: look_up}]\n---\nuser:\nHelp with {{ input }}\n"
    base = {
        **AGENT, "prompts/triage.md": None, "prompts/agent.prompty": prompty,
        "promptverdict.yaml": AGENT["promptverdict.yaml"].replace("triage.md", "agent.prompty"),
    }  # fmt: skip
    change = only(detected(repository, {"prompts/agent.prompty": prompty + "Please.\n"}, base=base))
    assert "keep one of the two" in str(change.unreadable)
