"""Reads the usage that providers report, as tokens by class. It is untrusted, like everything on the wire.

Many servers use OpenAI's field names but count differently. ``completion_tokens`` includes reasoning (OpenAI, DeepSeek,
OpenRouter) or excludes it (xAI, Gemini); only the total shows which. A reading is exact, or it says why the call can't
be billed. It never counts less than the call costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, NamedTuple

from pydantic import BaseModel, Field, NonNegativeInt

from schemas.outcomes import Usage

Count = Annotated[int | None, Field(ge=0)]
LIST_RATES = {"", "auto", "default", "standard", "standard_only", "on_demand"}
"""Service tiers that cost what the price list says."""


class UsageReading(NamedTuple):
    """Tokens by class. ``usage`` is ``None`` if none was reported, or if ``problem`` says why it can't be billed."""

    usage: Usage | None
    problem: str = ""


class _CacheWrites(BaseModel):
    ephemeral_5m_input_tokens: Count = None
    ephemeral_1h_input_tokens: Count = None
    ttl_12h_tokens: Count = None


class _InputDetails(BaseModel):
    cached_tokens: Count = None
    audio_tokens: Count = None
    cache_write_tokens: Count = None
    cache_creation_tokens: Count = None
    cache_creation_token_details: _CacheWrites | None = None
    cache_write_tokens_details: _CacheWrites | None = None


class _OutputDetails(BaseModel):
    reasoning_tokens: Count = None
    audio_tokens: Count = None
    image_tokens: Count = None


class _Beside(BaseModel):
    """Fields that some servers and gateways add to OpenAI's counts."""

    total_tokens: Count = None
    prompt_cache_hit_tokens: Count = None
    prompt_cache_miss_tokens: Count = None
    num_cached_tokens: Count = None
    cache_read_input_tokens: Count = None
    cache_creation_input_tokens: Count = None
    reasoning_tokens: Count = None
    citation_tokens: Count = None
    num_sources_used: Count = None
    num_search_queries: Count = None
    prompt_audio_seconds: Count = None
    server_tool_use: dict[str, Count] | None = None
    server_side_tool_usage_details: dict[str, Count] | None = None


class ChatUsage(_Beside):
    """``usage`` of Chat Completions."""

    prompt_tokens: NonNegativeInt
    completion_tokens: Count = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None


class ResponseUsage(_Beside):
    """``usage`` of the Responses API."""

    input_tokens: NonNegativeInt
    output_tokens: Count = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _MessageDetails(BaseModel):
    thinking_tokens: Count = None


class MessageUsage(BaseModel):
    """``usage`` of Anthropic's Messages."""

    input_tokens: NonNegativeInt
    output_tokens: NonNegativeInt
    cache_creation_input_tokens: Count = None
    cache_read_input_tokens: Count = None
    cache_creation: _CacheWrites | None = None
    output_tokens_details: _MessageDetails | None = None
    server_tool_use: dict[str, Count] | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None


def chat_usage(said: ChatUsage | None, *, tier: str | None = None, thinks_apart: bool = False) -> UsageReading:
    """Reads ``usage`` of Chat Completions. ``thinks_apart``: only the total includes reasoning (Gemini)."""
    if said is None:
        return UsageReading(None)
    names = ("prompt_tokens", "completion_tokens")
    return _openai(
        said,
        (said.prompt_tokens, said.completion_tokens),
        (said.prompt_tokens_details or _InputDetails(), said.completion_tokens_details or _OutputDetails()),
        names,
        tier=tier,
        thinks_apart=thinks_apart,
    )


def response_usage(said: ResponseUsage | None, *, tier: str | None = None, thinks_apart: bool = False) -> UsageReading:
    """Reads ``usage`` of the Responses API. ``thinks_apart`` as in ``chat_usage``."""
    if said is None:
        return UsageReading(None)
    return _openai(
        said,
        (said.input_tokens, said.output_tokens),
        (said.input_tokens_details or _InputDetails(), said.output_tokens_details or _OutputDetails()),
        ("input_tokens", "output_tokens"),
        tier=tier,
        thinks_apart=thinks_apart,
    )


def is_gemini(*models: str) -> bool:
    """Returns whether a model is Google's Gemini, whatever gateway it is behind."""
    return any("gemini" in model.lower() for model in models)


def message_usage(said: MessageUsage | None) -> UsageReading:
    """Reads Anthropic's ``usage``, whose ``input_tokens`` excludes tokens read from or written to the cache."""
    if said is None:
        return UsageReading(None)
    cached, written = said.cache_read_input_tokens or 0, said.cache_creation_input_tokens or 0
    kept = said.cache_creation or _CacheWrites()
    short, long = kept.ephemeral_5m_input_tokens or 0, kept.ephemeral_1h_input_tokens or 0
    # An inconsistent count can't be billed. A guess could break the spending cap.
    if said.cache_creation is not None and short + long != written:
        return UsageReading(
            None, f"cache_creation_input_tokens {written} is not the sum of its 5-minute {short} and 1-hour {long}"
        )
    searches, problem = _tools(said.server_tool_use, {"web_search_requests"}, free={"web_fetch_requests"})
    if problem:
        return UsageReading(None, problem)
    abroad = said.inference_geo if said.inference_geo not in (None, "", "global", "not_available") else None
    rate = _rate(said.speed) or _rate(said.service_tier) or abroad
    return _checked(
        Usage(
            input=said.input_tokens + cached + written,
            output=said.output_tokens,
            cached_input=cached,
            cache_write=written,
            cache_write_1h=long,
            reasoning=(said.output_tokens_details.thinking_tokens or 0) if said.output_tokens_details else 0,
            web_searches=searches,
            rate=rate,
        )
    )


def _openai(
    said: _Beside,
    counts: tuple[int, int | None],
    details: tuple[_InputDetails, _OutputDetails],
    names: tuple[str, str],
    *,
    tier: str | None,
    thinks_apart: bool,
) -> UsageReading:
    of_input, of_output = details
    reasoning = of_output.reasoning_tokens or said.reasoning_tokens or 0
    written, problem = _written(said, counts, reasoning, names, thinks_apart=thinks_apart)
    searches, charged = _searches(said)
    kept = of_input.cache_creation_token_details or of_input.cache_write_tokens_details or _CacheWrites()
    if (
        problem := problem
        or _miscounted_cache(said, counts[0], names[0])
        or charged
        or _unpriced(said, kept, of_output)
    ):
        return UsageReading(None, problem)
    hits = said.prompt_cache_hit_tokens
    cached = _first(of_input.cached_tokens, hits, said.num_cached_tokens, said.cache_read_input_tokens)
    stored = _first(of_input.cache_write_tokens, of_input.cache_creation_tokens, said.cache_creation_input_tokens)
    return _checked(
        Usage(
            input=counts[0],
            output=written,
            cached_input=cached,
            cache_write=stored,
            cache_write_1h=kept.ephemeral_1h_input_tokens or 0,
            reasoning=max(reasoning, written - (counts[1] or 0)),
            input_audio=of_input.audio_tokens or 0,
            output_audio=of_output.audio_tokens or 0,
            web_searches=searches,
            rate=_rate(tier),
        )
    )


def _miscounted_cache(said: _Beside, read: int, name: str) -> str:
    """Returns why the tokens of the request don't add up from DeepSeek's two counts, or nothing."""
    hits, misses = said.prompt_cache_hit_tokens, said.prompt_cache_miss_tokens
    if hits is None or misses is None or hits + misses == read:
        return ""
    return f"{name} {read} is not the sum of {hits} cache hits and {misses} misses"


def _unpriced(said: _Beside, kept: _CacheWrites, of_output: _OutputDetails) -> str:
    """Returns what is charged in a way that no price here covers, or nothing."""
    for number, what in (
        (kept.ttl_12h_tokens, "tokens kept in a cache for 12 hours"),
        (of_output.image_tokens, "tokens of images"),
        (said.citation_tokens, "citation tokens"),
        (said.num_sources_used, "search sources"),
        (said.prompt_audio_seconds, "seconds of audio"),
    ):
        if number:
            return f"{number} {what} are charged in a way that no price here covers"
    return ""


def _written(
    said: _Beside, counts: tuple[int, int | None], reasoning: int, names: tuple[str, str], *, thinks_apart: bool
) -> tuple[int, str]:
    """Returns the output tokens, reasoning included, and ``""``; or 0 and why they can't be determined."""
    read, answer = counts
    total = said.total_tokens or None  # some local servers count none and say 0
    if answer is None:
        return _remainder(total, read, names[1])
    # Certainly not inside the answer: at top level it never is.
    beside = (said.reasoning_tokens is not None and reasoning > 0) or reasoning > answer
    if total is None:
        total = read + answer + (reasoning if beside else 0)
    if total == read + answer and not beside:
        return answer, ""
    # Tokens beyond input and answer are reasoning, if the numbers agree.
    apart = total - read - answer
    if apart > 0 and (apart == reasoning or (thinks_apart and not reasoning)):
        return answer + apart, ""
    aside = f" and reasoning_tokens {reasoning}" if reasoning else ""
    return 0, f"total_tokens {total} doesn't add up from {names[0]} {read} and {names[1]} {answer}{aside}"


def _remainder(total: int | None, read: int, name: str) -> tuple[int, str]:
    """Works as ``_written`` without a count of the answer: Gemini omits it if thinking used up the limit."""
    if total is None or total < read:
        return 0, f"there is no {name} and no total_tokens to tell them from"
    return total - read, ""


def _searches(said: _Beside) -> tuple[int, str]:
    anthropic, problem = _tools(said.server_tool_use, {"web_search_requests"}, free={"web_fetch_requests"})
    xai, other = _tools(said.server_side_tool_usage_details, {"web_search_calls", "x_search_calls"}, free={"mcp_calls"})
    return anthropic + xai + (said.num_search_queries or 0), problem or other


def _tools(calls: Mapping[str, int | None] | None, searches: set[str], *, free: set[str]) -> tuple[int, str]:
    """Returns the number of searches, and the first other tool that is charged separately."""
    counted = {name: number for name, number in (calls or {}).items() if number and name not in free}
    other = next((name for name in counted if name not in searches), None)
    if other is not None:
        return 0, f"{counted[other]} {other[:60]} are charged in addition to the tokens, at an unknown price"
    return sum(counted.values()), ""


def _checked(usage: Usage) -> UsageReading:
    """Returns ``usage``, or a problem if a part is greater than its whole."""
    for whole, parts, what in (
        (usage.input, usage.cached_input + usage.cache_write + usage.input_audio, "cached, written and audio tokens"),
        (usage.cache_write, usage.cache_write_1h, "tokens kept for an hour"),
        (usage.output, max(usage.reasoning, usage.output_audio), "reasoning or audio tokens"),
    ):
        if parts > whole:
            return UsageReading(None, f"{parts} {what} exceed the {whole} tokens that they are part of")
    return UsageReading(usage)


def _rate(tier: str | None) -> str | None:
    """Returns the service tier if it has its own prices, else ``None``."""
    return None if tier is None or tier.lower() in LIST_RATES else tier.lower()[:40]


def _first(*counts: int | None) -> int:
    return next((count for count in counts if count is not None), 0)
