"""OpenAI and everything that speaks its API: Chat Completions and Responses, by the official SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, NonNegativeInt

from adapters.providers.sdk import SdkProvider, refuse
from adapters.providers.wire import MalformedError
from schemas.outcomes import Completion, Finish, ToolCall, Usage
from schemas.prompts import Parameters, Request

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

FINISHES = {
    "stop": Finish.STOP,
    "length": Finish.LENGTH,
    "content_filter": Finish.FILTER,
    "tool_calls": Finish.TOOL,
    "function_call": Finish.TOOL,
}
Count = Annotated[int | None, Field(ge=0)]


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
        self._own = host == "api.openai.com" or host.endswith(".openai.azure.com")

    def open(self, origin: str, key: str, http: httpx2.AsyncClient) -> AsyncOpenAI:
        """The SDK's client, without retries of its own."""
        from openai import AsyncOpenAI

        client = AsyncOpenAI(api_key=key, base_url=origin, max_retries=0, timeout=None, http_client=http)
        client.organization = client.project = None  # the environment's
        return client

    def written(self, request: Request) -> tuple[str, dict[str, Any], dict[str, str]]:
        """Path and body."""
        if self._responses:
            return "/responses", responses_body(request), {}
        return "/chat/completions", chat_body(request, own=self._own), {}

    def read(self, answer: dict[str, Any], latency_s: float) -> Completion:
        """The completion in an answer."""
        return read_response(answer, latency_s) if self._responses else read_chat(answer, latency_s)


def chat_body(request: Request, *, own: bool) -> dict[str, Any]:
    """The body for ``POST /chat/completions``. ``own``: OpenAI's servers, which call the limit
    ``max_completion_tokens``; compatible ones know ``max_tokens``."""
    parameters = request.parameters
    reasoning = parameters.reasoning
    effort = reasoning["effort"] if own and reasoning and set(reasoning) == {"effort"} else None
    return _set(
        model=request.model,
        messages=[{"role": message.role.value, "content": message.content} for message in request.messages],
        temperature=parameters.temperature,
        top_p=parameters.top_p,
        top_k=parameters.top_k,
        max_completion_tokens=parameters.max_tokens if own else None,
        max_tokens=None if own else parameters.max_tokens,
        seed=parameters.seed,
        stop=list(parameters.stop) or None,
        frequency_penalty=parameters.frequency_penalty,
        presence_penalty=parameters.presence_penalty,
        response_format=_chat_format(parameters),
        tools=list(parameters.tools) or None,
        reasoning_effort=effort,
        reasoning=reasoning if effort is None else None,
    )


def _chat_format(parameters: Parameters) -> dict[str, Any] | None:
    if parameters.response_format == "json_schema":
        return {"type": "json_schema", "json_schema": parameters.json_schema}
    return {"type": parameters.response_format} if parameters.response_format else None


def responses_body(request: Request) -> dict[str, Any]:
    """The body for ``POST /responses``; nothing is kept by the provider."""
    parameters = request.parameters
    refuse(
        parameters.model_dump(), "the Responses API", "top_k", "seed", "stop", "frequency_penalty", "presence_penalty"
    )
    form: dict[str, Any] | None = {"type": parameters.response_format} if parameters.response_format else None
    if parameters.response_format == "json_schema":
        form = {"type": "json_schema", **(parameters.json_schema or {})}
    return _set(
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


def _set(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


class _Details(BaseModel):
    cached_tokens: Count = None
    cache_write_tokens: Count = None
    audio_tokens: Count = None
    reasoning_tokens: Count = None


class _ChatUsage(BaseModel):
    prompt_tokens: NonNegativeInt
    completion_tokens: NonNegativeInt
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None


class _Function(BaseModel):
    name: str
    arguments: str


class _ChatToolCall(BaseModel):
    function: _Function


class _ChatMessage(BaseModel):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_ChatToolCall] | None = None


class _Choice(BaseModel):
    message: _ChatMessage
    finish_reason: str | None = None


class _Chat(BaseModel):
    model: str
    choices: list[_Choice] = Field(min_length=1)
    usage: _ChatUsage
    system_fingerprint: str | None = None


def read_chat(answer: dict[str, Any], latency_s: float) -> Completion:
    """A Chat Completions answer."""
    chat = _Chat.model_validate(answer)
    choice = chat.choices[0]
    message = choice.message
    text = message.content or ""
    calls = tuple(ToolCall(name=c.function.name, arguments=c.function.arguments) for c in message.tool_calls or ())
    finish = FINISHES.get(choice.finish_reason or "stop")
    if finish is None:
        raise MalformedError(f"the finish reason {str(choice.finish_reason)[:40]!r} is unknown")
    if message.refusal:
        finish, text = Finish.REFUSAL, message.refusal
    return Completion(
        text=text,
        finish=_named(finish, text, calls),
        usage=_usage(
            chat.usage.prompt_tokens,
            chat.usage.completion_tokens,
            chat.usage.prompt_tokens_details,
            chat.usage.completion_tokens_details,
        ),
        tool_calls=calls,
        model=chat.model,
        fingerprint=chat.system_fingerprint,
        latency_s=latency_s,
    )


class _ResponseUsage(BaseModel):
    input_tokens: NonNegativeInt
    output_tokens: NonNegativeInt
    input_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None


class _Part(BaseModel):
    type: str
    text: str = ""
    refusal: str = ""


class _Item(BaseModel):
    type: str
    content: list[_Part] | None = None
    name: str = ""
    arguments: str = ""


class _Incomplete(BaseModel):
    reason: str | None = None


class _Response(BaseModel):
    model: str
    status: str
    output: list[_Item]
    usage: _ResponseUsage
    incomplete_details: _Incomplete | None = None


def read_response(answer: dict[str, Any], latency_s: float) -> Completion:
    """A Responses answer."""
    response = _Response.model_validate(answer)
    parts = [part for item in response.output if item.type == "message" for part in item.content or ()]
    text = "".join(part.text for part in parts if part.type == "output_text")
    refusal = "".join(part.refusal for part in parts if part.type == "refusal")
    calls = tuple(
        ToolCall(name=item.name, arguments=item.arguments) for item in response.output if item.type == "function_call"
    )
    if refusal:
        finish, text = Finish.REFUSAL, refusal
    elif response.status == "completed":
        finish = Finish.TOOL if calls else Finish.STOP
    elif response.status == "incomplete" and response.incomplete_details is not None:
        filtered = response.incomplete_details.reason == "content_filter"
        finish = Finish.FILTER if filtered else Finish.LENGTH
    else:
        raise MalformedError(f"the answer's status is {response.status[:40]!r}")
    usage = response.usage
    return Completion(
        text=text,
        finish=_named(finish, text, calls),
        usage=_usage(usage.input_tokens, usage.output_tokens, usage.input_tokens_details, usage.output_tokens_details),
        tool_calls=calls,
        model=response.model,
        latency_s=latency_s,
    )


def _named(finish: Finish, text: str, calls: tuple[ToolCall, ...]) -> Finish:
    """An answer that stopped by itself and says nothing is empty."""
    return Finish.EMPTY if finish is Finish.STOP and not text.strip() and not calls else finish


def _usage(read: int, written: int, of_read: _Details | None, of_written: _Details | None) -> Usage:
    of_read, of_written = of_read or _Details(), of_written or _Details()
    return Usage(
        input=read,
        output=written,
        cached_input=of_read.cached_tokens or 0,
        cache_write=of_read.cache_write_tokens or 0,
        input_audio=of_read.audio_tokens or 0,
        reasoning=of_written.reasoning_tokens or 0,
        output_audio=of_written.audio_tokens or 0,
    )
