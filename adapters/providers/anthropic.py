"""Anthropic's Messages API, through the official SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, JsonValue

from adapters.providers.connection import Connection
from adapters.providers.sdk import SdkProvider, UnsupportedParameterError, refuse, with_extra
from adapters.providers.tool_definitions import answered_calls, message_tools
from adapters.providers.usage import MessageUsage, message_usage
from adapters.providers.wire import MalformedError, completion
from schemas.config import ModelConfig
from schemas.conversations import ToolCall
from schemas.outcomes import Completion, Finish
from schemas.prompts import INSTRUCTING, Request
from schemas.providers import PROVIDERS

if TYPE_CHECKING:
    import httpx2
    from anthropic import AsyncAnthropic

SAMPLING = {"temperature", "top_p", "top_k"}
WITH_SAMPLING = {"anthropic-version": "2023-06-01"}
FINISHES = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "refusal": Finish.REFUSAL,
    "tool_use": Finish.TOOL,
}


def opened(model: ModelConfig, connection: Connection) -> AnthropicProvider:
    """Opens Anthropic's Messages API, or another server that implements it."""
    return AnthropicProvider(model.origin, connection.key, proxy=connection.proxy, ca_bundle=connection.ca_bundle)


class AnthropicProvider(SdkProvider):
    """Calls Claude."""

    def open(self, origin: str, key: str, http: httpx2.AsyncClient) -> AsyncAnthropic:
        """Returns the SDK's client, without retries of its own."""
        from anthropic import AsyncAnthropic

        return AsyncAnthropic(
            api_key=key, base_url=origin, max_retries=0, timeout=None, http_client=http, open_telemetry=False
        )

    def written(self, request: Request) -> tuple[str, dict[str, Any], dict[str, str]]:
        """Returns path, body and headers.

        The headers ask for the older version of the API if needed. The present one refuses temperature, top_p and top_k
        (Anthropic's migration guide for 2026-10-21).
        """
        body = messages_body(request)
        return "/v1/messages", body, WITH_SAMPLING if body.keys() & SAMPLING else {}

    def read(self, answer: dict[str, Any], latency_s: float, request: Request) -> Completion:
        """Returns the completion of an answer."""
        return read_message(answer, latency_s, asked=request.model)


def messages_body(request: Request) -> dict[str, Any]:
    """Returns the body for ``POST /v1/messages``. System messages become ``system``.

    A prompt of system messages alone is sent as the user's, because the API requires one.
    """
    parameters = request.parameters
    refuse(parameters.model_dump(), "the Messages API", "seed", "frequency_penalty", "presence_penalty")
    if parameters.response_format == "json_object":
        raise UnsupportedParameterError("the Messages API has no json_object format; use json_schema")
    system = "\n\n".join(message.content for message in request.messages if message.role in INSTRUCTING)
    turns = [
        {"role": message.role.value, "content": message.content}
        for message in request.messages
        if message.role not in INSTRUCTING
    ]
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": parameters.max_tokens or PROVIDERS["anthropic"].output_limit,
        "messages": [*(turns or [{"role": "user", "content": system}]), *_conversation(request)],
        "system": system if system and turns else None,
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        "top_k": parameters.top_k,
        "stop_sequences": list(parameters.stop) or None,
        "tools": message_tools(parameters.tools),
        "thinking": parameters.reasoning,
    }
    if parameters.response_format == "json_schema" and parameters.json_schema:
        schema = parameters.json_schema.get("schema", {})
        body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    return with_extra(body, parameters)


def _conversation(request: Request) -> Iterator[dict[str, Any]]:
    if request.steps and (request.parameters.reasoning or {}).get("type", "disabled") != "disabled":
        raise UnsupportedParameterError(
            "the Messages API needs its thinking back after a tool's result, which isn't kept; switch thinking off"
        )
    for step, calls in answered_calls(request.steps):
        said: list[dict[str, Any]] = [{"type": "text", "text": step.text}] if step.text.strip() else []
        for each in calls:
            arguments = json.loads(each.call.arguments or "{}")
            said.append({"type": "tool_use", "id": each.id, "name": each.call.name, "input": arguments})
        yield {"role": "assistant", "content": said}
        # All results belong into one message, as the API demands.
        told = [{"type": "tool_result", "tool_use_id": each.id, "content": each.result} for each in calls]
        yield {"role": "user", "content": told if step.user is None else step.user}


class _Block(BaseModel):
    type: str
    text: str = ""
    name: str = ""
    input: JsonValue = None


class _Message(BaseModel):
    model: str | None = None
    content: list[_Block]
    stop_reason: str
    usage: MessageUsage | None = None


def read_message(answer: dict[str, Any], latency_s: float, *, asked: str = "") -> Completion:
    """Returns the completion of a Messages answer. Thinking is not part of the text."""
    message = _Message.model_validate(answer)
    text = "".join(block.text for block in message.content if block.type == "text")
    calls = tuple(
        ToolCall(name=block.name, arguments=json.dumps(block.input, ensure_ascii=False))
        for block in message.content
        if block.type == "tool_use"
    )
    finish = FINISHES.get(message.stop_reason)
    if finish is None:
        raise MalformedError(f"the stop reason {message.stop_reason[:40]!r} is unknown")
    usage = message_usage(message.usage)
    return completion(finish, text, calls, usage, model=message.model or asked, latency_s=latency_s)
