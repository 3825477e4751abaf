"""OpenAI and everything that speaks its API: Chat Completions and Responses, by the official SDK."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, JsonValue

from adapters.providers.connection import Connection
from adapters.providers.sdk import SdkProvider, refuse, with_extra
from adapters.providers.usage import ChatUsage, ResponseUsage, chat_usage, response_usage
from adapters.providers.wire import BrokenOffError, MalformedError
from schemas.config import ModelConfig
from schemas.outcomes import Completion, Finish, ToolCall
from schemas.prompts import Parameters, Request
from schemas.providers import PROVIDERS

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

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
"""By what servers say, in small letters: OpenAI's words, and those that others put in their place."""
BROKEN_OFF = frozenset({"error", "network_error", "insufficient_system_resource", "abort", "aborted", "overloaded"})
"""The server gave up in the middle of an answer: another try may succeed."""
OWN_HOSTS = (PROVIDERS["openai"].host, ".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")
LIMITS = ("max_tokens", "max_completion_tokens")
REASONING_MODEL = re.compile(r"(?:^|[/.:@])(?:o[1-9][0-9]*|gpt-(?:[5-9]|[1-9][0-9]+)|codex)(?:[-.:@]|$)")
"""Models that know the newer name of the limit only, whatever gateway they are behind."""
NO_SUCH = re.compile(
    r"unsupported|not supported|unknown|unrecogni[sz]ed|not permitted|not allowed|unexpected|extra inputs"
)


def opened(model: ModelConfig, connection: Connection) -> OpenAiProvider:
    """Opens Chat Completions or the Responses API, of OpenAI or of another server that speaks them."""
    return OpenAiProvider(
        model.origin,
        connection.key,
        responses=model.api == "responses",
        proxy=connection.proxy,
        ca_bundle=connection.ca_bundle,
    )


class OpenAiProvider(SdkProvider):
    """``responses``: by the Responses API instead of Chat Completions."""

    def __init__(
        self,
        origin: str,
        key: str,
        *,
        responses: bool = False,
        proxy: str | None = None,
        ca_bundle: str | None = None,
    ) -> None:
        super().__init__(origin, key, proxy=proxy, ca_bundle=ca_bundle)
        self._responses = responses
        host = urlsplit(origin).hostname or ""
        self._own = host.endswith(OWN_HOSTS)
        self._google = host.endswith("googleapis.com")
        self._learned: dict[str, str] = {}
        """What the limit is called, by model, where the server has said so."""

    def open(self, origin: str, key: str, http: httpx2.AsyncClient) -> AsyncOpenAI:
        """Returns the SDK's client, without retries of its own."""
        from openai import AsyncOpenAI

        client = AsyncOpenAI(api_key=key, base_url=origin, max_retries=0, timeout=None, http_client=http)
        client.organization = client.project = None  # the environment's
        return client

    def written(self, request: Request) -> tuple[str, dict[str, Any], dict[str, str]]:
        """Path and body."""
        if self._responses:
            return "/responses", responses_body(request), {}
        return "/chat/completions", chat_body(request, own=self._own, limit=self._limit(request.model)), {}

    def read(self, answer: dict[str, Any], latency_s: float, request: Request) -> Completion:
        """Returns the completion in an answer."""
        of = read_response if self._responses else read_chat
        completion = of(answer, latency_s, asked=request.model, google=self._google)
        usage = completion.usage
        if usage is None or usage.web_searches or not _searches(request):
            return completion
        return completion.model_copy(update={"usage": usage.model_copy(update={"web_searches": 1})})

    def learns(self, request: Request, refusal: str) -> bool:
        """Notes the other name of the limit, where the server refuses the one that was sent."""
        sent = self._limit(request.model)
        other = LIMITS[LIMITS[0] == sent]
        said = refusal.lower()
        if self._responses or request.parameters.max_tokens is None or request.model in self._learned:
            return False
        if not re.search(rf"\b{sent}\b", said) or not (other in said or NO_SUCH.search(said)):
            return False
        self._learned[request.model] = other
        return True

    def _limit(self, model: str) -> str:
        newer = self._own or REASONING_MODEL.search(model.lower()) is not None
        return self._learned.get(model, LIMITS[newer])


def _searches(request: Request) -> bool:
    """Returns whether every call is charged a search, without a word about it in the usage."""
    name = request.model.lower()
    return (
        "search-preview" in name
        or name.endswith(("search-api", ":online"))
        or bool({"web_search_options", "plugins"} & request.parameters.extra.keys())
    )


def chat_body(request: Request, *, own: bool, limit: str) -> dict[str, Any]:
    """Returns the body for ``POST /chat/completions``. ``own``: a server of OpenAI's or Azure's; ``limit``: what it
    calls the output limit."""
    parameters = request.parameters
    reasoning = parameters.reasoning
    effort = reasoning["effort"] if own and reasoning and set(reasoning) == {"effort"} else None
    body = _set(
        model=request.model,
        messages=[{"role": message.role.value, "content": message.content} for message in request.messages],
        temperature=parameters.temperature,
        top_p=parameters.top_p,
        top_k=parameters.top_k,
        **{limit: parameters.max_tokens},
        seed=parameters.seed,
        stop=list(parameters.stop) or None,
        frequency_penalty=parameters.frequency_penalty,
        presence_penalty=parameters.presence_penalty,
        response_format=_chat_format(parameters),
        tools=list(parameters.tools) or None,
        reasoning_effort=effort,
        reasoning=reasoning if effort is None else None,
    )
    return with_extra(body, parameters)


def _chat_format(parameters: Parameters) -> dict[str, Any] | None:
    if parameters.response_format == "json_schema":
        return {"type": "json_schema", "json_schema": parameters.json_schema}
    return {"type": parameters.response_format} if parameters.response_format else None


def responses_body(request: Request) -> dict[str, Any]:
    """Returns the body for ``POST /responses``; nothing is kept by the provider."""
    parameters = request.parameters
    refuse(
        parameters.model_dump(), "the Responses API", "top_k", "seed", "stop", "frequency_penalty", "presence_penalty"
    )
    form: dict[str, Any] | None = {"type": parameters.response_format} if parameters.response_format else None
    if parameters.response_format == "json_schema":
        form = {"type": "json_schema", **(parameters.json_schema or {})}
    body = _set(
        model=request.model,
        input=[{"role": message.role.value, "content": message.content} for message in request.messages],
        temperature=parameters.temperature,
        top_p=parameters.top_p,
        max_output_tokens=parameters.max_tokens,
        text={"format": form} if form else None,
        tools=list(parameters.tools) or None,
        reasoning=parameters.reasoning,
        store=False,
    )
    return with_extra(body, parameters)


def _set(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


class _Function(BaseModel):
    name: str
    arguments: str | dict[str, JsonValue] | None = None


class _ChatToolCall(BaseModel):
    function: _Function


class _Chunk(BaseModel):
    """A part of a content list; what a model thinks is a part of its own and no text."""

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
    """Returns a Chat Completions answer. ``asked``: the model that was asked for; ``google``: by a server of
    Google's."""
    chat = _Chat.model_validate(answer)
    choice = chat.choices[0]
    message = choice.message
    text, refusal = _content(message)
    calls = tuple(
        ToolCall(name=call.function.name, arguments=_arguments(call.function.arguments))
        for call in message.tool_calls or ()
    )
    reason = (choice.finish_reason or "stop").lower()
    finish = FINISHES.get(reason)
    if reason in BROKEN_OFF:
        raise BrokenOffError(f"the server broke the answer off: its finish reason is {reason!r}")
    if finish is None:
        raise MalformedError(f"the finish reason {reason[:40]!r} is unknown")
    if refusal:
        finish, text = Finish.REFUSAL, refusal
    model = chat.model or asked
    usage, problem = chat_usage(chat.usage, tier=chat.service_tier, thinks_apart=google or _gemini(asked, model))
    return Completion(
        text=text,
        finish=_named(finish, text, calls),
        usage=usage,
        usage_problem=problem,
        tool_calls=calls,
        model=model,
        fingerprint=chat.system_fingerprint,
        latency_s=latency_s,
    )


def _content(message: _ChatMessage) -> tuple[str, str]:
    """Text and refusal."""
    if not isinstance(message.content, list):
        return message.content or "", message.refusal or ""
    chunks = [_Chunk(text=chunk) if isinstance(chunk, str) else chunk for chunk in message.content]
    text = "".join(chunk.text or "" for chunk in chunks if chunk.type in ("text", "output_text"))
    return text, message.refusal or "".join(chunk.refusal or "" for chunk in chunks)


def _arguments(given: str | dict[str, JsonValue] | None) -> str:
    return given if isinstance(given, str) else json.dumps(given or {}, ensure_ascii=False)


def _gemini(*names: str) -> bool:
    return any("gemini" in name.lower() for name in names)


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


OURS = frozenset({"message", "reasoning", "function_call", "custom_tool_call", "web_search_call"})
FREE = frozenset({"mcp_call", "mcp_list_tools", "mcp_approval_request"})
"""Items of an answer that cost their tokens and nothing else."""


def read_response(answer: dict[str, Any], latency_s: float, *, asked: str = "", google: bool = False) -> Completion:
    """Returns a Responses answer."""
    response = _Response.model_validate(answer)
    parts = [part for item in response.output if item.type == "message" for part in item.content or ()]
    text = "".join(part.text for part in parts if part.type == "output_text")
    refusal = "".join(part.refusal for part in parts if part.type == "refusal")
    calls = tuple(
        ToolCall(name=item.name, arguments=_arguments(item.arguments))
        for item in response.output
        if item.type == "function_call"
    )
    finish = _response_finish(response, refused=bool(refusal), called=bool(calls))
    text = refusal or text
    model = response.model or asked
    usage, problem = response_usage(
        response.usage, tier=response.service_tier, thinks_apart=google or _gemini(asked, model)
    )
    charged = next((item.type for item in response.output if item.type not in OURS | FREE), None)
    if charged is not None:
        usage, problem = None, f"{charged[:60]} is charged beside the tokens, at a price that isn't known"
    searches = sum(item.type == "web_search_call" for item in response.output)
    if usage is not None and searches > usage.web_searches:
        usage = usage.model_copy(update={"web_searches": searches})
    return Completion(
        text=text,
        finish=_named(finish, text, calls),
        usage=usage,
        usage_problem=problem,
        tool_calls=calls,
        model=model,
        latency_s=latency_s,
    )


def _response_finish(response: _Response, *, refused: bool, called: bool) -> Finish:
    if refused:
        return Finish.REFUSAL
    if response.status == "completed":
        return Finish.TOOL if called else Finish.STOP
    if response.status == "incomplete" and response.incomplete_details is not None:
        filtered = response.incomplete_details.reason == "content_filter"
        return Finish.FILTER if filtered else Finish.LENGTH
    raise MalformedError(f"the answer's status is {response.status[:40]!r}")


def _named(finish: Finish, text: str, calls: tuple[ToolCall, ...]) -> Finish:
    """An answer that stopped by itself and says nothing is empty."""
    return Finish.EMPTY if finish is Finish.STOP and not text.strip() and not calls else finish
