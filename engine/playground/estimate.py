"""What a run of a draft costs, before it: from what the prompt cost before, else from the lengths of its texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from engine.planning.call_cost import BYTES_PER_TOKEN, MILLION, THOUSAND, TOOL_OVERHEAD, UNLIMITED_OUTPUT, USUAL_OUTPUT

if TYPE_CHECKING:
    from pydantic import JsonValue

    from schemas.pricing import Price
    from schemas.prompts import Message

JUDGE_INPUT, JUDGE_OUTPUT = 1_500, 400
"""Tokens that a judge probably reads and writes about one answer."""
ROUNDS = 2
"""How often a version probably runs on each case, at most: once, and again where a failure is confirmed."""


class Estimate(NamedTuple):
    """USD: if the committed version's answers are stored and nothing is confirmed, and if neither holds."""

    cases: int
    least_usd: Decimal
    most_usd: Decimal
    call_usd: Decimal
    """The most that one call may cost. Less than that allows no call at all."""


def per_case(
    messages: Sequence[Message], inputs: Sequence[Mapping[str, JsonValue]], price: Price, max_tokens: float | None
) -> Decimal:
    """Returns the probable cost of one answer in USD, by the lengths of the texts and of the cases' ``inputs``."""
    prompt = sum(len(message.content.encode()) for message in messages)
    sizes = [_size(each) for each in inputs[:1_000]]
    read = (prompt + (fmean(sizes) if sizes else 0)) / BYTES_PER_TOKEN
    written = min(max_tokens or USUAL_OUTPUT, USUAL_OUTPUT)
    return (Decimal(round(read)) * price.input + Decimal(int(written)) * price.output) / MILLION


def worst_call(
    messages: Sequence[Message],
    inputs: Sequence[Mapping[str, JsonValue]],
    prices: Sequence[Price],
    max_tokens: float | None,
) -> Decimal:
    """Returns the most that one call may cost in USD, as the runner reckons it before each call, with some to spare."""
    read = sum(len(message.content.encode()) for message in messages) + TOOL_OVERHEAD + JUDGE_INPUT * BYTES_PER_TOKEN
    read += max(map(_size, inputs), default=0)
    written = int(max_tokens or UNLIMITED_OUTPUT)
    return max(((read * price.input + written * price.output) / MILLION for price in prices), default=Decimal(0))


def estimate(cases: int, each: Decimal, before: Decimal, judges: Sequence[Price], call: Decimal) -> Estimate:
    """Returns the estimate of a run. ``each`` is what an answer to the draft costs, ``before`` one to the prompt as it
    is, and ``call`` the most that one call may cost, in USD."""
    judged = sum(((JUDGE_INPUT * price.input + JUDGE_OUTPUT * price.output) / MILLION for price in judges), Decimal(0))
    least = cases * (each + judged)
    return Estimate(cases, least, ROUNDS * cases * (each + before + 2 * judged), call)


def _size(inputs: Mapping[str, JsonValue]) -> int:
    return sum(len(str(value).encode()) for value in inputs.values())


def of_history(per_1000: Decimal) -> Decimal:
    """Returns the cost of one answer from that of 1,000 cases."""
    return per_1000 / THOUSAND
