"""Computes costs in exact USD: the bill, the cache-neutral cost for comparisons, and bounds before a call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple

from schemas.effects import CostPart
from schemas.outcomes import Completion, Usage
from schemas.pricing import Price, TokenPrices
from schemas.prompts import Request
from schemas.values import Value, canonical_json

MILLION = Decimal(1_000_000)
THOUSAND = Decimal(1_000)
NANO = 1_000_000_000
USUAL_OUTPUT = 1024
"""Most tokens that an estimate expects of an answer without history."""
UNLIMITED_OUTPUT = 16_384
"""Tokens assumed for the longest answer if no limit is sent. A longer answer raises the bound of later calls
(engine/runner/calls.py)."""
BYTES_PER_TOKEN = 4
"""Bytes per token, roughly, in English text. Replaced by the provider's counts once there is history."""
MESSAGE_OVERHEAD = 16
"""Most tokens that a chat format adds to each message, including role markers."""
RESIDUE = Decimal("1e-9")
"""Differences below this, in USD per 1,000 cases, are rounding errors."""
TOOL_OVERHEAD = 1024
"""Tokens of the instructions that providers add when tools or a schema are sent."""


def bill(usage: Usage, price: Price) -> Decimal:
    """Returns what the provider charges for ``usage``, in USD.

    Cached tokens, cache writes, audio and searches have their own prices. A long request pays its tier's prices for all
    its tokens."""
    of = tier_of(price, usage.input)
    cached = of.input if of.cached_input is None else of.cached_input
    written = of.input if of.cache_write is None else of.cache_write
    kept = written if of.cache_write_1h is None else of.cache_write_1h
    audio_in = of.input if price.input_audio is None else price.input_audio
    audio_out = of.output if price.output_audio is None else price.output_audio
    # Never negative: parts that exceed their whole must not lower the bill.
    plain_in = max(0, usage.input - usage.cached_input - usage.cache_write - usage.input_audio)
    plain_out = max(0, usage.output - usage.output_audio)
    tokens = (
        plain_in * of.input
        + usage.cached_input * cached
        + (usage.cache_write - usage.cache_write_1h) * written
        + usage.cache_write_1h * kept
        + usage.input_audio * audio_in
        + plain_out * of.output
        + usage.output_audio * audio_out
    ) / MILLION
    if price.per_1000_calls is None and not usage.web_searches:
        return tokens
    return tokens + (usage.web_searches * (price.per_1000_searches or 0) + (price.per_1000_calls or 0)) / THOUSAND


def tier_of(price: Price, read: int) -> TokenPrices:
    """Returns the prices of a request with ``read`` tokens."""
    reached = [tier for tier in price.tiers if read > tier.above]
    return max(reached, key=lambda tier: tier.above) if reached else price


@lru_cache(maxsize=256)
def is_free(price: Price) -> bool:
    """Returns whether every price is 0."""
    return not any(amount for part in (price, *price.tiers) for name, amount in part if isinstance(amount, Decimal))


def unpriced(completion: Completion, price: Price) -> str:
    """Returns why an answer can't be billed at ``price``; empty if it can, or if the answer reports no usage."""
    usage = completion.usage
    # Nothing can be billed wrongly at a price of 0, so missing usage doesn't matter.
    if is_free(price):
        return ""
    if usage is None:
        return completion.usage_problem
    # Priority tiers cost a multiple of the listed price. Billing them at the usual rate would break the cap.
    if usage.rate != price.rate:
        served, priced = (f"the {rate!r} rate" if rate else "the usual rate" for rate in (usage.rate, price.rate))
        return f"it was served at {served}, but the configured price is for {priced}"
    if usage.web_searches and price.per_1000_searches is None:
        return f"{usage.web_searches} web searches are charged, but the configured price has no per_1000_searches"
    if usage.cache_write_1h and tier_of(price, usage.input).cache_write_1h is None:
        return f"{usage.cache_write_1h} tokens were cached for an hour, but the configured price has no cache_write_1h"
    return ""


def neutral(usage: Usage, price: Price) -> Decimal:
    """Returns the cost of the call without any cache. Otherwise the arm that runs second would look cheaper."""
    if not (usage.cached_input or usage.cache_write):
        return bill(usage, price)
    return bill(usage.model_copy(update={"cached_input": 0, "cache_write": 0, "cache_write_1h": 0}), price)


class Size(NamedTuple):
    """What a request's cost depends on."""

    read: int
    """UTF-8 bytes that the model reads."""
    turns: int
    """Messages, and turns of a conversation so far."""
    tools: bool
    """Whether it sends tools or a JSON schema."""
    limit: int | None
    """Most tokens of the answer. ``None``: no limit is sent."""


def size_of(request: Request) -> Size:
    """Returns the size of a request."""
    parameters, steps = request.parameters, request.steps
    read = sum(len(message.content.encode()) for message in request.messages)
    if steps:
        read += len(canonical_json([step.model_dump(mode="json") for step in steps]))
    tools = bool(parameters.tools or parameters.json_schema)
    if tools:
        read += len(canonical_json([parameters.tools, parameters.json_schema]))
    turns = sum(1 + len(step.results) + (step.user is not None) for step in steps)
    return Size(read, len(request.messages) + turns, tools, parameters.max_tokens)


def worst_case(request: Request, price: Price) -> Decimal:
    """Returns an upper bound of ``bill``, in USD.

    A byte-level tokenizer never makes more tokens than there are bytes, and no answer exceeds the limit sent with the
    request. Without a limit, and for searches by the provider, the bound is a guess.
    """
    return _worst(size_of(request), price)


def _worst(size: Size, price: Price) -> Decimal:
    read = size.read + MESSAGE_OVERHEAD * (size.turns + 1) + TOOL_OVERHEAD * size.tools
    tiers = (price, *(tier for tier in price.tiers if read > tier.above))
    dearest = max(max(tier.input, tier.cache_write or 0, tier.cache_write_1h or 0) for tier in tiers)
    # Any tier may apply, depending on how the provider counts, so the bound takes the dearest one.
    written = size.limit or UNLIMITED_OUTPUT
    tokens = (read * dearest + written * max(tier.output for tier in tiers)) / MILLION
    return tokens + (price.per_1000_calls or 0) / THOUSAND


class Estimate(Value):
    """The estimated cost of a run before its first call."""

    calls: int
    input_tokens: int
    output_tokens: int
    """Expected total of all calls."""
    cost_usd: Decimal
    """Expected cost, from history if there is any."""
    worst_usd: Decimal
    """Cost if every answer were as long as its limit."""


def estimate(requests: Iterable[Request], price: Price, *, seen: Sequence[Usage] = ()) -> Estimate:
    """Returns the expected cost of one call of each request. ``seen`` is as in ``estimate_sizes``."""
    return estimate_sizes(((size_of(request), 1) for request in requests), price, seen=seen)


def estimate_sizes(
    sizes: Iterable[tuple[Size, int]], price: Price, *, seen: Sequence[Usage] = (), max_steps: int = 1
) -> Estimate:
    """Returns the expected cost of requests, each given by its size and the expected calls of its conversation.

    ``seen`` holds the usage of earlier answers to the same prompt. Without any, answers are assumed to have a quarter
    of their limit, and at most ``USUAL_OUTPUT`` tokens. A conversation has at most ``max_steps`` calls. Each reads the
    answers before it.
    """
    mean_output = Decimal(sum(usage.output for usage in seen)) / len(seen) if seen else None
    worst = total_out = Decimal(0)
    total_in = total_calls = 0
    # Requests of the same size cost the same, and of many cases most have a size that others have too.
    for (size, calls), number in Counter(sizes).items():
        read = size.read // BYTES_PER_TOKEN + MESSAGE_OVERHEAD // 4 * size.turns
        limit = Decimal(size.limit or UNLIMITED_OUTPUT)
        written = min(limit / 4, Decimal(USUAL_OUTPUT)) if mean_output is None else min(mean_output, limit)
        total_calls += number * calls
        total_in += number * (calls * read + round(_earlier(calls) * written))
        total_out += number * calls * written
        worst += number * (max_steps * _worst(size, price) + _earlier(max_steps) * limit * price.input / MILLION)
    return Estimate(
        calls=total_calls,
        input_tokens=total_in,
        output_tokens=round(total_out),
        cost_usd=(total_in * price.input + total_out * price.output) / MILLION,
        worst_usd=worst,
    )


def _earlier(calls: int) -> int:
    """Returns how many answers the calls of a conversation read together: none, one, two …"""
    return calls * (calls - 1) // 2


def decompose(
    baseline: Sequence[Usage],
    candidate: Sequence[Usage],
    baseline_price: Price,
    candidate_price: Price,
    *,
    conversations: bool = False,
) -> tuple[CostPart, ...]:
    """Returns why the candidate costs more or less, per 1,000 cases. Empty if an arm has no usage.

    Longer input, longer answers and more searches are counted at the baseline's price. The rest is the change of the
    price. These four parts add up to the cache-neutral difference. ``cache`` is the effect of caching on the bill.
    With ``conversations``, a usage is that of all calls of a case.
    Amounts are whole nano-dollars, so the parts add up exactly, and an unchanged part is exactly 0.
    """
    if not baseline or not candidate:
        return ()
    in_before, out_before = _mean_tokens(baseline)
    in_after, out_after = _mean_tokens(candidate)
    longer_input = (in_after - in_before) * Fraction(baseline_price.input) / 1000
    longer_output = (out_after - out_before) * Fraction(baseline_price.output) / 1000
    searches = (_searches(candidate) - _searches(baseline)) * Fraction(baseline_price.per_1000_searches or 0)
    neutral_change = _mean_cost(candidate, candidate_price, neutral) - _mean_cost(baseline, baseline_price, neutral)
    real_change = _mean_cost(candidate, candidate_price, bill) - _mean_cost(baseline, baseline_price, bill)
    # The rest absorbs tiers and price changes, so that the parts always add up to the total.
    rest = neutral_change - longer_input - longer_output - searches
    sums = accumulate([longer_input, longer_output, searches, rest], initial=Fraction(0))
    # Rounding the running totals, not the parts, keeps their sum exact.
    nano = [round(total * NANO) for total in (*sums, real_change)]
    by_input, by_output, by_search, by_price, by_cache = (
        Decimal(end - start).scaleb(-9) for start, end in pairwise(nano)
    )
    return (
        CostPart(
            cause="conversation" if conversations else "input",
            usd_per_1000=by_input,
            tokens_per_case=float(in_after - in_before),
        ),
        CostPart(cause="output", usd_per_1000=by_output, tokens_per_case=float(out_after - out_before)),
        CostPart(cause="search", usd_per_1000=by_search),
        CostPart(cause="price", usd_per_1000=by_price),
        CostPart(cause="cache", usd_per_1000=by_cache),
    )


def causes(parts: Sequence[CostPart]) -> str:
    """Returns why the cost changed, in words, with the largest cause first.

    An example is "the prompt is 412 tokens longer, answers are as long as before". Causes under a hundredth of the
    largest are ignored. Empty if nothing changed.
    """
    sizes = {part.cause: abs(part.usd_per_1000) for part in parts}
    largest = max(sizes.values(), default=Decimal(0))
    if largest < RESIDUE:
        return ""
    moved = sorted((p for p in parts if sizes[p.cause] * 100 >= largest), key=lambda p: -sizes[p.cause])
    said = [_cause(part) for part in moved]
    if [part.cause for part in moved] == ["input"]:
        said.append("answers are as long as before")
    return ", ".join(said)


_SIZES = {"input": "the prompt is", "conversation": "what a case's calls read is", "output": "answers are"}


def _cause(part: CostPart) -> str:
    more = part.usd_per_1000 > 0
    if part.cause == "price":
        return f"a token costs {'more' if more else 'less'}"
    if part.cause == "cache":
        return f"caching {'adds to' if more else 'takes from'} the bill"
    if part.cause == "search":
        return f"{'more' if more else 'fewer'} web searches"
    what = _SIZES[part.cause]
    if part.tokens_per_case is None:
        return f"{what} {'longer' if more else 'shorter'}"
    tokens = abs(part.tokens_per_case)
    number = f"{tokens:.1f}".removesuffix(".0") if tokens < 10 else f"{tokens:,.0f}"
    return f"{what} {number} {'token' if number == '1' else 'tokens'} {'longer' if more else 'shorter'}"


def _mean_tokens(usages: Sequence[Usage]) -> tuple[Fraction, Fraction]:
    count = len(usages)
    return Fraction(sum(usage.input for usage in usages), count), Fraction(sum(usage.output for usage in usages), count)


def _searches(usages: Sequence[Usage]) -> Fraction:
    return Fraction(sum(usage.web_searches for usage in usages), len(usages))


def _mean_cost(usages: Sequence[Usage], price: Price, of: Callable[[Usage, Price], Decimal]) -> Fraction:
    return sum((Fraction(of(usage, price)) for usage in usages), Fraction(0)) * 1000 / len(usages)
