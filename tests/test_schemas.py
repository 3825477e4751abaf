import pytest
from pydantic import ValidationError

from schemas.errors import ConfigError
from schemas.prompts import Message, Parameters, Request, Role
from schemas.values import canonical_json


def request(text="hi", **parameters):
    return Request(
        provider="offline",
        origin="offline:",
        model="m",
        messages=(Message(role=Role.USER, content=text),),
        parameters=Parameters(**parameters),
    )


def test_a_request_is_addressed_by_its_whole_content():
    assert request().digest == request().digest
    assert len({request().digest, request("ho").digest, request(temperature=0).digest}) == 3


def test_canonical_json_refuses_what_json_has_no_word_for():
    with pytest.raises(ValueError, match="Out of range"):
        canonical_json(float("nan"))


def test_values_are_frozen_and_refuse_unknown_keys():
    with pytest.raises(ValidationError):
        request().model = "other"
    with pytest.raises(ValidationError):
        Parameters(temprature=0)


def test_an_error_says_what_where_and_how_to_mend_it():
    error = ConfigError("unknown key margn", where="promptverdict.yaml:3", mend="did you mean margin?")
    assert str(error) == "promptverdict.yaml:3: unknown key margn (did you mean margin?)"
