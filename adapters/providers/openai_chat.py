"""Chat Completions, as implemented by OpenAI and many other servers: the body of a request, and the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, Field, JsonValue

from adapters.providers.sdk import with_extra
from adapters.providers.tool_definitions import answered_calls, chat_tools
from adapters.providers.usage import ChatUsage, chat_usage, is_gemini
from adapters.providers.wire import BrokenOffError, MalformedError, arguments_text, completion
from schemas.conversations import ToolCall
from schemas.outcomes import Completion, Finish
from schemas.prompts import Parameters, Request

FINISHES = {
    name: finish
    for finish, names in {
        Finish.STOP: "stop eos eos_token end_turn stop_sequence complete completed",
        Finish.LENGTH: "length max_tokens max_length max_output_tokens model_length token_limit "
        "model_context_window_exceeded",
        Finish.FILTER: "content_filter content_filtered safety recitation blocklist prohibited_content spii sensitive",
        Finish.REFUSAL: "refusal",
        Finish.TOOL: "tool_calls tool_call tool_use function_call",
    }.items()
    for name in names.split()
}
"""Finish reasons by the server's word in lower case: OpenAI's words, and those of other servers."""
BROKEN_OFF = frozenset({"error", "network_error", "insufficient_system_resource", "abort", "aborted", "overloaded"})
"""Finish reasons of an answer that the server broke off. Another try may succeed."""


def chat_body(request: Request, *, own: bool, limit: str) -> dict[str, Any]:
    """Returns the body for ``POST /chat/completions``.

    ``own`` says that the server is OpenAI's or Azure's. ``limit`` is its name of the output limit.
    """
    parameters = request.parameters
    reasoning = parameters.reasoning
    # OpenAI takes the effort as a plain parameter, and other servers take the object.
    effort = reasoning["effort"] if own and reasoning and set(reasoning) == {"effort"} else None
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [
            *({"role": message.role.value, "content": message.content} for message in request.messages),
            *_conversation(request),
        ],
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        "top_k": parameters.top_k,
        limit: parameters.max_tokens,
        "seed": parameters.seed,
        "stop": list(parameters.stop) or None,
        "frequency_penalty": parameters.frequency_penalty,
        "presence_penalty": parameters.presence_penalty,
        "response_format": _chat_format(parameters),
        "tools": chat_tools(parameters.tools),
        "reasoning_effort": effort,
        "reasoning": reasoning if effort is None else None,
    }
    return with_extra(body, parameters)


def _conversation(request: Request) -> Iterator[dict[str, Any]]:
    for step, calls in answered_calls(request.steps):
        said: dict[str, Any] = {"role": "assistant", "content": step.text or None}
        if calls:
            said["tool_calls"] = [
                {
                    "id": each.id,
                    "type": "function",
                    "function": {"name": each.call.name, "arguments": each.call.arguments or "{}"},
                }
                for each in calls
            ]
        yield said
        yield from ({"role": "tool", "tool_call_id": each.id, "content": each.result} for each in calls)
        if step.user is not None:
            yield {"role": "user", "content": step.user}


def _chat_format(parameters: Parameters) -> dict[str, Any] | None:
    if parameters.response_format == "json_schema":
        return {"type": "json_schema", "json_schema": parameters.json_schema}
    return {"type": parameters.response_format} if parameters.response_format else None


class _Function(BaseModel):
    name: str
    arguments: str | dict[str, JsonValue] | None = None


class _ChatToolCall(BaseModel):
    function: _Function


class _Chunk(BaseModel):
    """A part of a content list. Reasoning is a separate part and not text."""

    type: str = "text"
    text: str | None = None
    refusal: str | None = None


class _ChatMessage(BaseModel):
    content: str | list[_Chunk | str] | None = None
    refusal: str | None = None
    tool_calls: list[_ChatToolCall] | None = None


class _Choice(BaseModel):
    message: _ChatMessage = _ChatMessage()
    finish_reason: str | None = None


class _Chat(BaseModel):
    model: str | None = None
    choices: list[_Choice] = Field(min_length=1)
    usage: ChatUsage | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None


def read_chat(answer: dict[str, Any], latency_s: float, *, asked: str = "", google: bool = False) -> Completion:
    """Returns the completion of a Chat Completions answer.

    ``asked`` is the requested model. ``google`` says that the server is Google's.
    """
    chat = _Chat.model_validate(answer)
    choice = chat.choices[0]
    message = choice.message
    text, refusal = _content(message)
    calls = tuple(
        ToolCall(name=call.function.name, arguments=arguments_text(call.function.arguments))
        for call in message.tool_calls or ()
    )
    # Some servers leave it out for an ordinary end.
    reason = (choice.finish_reason or "stop").lower()
    finish = FINISHES.get(reason)
    if reason in BROKEN_OFF:
        raise BrokenOffError(f"the server broke the answer off: its finish reason is {reason!r}")
    # An unknown reason may mean a cut or a filter, so the answer must not pass as complete.
    if finish is None:
        raise MalformedError(f"the finish reason {reason[:40]!r} is unknown")
    if refusal:
        finish, text = Finish.REFUSAL, refusal
    model = chat.model or asked
    usage = chat_usage(chat.usage, tier=chat.service_tier, thinks_apart=google or is_gemini(asked, model))
    return completion(finish, text, calls, usage, model=model, latency_s=latency_s, fingerprint=chat.system_fingerprint)


def _content(message: _ChatMessage) -> tuple[str, str]:
    """Returns text and refusal."""
    if not isinstance(message.content, list):
        return message.content or "", message.refusal or ""
    chunks = [_Chunk(text=chunk) if isinstance(chunk, str) else chunk for chunk in message.content]
    text = "".join(chunk.text or "" for chunk in chunks if chunk.type in ("text", "output_text"))
    return text, message.refusal or "".join(chunk.refusal or "" for chunk in chunks)
