"""OpenAI's Responses API: the body of a request, and the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, JsonValue

from adapters.providers.sdk import refuse, with_extra
from adapters.providers.tool_definitions import answered_calls, response_tools
from adapters.providers.usage import ResponseUsage, UsageReading, is_gemini, response_usage
from adapters.providers.wire import MalformedError, arguments_text, completion
from schemas.conversations import ToolCall
from schemas.outcomes import Completion, Finish
from schemas.prompts import Request

OURS = frozenset({"message", "reasoning", "function_call", "custom_tool_call", "web_search_call"})
FREE = frozenset({"mcp_call", "mcp_list_tools", "mcp_approval_request"})
"""Items of an answer that cost only their tokens."""


def responses_body(request: Request) -> dict[str, Any]:
    """Returns the body for ``POST /responses``. The provider stores nothing."""
    parameters = request.parameters
    refuse(
        parameters.model_dump(), "the Responses API", "top_k", "seed", "stop", "frequency_penalty", "presence_penalty"
    )
    form: dict[str, Any] | None = {"type": parameters.response_format} if parameters.response_format else None
    if parameters.response_format == "json_schema":
        form = {"type": "json_schema", **(parameters.json_schema or {})}
    body: dict[str, Any] = {
        "model": request.model,
        "input": [
            *({"role": message.role.value, "content": message.content} for message in request.messages),
            *_conversation(request),
        ],
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        "max_output_tokens": parameters.max_tokens,
        "text": {"format": form} if form else None,
        "tools": response_tools(parameters.tools),
        "reasoning": parameters.reasoning,
        "store": False,
    }
    return with_extra(body, parameters)


def _conversation(request: Request) -> Iterator[dict[str, Any]]:
    for step, calls in answered_calls(request.steps):
        if step.text:
            yield {"role": "assistant", "content": step.text}
        for each in calls:
            arguments = each.call.arguments or "{}"
            yield {"type": "function_call", "call_id": each.id, "name": each.call.name, "arguments": arguments}
        yield from ({"type": "function_call_output", "call_id": each.id, "output": each.result} for each in calls)
        if step.user is not None:
            yield {"role": "user", "content": step.user}


class _Part(BaseModel):
    type: str
    text: str = ""
    refusal: str = ""


class _Item(BaseModel):
    type: str
    content: list[_Part] | None = None
    name: str = ""
    arguments: str | dict[str, JsonValue] | None = None


class _Incomplete(BaseModel):
    reason: str | None = None


class _Response(BaseModel):
    model: str | None = None
    status: str
    output: list[_Item]
    usage: ResponseUsage | None = None
    incomplete_details: _Incomplete | None = None
    service_tier: str | None = None


def read_response(answer: dict[str, Any], latency_s: float, *, asked: str = "", google: bool = False) -> Completion:
    """Returns the completion of a Responses answer."""
    response = _Response.model_validate(answer)
    text, refusal = _texts(response)
    calls = tuple(
        ToolCall(name=item.name, arguments=arguments_text(item.arguments))
        for item in response.output
        if item.type == "function_call"
    )
    finish = _finish(response, refused=bool(refusal), called=bool(calls))
    text = refusal or text
    model = response.model or asked
    usage = _usage(response, thinks_apart=google or is_gemini(asked, model))
    return completion(finish, text, calls, usage, model=model, latency_s=latency_s)


def _texts(response: _Response) -> tuple[str, str]:
    """Returns text and refusal."""
    parts = [part for item in response.output if item.type == "message" for part in item.content or ()]
    text = "".join(part.text for part in parts if part.type == "output_text")
    return text, "".join(part.refusal for part in parts if part.type == "refusal")


def _usage(response: _Response, *, thinks_apart: bool) -> UsageReading:
    """Reads the usage, with the searches that only the items of the answer show."""
    charged = next((item.type for item in response.output if item.type not in OURS | FREE), None)
    if charged is not None:
        return UsageReading(None, f"{charged[:60]} is charged beside the tokens, at a price that isn't known")
    usage, problem = response_usage(response.usage, tier=response.service_tier, thinks_apart=thinks_apart)
    searches = sum(item.type == "web_search_call" for item in response.output)
    if usage is not None and searches > usage.web_searches:
        usage = usage.model_copy(update={"web_searches": searches})
    return UsageReading(usage, problem)


def _finish(response: _Response, *, refused: bool, called: bool) -> Finish:
    if refused:
        return Finish.REFUSAL
    if response.status == "completed":
        return Finish.TOOL if called else Finish.STOP
    if response.status == "incomplete" and response.incomplete_details is not None:
        filtered = response.incomplete_details.reason == "content_filter"
        return Finish.FILTER if filtered else Finish.LENGTH
    raise MalformedError(f"the answer's status is {response.status[:40]!r}")
