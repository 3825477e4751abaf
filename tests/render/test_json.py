"""The scorecard as JSON."""

import json

from engine.render.json import comparable_json, scorecard_json
from schemas.scorecard import Scorecard
from tests.render.scorecards import blocked


def test_the_same_scorecard_is_the_same_bytes():
    assert scorecard_json(blocked()) == scorecard_json(blocked())
    assert scorecard_json(blocked()).endswith("}\n")


def test_nothing_is_lost():
    assert Scorecard.model_validate_json(scorecard_json(blocked())) == blocked()


def test_wall_time_does_not_count_when_scorecards_are_compared():
    slower = blocked().model_copy(update={"seconds": 99.0})
    assert comparable_json(slower) == comparable_json(blocked())
    assert json.loads(comparable_json(blocked()))["seconds"] is None
