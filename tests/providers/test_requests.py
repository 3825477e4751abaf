"""What is sent: every parameter is named as the API names it, or refused; and what comes back beside the text."""

from datetime import UTC, datetime

import pytest

from adapters.providers.anthropic import messages_body, read_message
from adapters.providers.openai_chat import chat_body, read_chat
from adapters.providers.openai_responses import read_response, responses_body
from adapters.providers.sdk import UnsupportedParameterError
from adapters.providers.wire import MalformedError, allowance, error_details, error_kind, retry_after_s
from schemas.outcomes import Allowance, Completion, ErrorKind, Usage
from schemas.prompts import Message, Request
from tests.fakes.llm import answer_of
from tests.providers.conftest import request_of

SCHEMA = {"name": "ticket", "schema": {"type": "object"}}
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_chat():
    request = request_of(
        "hello", temperature=0.5, top_p=0.9, max_tokens=7, seed=3, stop=("END",), frequency_penalty=0.1,
        presence_penalty=0.2, response_format="json_schema", json_schema=SCHEMA, tools=({"type": "function"},),
        reasoning={"effort": "low"},
    )  # fmt: skip
    own = chat_body(request, own=True, limit="max_completion_tokens")
    assert own == {
        "model": "small",
        "messages": [{"role": "system", "content": "Sort tickets."}, {"role": "user", "content": "hello"}],
        "temperature": 0.5, "top_p": 0.9, "max_completion_tokens": 7, "seed": 3, "stop": ["END"],
        "frequency_penalty": 0.1, "presence_penalty": 0.2, "reasoning_effort": "low", "tools": [{"type": "function"}],
        "response_format": {"type": "json_schema", "json_schema": SCHEMA},
    }  # fmt: skip
    compatible = chat_body(request, own=False, limit="max_tokens")
    assert compatible["max_tokens"] == 7
    assert compatible["reasoning"] == {"effort": "low"}
    assert chat_body(request_of("x", response_format="json_object"), own=True, limit="max_tokens")[
        "response_format"
    ] == {"type": "json_object"}


def test_responses():
    request = request_of(
        "hello",
        temperature=0,
        max_tokens=7,
        response_format="json_schema",
        json_schema=SCHEMA,
        reasoning={"effort": "low"},
    )
    assert responses_body(request) == {
        "model": "small",
        "input": [{"role": "system", "content": "Sort tickets."}, {"role": "user", "content": "hello"}],
        "temperature": 0, "max_output_tokens": 7, "store": False, "reasoning": {"effort": "low"},
        "text": {"format": {"type": "json_schema", **SCHEMA}},
    }  # fmt: skip


def test_messages():
    request = request_of(
        "hello", temperature=0, top_k=5, stop=("END",), reasoning={"type": "disabled"}, response_format="json_schema",
        json_schema=SCHEMA,
    )  # fmt: skip
    assert messages_body(request) == {
        "model": "small", "max_tokens": 16, "system": "Sort tickets.", "messages": [{"role": "user", "content": "hello"}],
        "temperature": 0, "top_k": 5, "stop_sequences": ["END"], "thinking": {"type": "disabled"},
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
    }  # fmt: skip


def test_a_prompt_of_system_messages_alone_is_sent_as_the_users():
    request = Request(**request_of("x").model_dump() | {"messages": [Message(role="system", content="Write a poem.")]})
    body = messages_body(request)
    assert body["messages"] == [{"role": "user", "content": "Write a poem."}]
    assert "system" not in body


@pytest.mark.parametrize(
    ("written", "parameters"),
    [
        (responses_body, {"seed": 1}),
        (responses_body, {"stop": ("x",)}),
        (responses_body, {"top_k": 1}),
        (messages_body, {"seed": 1}),
        (messages_body, {"presence_penalty": 0.0}),
        (messages_body, {"response_format": "json_object"}),
    ],
)
def test_a_parameter_that_an_api_lacks_is_refused_not_dropped(written, parameters):
    with pytest.raises(UnsupportedParameterError):
        written(request_of("x", **parameters))


async def test_a_refused_parameter_is_a_bad_request(provider, api):
    if api == "chat":
        return
    answer = await provider.complete(request_of("x", seed=1), repetition=0, timeout_s=1)
    assert answer.kind is ErrorKind.BAD_REQUEST
    assert "seed" in answer.message


def test_classes_of_tokens_are_told_apart():
    chat = answer_of("/chat/completions", {"model": "m"}, "yes", "hello")
    chat["usage"] |= {
        "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 3, "cache_write_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 40, "audio_tokens": 2},
    }  # fmt: skip
    expected = Usage(
        input=100, output=50, cached_input=64, cache_write=5, input_audio=3, reasoning=40, output_audio=2
    )  # fmt: skip
    assert read_chat(chat, 0.1).usage == expected
    message = answer_of("/v1/messages", {"model": "m"}, "yes", "hello")
    message["usage"] = {
        "input_tokens": 10, "output_tokens": 50, "cache_read_input_tokens": 80, "cache_creation_input_tokens": 20,
        "output_tokens_details": {"thinking_tokens": 30},
    }  # fmt: skip
    assert read_message(message, 0.1).usage == Usage(
        input=110, output=50, cached_input=80, cache_write=20, reasoning=30
    )  # fmt: skip


def test_thinking_is_not_part_of_the_text():
    message = answer_of("/v1/messages", {"model": "m"}, "yes", "hello")
    message["content"].insert(0, {"type": "thinking", "thinking": "hm", "signature": "s"})
    assert read_message(message, 0.1).text == "yes"


def test_unknown_ends_are_malformed():
    chat = answer_of("/chat/completions", {"model": "m"}, "yes", "hello")
    chat["choices"][0]["finish_reason"] = "bored"
    with pytest.raises(MalformedError, match="bored"):
        read_chat(chat, 0.1)
    message = answer_of("/v1/messages", {"model": "m"}, "yes", "hello") | {"stop_reason": "pause_turn"}
    with pytest.raises(MalformedError, match="pause_turn"):
        read_message(message, 0.1)
    response = answer_of("/responses", {"model": "m"}, "yes", "hello") | {"status": "failed"}
    with pytest.raises(MalformedError, match="failed"):
        read_response(response, 0.1)


def test_what_is_left_of_the_limits():
    openai = {
        "x-ratelimit-remaining-requests": "59", "x-ratelimit-reset-requests": "1m30.5s",
        "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "120ms",
    }  # fmt: skip
    assert allowance(openai, NOW) == Allowance(requests=59, requests_reset_s=90.5, tokens=0, tokens_reset_s=0.12)
    anthropic = {
        "anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": "2026-11-21T00:00:30Z",
        "anthropic-ratelimit-tokens-remaining": "x", "anthropic-ratelimit-tokens-reset": "soon",
    }  # fmt: skip
    assert allowance(anthropic, NOW) == Allowance(requests=0, requests_reset_s=30)
    assert allowance({}, NOW) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "Sat, 21 Nov 2026 00:00:20 GMT"}, 20),
        ({"retry-after": "Sat, 21 Nov 2020 00:00:20 GMT"}, 0),
        ({"retry-after": "99999999"}, 600),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "nan"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers, seconds):
    assert retry_after_s(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("status", "codes", "message", "kind"),
    [
        (402, set(), "", ErrorKind.QUOTA),
        (429, set(), "You exceeded your current quota, please check your plan and billing details.", ErrorKind.QUOTA),
        (
            429,
            {"RESOURCE_EXHAUSTED"},
            "Quota exceeded (GenerateRequestsPerDayPerProjectPerModel-FreeTier)",
            ErrorKind.QUOTA,
        ),
        (
            429,
            set(),
            "Your team has used all available credits or reached its monthly spending limit.",
            ErrorKind.QUOTA,
        ),
        (429, set(), "Rate limit exceeded: free-models-per-day", ErrorKind.QUOTA),
        (400, set(), "You have reached your specified API usage limits.", ErrorKind.QUOTA),
        (400, set(), "Budget has been exceeded! Current cost: 10.1, Max budget: 10.0", ErrorKind.QUOTA),
        (403, set(), "Key limit exceeded (monthly limit)", ErrorKind.QUOTA),
        (
            429,
            set(),
            "Quota exceeded (GenerateRequestsPerMinutePerProject). Please retry in 38s.",
            ErrorKind.RATE_LIMITED,
        ),
        (
            429,
            set(),
            "Rate limit reached on tokens per minute (TPM): Limit 6000. Try again in 7.2s.",
            ErrorKind.RATE_LIMITED,
        ),
        (429, set(), "Requests have exceeded call rate limit. Retry after 6 seconds.", ErrorKind.RATE_LIMITED),
        (400, set(), "max_tokens exceeds the model's limit", ErrorKind.BAD_REQUEST),
        (403, set(), "You are not allowed to use this model", ErrorKind.AUTHENTICATION),
        (429, {"insufficient_quota"}, "", ErrorKind.QUOTA),
        (422, set(), "", ErrorKind.BAD_REQUEST),
        (425, set(), "", ErrorKind.SERVER),
    ],
)
def test_refusals(status, codes, message, kind):
    assert error_kind(status, frozenset(codes), message) is kind


async def test_sampling_parameters_go_to_the_version_of_the_api_that_has_them(provider, fake, api):
    for parameters in ({"temperature": 0}, {}):
        answer = await provider.complete(request_of("ticket billing", **parameters), repetition=0, timeout_s=5)
        assert isinstance(answer, Completion), answer
    versions = [headers.get("anthropic-version") for _, headers in fake.heads]
    assert versions == (["2023-06-01", "2026-10-21"] if api == "messages" else [None, None])


@pytest.mark.parametrize(
    ("body", "codes", "message"),
    [
        ('[{"error": {"code": 429, "message": "used up", "details": [{"quotaId": "PerDay"}]}}]', {"429"}, "used up (PerDay)"),
        ('{"error": "down"}', set(), "down"),
        ('{"detail": "Not Found"}', set(), "Not Found"),
        ("<html><head><style>b {}</style></head><body><h1>502</h1> Bad <b>gateway</b></body></html>", set(), "502 Bad gateway"),
        ("no such page", set(), "no such page"),
        ("[]", set(), "[]"),
    ],
)  # fmt: skip
def test_the_words_of_an_error_whatever_its_form(body, codes, message):
    assert error_details(body.encode()) == (frozenset(codes), message)
