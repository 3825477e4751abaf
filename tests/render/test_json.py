"""The scorecard as JSON."""

import json

import pytest
from hypothesis import given, settings

from engine.render.json import scorecard_json, scorecard_json_parts
from schemas.scorecard import Scorecard
from tests.render.scorecards import blocked
from tests.render.surfaces import hostile_texts, runner_commands


def test_the_same_scorecard_is_the_same_bytes():
    assert scorecard_json(blocked()) == scorecard_json(blocked())
    assert scorecard_json(blocked()).endswith("}\n")


def test_nothing_is_lost():
    assert Scorecard.model_validate_json(scorecard_json(blocked())) == blocked()


def test_the_parts_of_many_cases_are_the_whole_text_and_none_holds_many_of_them():
    first = blocked().lineages[0]
    card = blocked().model_copy(update={"lineages": (first.model_copy(update={"cases": first.cases * 20}), first)})
    parts = list(scorecard_json_parts(card))
    document = card.model_dump(mode="json")
    assert "".join(parts) == json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    assert max(part.count('"expected"') for part in parts) < len(first.cases)


@settings(max_examples=20, deadline=None)
@given(hostile_texts)
def test_no_text_becomes_a_command_of_the_runner_in_a_log(text):
    card = blocked().model_copy(update={"summary": text})
    assert runner_commands(scorecard_json(card)) == []
    assert json.loads(scorecard_json(card))["summary"] == text


@pytest.mark.parametrize("text", ["##[error]x", "#\u00ad#[error]x", "\\##[error]x", "a\u2028::error::x", "####[["])
def test_commands_are_written_so_that_only_a_reader_of_json_sees_them(text):
    card = blocked().model_copy(update={"summary": text})
    assert runner_commands(scorecard_json(card)) == []
    assert json.loads(scorecard_json(card))["summary"] == text
