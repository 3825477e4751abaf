import pytest
from pydantic import ValidationError

from schemas.errors import ConfigError
from schemas.prompts import Dialect, Message, Parameters, PromptFile, Request, Role
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
    others = [(), request("ho").messages]
    made = request(temperature=0, stop=("a",))
    assert made.digests(others) == [made.sending(each).digest for each in others]


def test_values_share_the_set_of_given_fields_and_a_copy_changes_none_of_them():
    given = request().model_fields_set
    assert request("ho").model_fields_set is given
    before = set(given)
    copied = request().model_copy(update={"api": "responses"})
    assert copied.model_fields_set == before | {"api"}
    assert request().model_fields_set is given
    assert given == before
    assert copied.model_copy().model_fields_set is copied.model_fields_set


def test_canonical_json_refuses_what_json_has_no_word_for():
    with pytest.raises(ValueError, match="Out of range"):
        canonical_json(float("nan"))


def test_values_are_frozen_and_refuse_unknown_keys():
    with pytest.raises(ValidationError):
        request().model = "other"
    with pytest.raises(ValidationError):
        Parameters(temprature=0)


def test_an_error_says_what_where_and_how_to_mend_it():
    error = ConfigError("unknown key margn", where="promptverdict.yaml:3", hint="did you mean margin?")
    assert str(error) == "promptverdict.yaml:3: unknown key margn (did you mean margin?)"


def test_a_prompt_is_what_the_model_sees_its_partials_included():
    prompt = PromptFile(
        path="a.j2",
        format="plain",
        dialect=Dialect.JINJA,
        messages=(Message(role=Role.USER, content='{% include "tone.md" %}'),),
        included={"tone.md": "kind"},
    )
    assert prompt.digest == prompt.model_copy(update={"path": "b.j2", "name": "B"}).digest
    assert prompt.digest != prompt.model_copy(update={"included": {"tone.md": "rude"}}).digest
