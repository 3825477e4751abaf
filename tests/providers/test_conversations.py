"""Conversations of agents on the wire: the SDKs' own types for each API, and the official SDKs against a real server."""

import json

import pytest
from anthropic.types import message_create_params
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params
from pydantic import TypeAdapter

from adapters.providers.anthropic import messages_body
from adapters.providers.openai_chat import chat_body
from adapters.providers.openai_responses import responses_body
from adapters.providers.sdk import UnsupportedParameterError
from engine.runner.conversation import follow_up
from schemas.conversations import ScriptedResult, Step, ToolCall
from schemas.outcomes import Completion, Finish
from schemas.testsets import TestCase
from tests.providers.conftest import request_of

STEPS = (
    Step(
        text="Let me look.",
        calls=(ToolCall(name="look_up", arguments='{"id": 7}'), ToolCall(name="now", arguments="")),
        results=('{"status": "lost"}', "12:00"),
    ),
    Step(text="It is lost.", user="Refund it."),
)
BARE = {"name": "look_up", "description": "Finds.", "parameters": {"type": "object"}}
TOOLS = {
    "chat": {"type": "function", "function": BARE},
    "responses": {"type": "function", **BARE},
    "messages": {"name": "look_up", "description": "Finds.", "input_schema": {"type": "object"}},
}


def body_of(api, request):
    if api == "chat":
        return chat_body(request, own=True, limit="max_completion_tokens")
    return responses_body(request) if api == "responses" else messages_body(request)


def conversing(**parameters):
    return request_of("Where is order 7?", **parameters).model_copy(update={"steps": STEPS})


def test_chat():
    assert body_of("chat", conversing())["messages"][2:] == [
        {
            "role": "assistant",
            "content": "Let me look.",
            "tool_calls": [
                {"id": "call_1_1", "type": "function", "function": {"name": "look_up", "arguments": '{"id": 7}'}},
                {"id": "call_1_2", "type": "function", "function": {"name": "now", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1_1", "content": '{"status": "lost"}'},
        {"role": "tool", "tool_call_id": "call_1_2", "content": "12:00"},
        {"role": "assistant", "content": "It is lost."},
        {"role": "user", "content": "Refund it."},
    ]


def test_responses():
    assert body_of("responses", conversing())["input"][2:] == [
        {"role": "assistant", "content": "Let me look."},
        {"type": "function_call", "call_id": "call_1_1", "name": "look_up", "arguments": '{"id": 7}'},
        {"type": "function_call", "call_id": "call_1_2", "name": "now", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1_1", "output": '{"status": "lost"}'},
        {"type": "function_call_output", "call_id": "call_1_2", "output": "12:00"},
        {"role": "assistant", "content": "It is lost."},
        {"role": "user", "content": "Refund it."},
    ]


def test_messages():
    assert body_of("messages", conversing())["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Let me look."},
                {"type": "tool_use", "id": "call_1_1", "name": "look_up", "input": {"id": 7}},
                {"type": "tool_use", "id": "call_1_2", "name": "now", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1_1", "content": '{"status": "lost"}'},
                {"type": "tool_result", "tool_use_id": "call_1_2", "content": "12:00"},
            ],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "It is lost."}]},
        {"role": "user", "content": "Refund it."},
    ]


def test_thinking_that_is_not_kept_is_refused_instead_of_sent_without_it():
    with pytest.raises(UnsupportedParameterError, match="switch thinking off"):
        messages_body(conversing(reasoning={"type": "enabled", "budget_tokens": 1024}))
    assert messages_body(conversing(reasoning={"type": "disabled"}))["thinking"] == {"type": "disabled"}


@pytest.mark.parametrize("given", [BARE, *TOOLS.values()], ids=["bare", *TOOLS])
def test_a_tool_is_defined_in_the_form_of_the_api_whatever_form_it_was_written_in(given, api):
    assert body_of(api, conversing(tools=(given,)))["tools"] == [TOOLS[api]]


@pytest.mark.parametrize(
    "given",
    [{"type": "web_search"}, {"type": "web_search_20250305", "name": "web_search"}, {"type": "custom", "name": "x"}],
)
def test_a_providers_own_tool_is_sent_as_it_is(given, api):
    assert body_of(api, conversing(tools=(given,)))["tools"] == [given]


PARAMS = {
    "chat": completion_create_params.CompletionCreateParamsNonStreaming,
    "responses": response_create_params.ResponseCreateParamsNonStreaming,
    "messages": message_create_params.MessageCreateParamsNonStreaming,
}


def test_the_sdks_types_take_the_body(api):
    """Their types are what the SDKs' authors generate from the providers' descriptions of their APIs."""
    body = body_of(api, conversing(tools=(BARE,)))
    checked = TypeAdapter(PARAMS[api]).validate_python(body)
    assert [dict(each) for each in checked["input" if api == "responses" else "messages"]]


@pytest.mark.parametrize("calls", ['look_up {"id": 7}', 'look_up {"id": 7}; look_up {"id": 8}'])
async def test_a_conversation_with_a_real_server(provider, fake, calls):
    case = TestCase(id="a", inputs={}, tool_results=(ScriptedResult(name="look_up", result="lost"),))
    request = request_of(f"[[call {calls}]] where is order seven", tools=(BARE,))
    first = await provider.complete(request, repetition=0, timeout_s=5)
    assert isinstance(first, Completion)
    assert first.finish is Finish.TOOL
    assert [json.loads(call.arguments) for call in first.tool_calls] == [{"id": 7}, {"id": 8}][: calls.count("id")]
    second = await provider.complete(follow_up(request, first, case, 10), repetition=0, timeout_s=5)
    assert isinstance(second, Completion)
    assert (second.finish, second.tool_calls) == (Finish.STOP, ())
    assert fake.answered == 2
