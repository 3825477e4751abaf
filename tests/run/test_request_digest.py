"""What the store is addressed by: everything that can change an answer, and nothing that can't."""

import pytest

from engine.planning.plan import ArmSource, request_of
from evaluators.judging import judge_request
from schemas.config import ModelConfig
from schemas.conversations import Step
from schemas.pricing import Price
from schemas.prompts import Dialect, Message, Parameters, PromptFile, Request

PARAMETERS = {
    "temperature": 0.5, "top_p": 0.5, "top_k": 5, "max_tokens": 5, "seed": 5, "stop": ("END",),
    "frequency_penalty": 0.5, "presence_penalty": 0.5, "response_format": "json_object",
    "json_schema": {"name": "ticket"}, "tools": ({"name": "refund"},), "reasoning": {"effort": "low"},
    "extra": {"verbosity": "low"},
}  # fmt: skip
MODEL = {
    "provider": "anthropic", "model": "other", "api": "responses", "base_url": "https://llm.example.com/v1",
    "parameters": Parameters(seed=1), "recording": "demo.jsonl",
}  # fmt: skip
REQUEST = {
    "provider": "anthropic", "origin": "https://llm.example.com/v1", "api": "responses", "model": "other",
    "messages": (Message(role="system", content="Sort."),), "parameters": Parameters(seed=1),
    "steps": (Step(text="Which one?", user="The first."),),
}  # fmt: skip
NO_PART_OF_THE_QUESTION = {"api_key_env": "OTHER_KEY", "price": Price(input=1, output=2)}
SORT = (Message(role="user", content="Sort."),)


def digest(model=None, parameters=None, messages=SORT):
    prompt = PromptFile(
        path="p", format="plain", dialect=Dialect.JINJA, messages=SORT, parameters=Parameters(**parameters or {})
    )
    known = ModelConfig(**{"provider": "openai", "model": "small"} | (model or {}))
    return request_of(ArmSource(prompt, known), messages).digest


def test_every_field_is_looked_at_here():
    assert PARAMETERS.keys() == Parameters.model_fields.keys()
    assert MODEL.keys() | NO_PART_OF_THE_QUESTION.keys() == ModelConfig.model_fields.keys()
    assert REQUEST.keys() == Request.model_fields.keys()


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_is_part_of_the_address_wherever_it_is_written(name):
    own = digest(parameters={name: PARAMETERS[name]})
    models = digest(model={"parameters": Parameters(**{name: PARAMETERS[name]})})
    assert own == models != digest()


@pytest.mark.parametrize("name", MODEL)
def test_everything_about_a_model_that_can_change_an_answer_is_part_of_the_address(name):
    kept = {"provider": "replay"} if name == "recording" else {}
    assert digest(model=kept | {name: MODEL[name]}) != digest(model=kept)


@pytest.mark.parametrize("name", NO_PART_OF_THE_QUESTION)
def test_who_pays_how_much_is_no_part_of_the_address(name):
    assert digest(model={name: NO_PART_OF_THE_QUESTION[name]}) == digest()


@pytest.mark.parametrize("name", REQUEST)
def test_every_field_of_a_request_is_part_of_its_address(name):
    request = Request(
        provider="openai", origin="https://api.openai.com/v1", model="small", messages=SORT, parameters=Parameters()
    )
    assert request.model_copy(update={name: REQUEST[name]}).digest != request.digest


def test_the_usual_api_said_or_not_is_the_same_question():
    assert digest(model={"api": "chat"}) == digest()


@pytest.mark.parametrize("messages", [(SORT[0], SORT[0]), (Message(role="system", content="Sort."),)])
def test_who_says_what_how_often_is_part_of_the_address(messages):
    assert digest(messages=messages) != digest()


def test_a_judge_is_asked_by_the_api_that_it_is_configured_for():
    model = ModelConfig(provider="openai", model="small")
    usual = judge_request(model, "Grade.", "This.")
    assert judge_request(model.model_copy(update={"api": "responses"}), "Grade.", "This.").digest != usual.digest
