"""What servers that speak OpenAI's API do otherwise: names of the limit, content lists, finish reasons, arguments."""

import json

import pytest

from adapters.providers.anthropic import messages_body
from adapters.providers.openai import OpenAiProvider
from adapters.providers.openai_chat import chat_body, read_chat
from adapters.providers.openai_responses import read_response, responses_body
from adapters.providers.sdk import UnsupportedParameterError
from adapters.providers.wire import BrokenOffError
from schemas.outcomes import Completion, ErrorKind, Finish
from schemas.prompts import Parameters
from tests.fakes.llm import answer_of, error
from tests.providers.conftest import request_of


def limit_of(host, model, **learned):
    provider = OpenAiProvider(f"https://{host}/v1", "k")
    request = request_of("x").model_copy(update={"model": model})
    for refusal in learned.values():
        assert provider.learns(request, refusal)
        assert not provider.learns(request, refusal)  # once: no going to and fro
    return next(name for name in provider.written(request)[1] if name.startswith("max"))


NEWER, OLDER = "max_completion_tokens", "max_tokens"
OURS = "llm.example.com"


@pytest.mark.parametrize(
    ("host", "model", "name"),
    [
        ("api.openai.com", "gpt-4o", NEWER),
        ("acme.openai.azure.com", "my-deployment", NEWER),
        ("acme.services.ai.azure.com", "my-deployment", NEWER),
        ("acme.cognitiveservices.azure.com", "my-deployment", NEWER),
        (OURS, "gpt-5-mini", NEWER),
        (OURS, "openai/gpt-5.4", NEWER),
        (OURS, "o3", NEWER),
        (OURS, "azure/o4-mini-2025", NEWER),
        (OURS, "gpt-4o", OLDER),
        (OURS, "gpt-oss-120b", OLDER),
        (OURS, "anthropic/claude-opus-4-5", OLDER),
        ("notapi.openai.com.example.com", "llama", OLDER),
    ],
)
def test_the_name_of_the_limit_by_host_and_model(host, model, name):
    assert limit_of(host, model) == name


@pytest.mark.parametrize(
    ("model", "refusal", "name"),
    [
        ("llama", "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'.", NEWER),
        ("llama", "400 max_tokens: Extra inputs are not permitted", NEWER),
        ("gpt-5", "Unrecognized request argument supplied: max_completion_tokens", OLDER),
    ],
)  # fmt: skip
def test_the_name_of_the_limit_is_learned_from_a_refusal(model, refusal, name):
    assert limit_of(OURS, model, said=refusal) == name


@pytest.mark.parametrize(
    "refusal", ["max_tokens is too large: 99999. This model supports at most 4096", "unknown model", "temperature"]
)
def test_other_refusals_teach_nothing_about_the_limit(refusal):
    assert not OpenAiProvider(f"https://{OURS}/v1", "k").learns(request_of("x"), refusal)


async def test_a_call_that_was_refused_for_the_name_is_made_again_at_once(fake, provider, api, monkeypatch):
    if api != "chat":
        return
    bodies = []

    def answer(connection, path, body):
        bodies.append(json.loads(body))
        if "max_tokens" in bodies[-1]:
            connection.reply(400, error("max_tokens is not supported"))
        else:
            connection.reply(200, answer_of(path, bodies[-1], "billing", "x"))

    monkeypatch.setattr("tests.fakes.llm.Connection.answer", answer)
    for _ in range(2):
        assert isinstance(await provider.complete(request_of("x"), repetition=0, timeout_s=20), Completion)
    assert [("max_tokens" in body, "max_completion_tokens" in body) for body in bodies] == [
        (True, False), (False, True), (False, True),
    ]  # fmt: skip


def test_extra_goes_into_every_body_and_replaces_nothing():
    request = request_of(
        "x",
        extra={"verbosity": "low", "text": {"verbosity": "low"}},
        response_format="json_schema",
        json_schema={"name": "t", "schema": {}},
    )
    assert chat_body(request, own=True, limit="max_tokens")["verbosity"] == "low"
    assert messages_body(request)["verbosity"] == "low"
    body = responses_body(request)
    assert (body["verbosity"], body["text"].keys()) == ("low", {"verbosity", "format"})
    with pytest.raises(UnsupportedParameterError, match="store"):
        responses_body(
            request_of("x").model_copy(update={"parameters": Parameters.model_construct(extra={"store": 1})})
        )
    for taken in ("model", "n", "stream", "tools", "max_completion_tokens"):
        with pytest.raises(ValueError, match=taken):
            Parameters(extra={taken: 1})


def test_the_limit_has_one_name():
    assert Parameters(max_completion_tokens=5) == Parameters(max_output_tokens=5) == Parameters(max_tokens=5)
    with pytest.raises(ValueError, match="same setting"):
        Parameters(max_completion_tokens=5, max_tokens=5)


def chat(finish="stop", usage=None, **message):
    good = answer_of("/chat/completions", {"model": "m"}, "yes", "hello")
    good["choices"] = [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}]
    return read_chat(good | ({"usage": usage} if usage else {}), 0.1)


THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([THOUGHT, {"type": "text", "text": "billing"}], "billing"),
        ([{"type": "text", "text": "bil"}, {"type": "text", "text": "ling"}], "billing"),
        ([{"type": "output_text", "text": "billing"}, {"type": "reference", "reference_ids": [1]}], "billing"),
        (["billing"], "billing"),
        ("billing", "billing"),
    ],
)
def test_content_may_be_a_list(content, text):
    answer = chat(content=content)
    assert (answer.text, answer.finish) == (text, Finish.STOP)


def test_a_list_without_text_is_empty_and_one_with_a_refusal_is_refused():
    assert chat(content=[THOUGHT]).finish is Finish.EMPTY
    assert chat(content=[]).finish is Finish.EMPTY
    refused = chat(content=[{"type": "refusal", "refusal": "No."}])
    assert (refused.finish, refused.text) == (Finish.REFUSAL, "No.")


@pytest.mark.parametrize(
    ("said", "finish"),
    [
        ("eos", Finish.STOP), ("STOP", Finish.STOP), ("end_turn", Finish.STOP), ("stop_sequence", Finish.STOP),
        ("COMPLETE", Finish.STOP), (None, Finish.STOP), ("", Finish.STOP),
        ("MAX_TOKENS", Finish.LENGTH), ("model_length", Finish.LENGTH),
        ("SAFETY", Finish.FILTER), ("RECITATION", Finish.FILTER), ("content_filtered", Finish.FILTER),
        ("refusal", Finish.REFUSAL), ("tool_use", Finish.TOOL),
    ],
)  # fmt: skip
def test_finish_reasons_of_other_servers(said, finish):
    assert chat(finish=said, content="billing").finish is finish


@pytest.mark.parametrize("said", ["error", "insufficient_system_resource", "abort"])
async def test_an_answer_that_the_server_broke_off_is_tried_again(fake, provider, api, said, monkeypatch):
    with pytest.raises(BrokenOffError, match=said):
        chat(finish=said, content="bil")
    if api == "chat":
        monkeypatch.setattr("adapters.providers.openai_chat.FINISHES", {})
        monkeypatch.setattr("adapters.providers.openai_chat.BROKEN_OFF", {"stop"})
        answer = await provider.complete(request_of("x"), repetition=0, timeout_s=20)
        assert (answer.kind, answer.billed) == (ErrorKind.SERVER, True)


@pytest.mark.parametrize(
    ("arguments", "read"),
    [({"label": "é"}, '{"label": "é"}'), ('{"a": 1}', '{"a": 1}'), (None, "{}"), ({}, "{}"), ("not json", "not json")],
)
def test_tool_arguments_may_be_an_object(arguments, read):
    call = {"id": "c", "type": "function", "function": {"name": "set", "arguments": arguments}}
    answer = chat("tool_calls", content=None, tool_calls=[call])
    assert (answer.finish, answer.tool_calls[0].arguments) == (Finish.TOOL, read)
    response = answer_of("/responses", {"model": "m"}, "", "hello")
    response["output"] = [{"type": "function_call", "name": "set", "arguments": arguments}]
    assert read_response(response, 0.1).tool_calls[0].arguments == read


def test_thinking_up_to_the_limit_is_a_truncated_answer():
    spent = {"prompt_tokens": 40, "total_tokens": 104}
    for message in ({}, {"content": None}, {"content": "", "reasoning_content": "hm"}, {"content": [THOUGHT]}):
        answer = chat("length", usage=spent, **message)
        assert (answer.text, answer.finish, answer.usage.output) == ("", Finish.LENGTH, 64)


def test_a_choice_without_a_message_and_an_answer_without_a_model():
    good = answer_of("/chat/completions", {"model": "m"}, "yes", "hello")
    blocked = good | {"choices": [{"index": 0, "finish_reason": "content_filter"}]}
    assert read_chat(blocked, 0.1).finish is Finish.FILTER
    del good["model"]
    assert read_chat(good, 0.1, asked="llama").model == "llama"
