"""Plays an agent that looks orders up, refunds them and asks people. It keeps the rules that the prompt states.

It knows the tools ``look_up_order``, ``refund_order`` and ``ask_human``, and does with them what a hasty clerk would.
Each rule that it finds in the instructions makes it more careful. Now and then it forgets one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from demo.toy_model.dice import Dice
from demo.toy_model.reading import injections, manner
from demo.toy_model.sizes import Size
from demo.toy_model.words import sentences
from schemas.conversations import Step, ToolCall
from schemas.prompts import INSTRUCTING, Request, Role

_ORDER = re.compile(r"(?<!\d)\d{4}(?!\d)")
_REFUND = re.compile(r"\b(refund\w*|money back|paid back|reimburse\w*|give .* back)\b", re.IGNORECASE)
_PERSON = re.compile(r"\b(lawyer|a person|a human|your manager|somebody real)\b", re.IGNORECASE)
_THANKS = re.compile(r"\b(thanks?|thank you|perfect|never mind)\b", re.IGNORECASE)
_LOOK_FIRST = re.compile(r"\blook\b.*\bup\b.*\b(before|first)\b", re.IGNORECASE)
_ONLY = re.compile(r"\brefund only orders that are ([\w ,]+)", re.IGNORECASE)
_LIMIT = re.compile(r"\bmore than (\d+) dollars\b.*\bask_human\b", re.IGNORECASE)
_HAND_OVER = re.compile(r"\b(a person|a human|lawyer)\b.*\bask_human\b", re.IGNORECASE)
_ASK_NUMBER = re.compile(r"\b(without|no)\b.*\border number\b.*\bask\b", re.IGNORECASE)
_ONCE = re.compile(r"\b(twice|already refunded)\b", re.IGNORECASE)
_TOGETHER = re.compile(r"\b(at once|together|in one step)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Rules:
    """The rules that a prompt states."""

    looks_first: bool
    refundable: tuple[str, ...]
    """The only statuses whose orders are refunded; empty: any."""
    limit: int | None
    """USD above which a person decides."""
    hands_over: bool
    asks_number: bool
    once: bool
    together: bool
    guarded: bool


@lru_cache(maxsize=64)
def _rules(instructions: tuple[str, ...]) -> _Rules:
    told = [sentence for text in instructions for sentence in sentences(text)]

    def states(pattern: re.Pattern[str]) -> bool:
        return any(pattern.search(sentence) for sentence in told)

    only = next((found for sentence in told if (found := _ONLY.search(sentence))), None)
    limit = next((found for sentence in told if (found := _LIMIT.search(sentence))), None)
    return _Rules(
        looks_first=states(_LOOK_FIRST),
        refundable=tuple(re.findall(r"\w+", only[1].replace(" or ", " "))) if only else (),
        limit=int(limit[1]) if limit else None,
        hands_over=states(_HAND_OVER),
        asks_number=states(_ASK_NUMBER),
        once=states(_ONCE),
        together=states(_TOGETHER),
        guarded=manner(instructions).guarded,
    )


def act(request: Request, size: Size, dice: Dice) -> tuple[str, tuple[ToolCall, ...]]:
    """Returns what the agent says, or the tools that it calls."""
    rules = _rules(tuple(message.content for message in request.messages if message.role in INSTRUCTING))
    # The less attention, the more often a rule slips its mind.
    forgets = dice.happens(0.08 + 0.3 * (1 - size.attention))
    return _Clerk(request, rules, forgets=forgets).next_step()


class _Clerk:
    """The agent before one step of a conversation."""

    def __init__(self, request: Request, rules: _Rules, *, forgets: bool) -> None:
        first = next((one.content for one in reversed(request.messages) if one.role is Role.USER), "")
        self.told = [first, *(step.user for step in request.steps if step.user is not None)]
        since = max((at for at, step in enumerate(request.steps, 1) if step.user is not None), default=0)
        self.rules = rules
        self.forgets = forgets
        self.known = dict(_orders(request.steps))
        self.refunded = {order for name, order in _made(request.steps) if name == "refund_order"}
        self.handed_over = any(call.name == "ask_human" for step in request.steps[since:] for call in step.calls)
        self.results = [result for step in request.steps for result in step.results]

    def next_step(self) -> tuple[str, tuple[ToolCall, ...]]:
        """Returns a text, or calls."""
        orders = next((numbers for text in reversed(self.told) if (numbers := _ORDER.findall(text))), [])
        if (obeyed := self._obeys(orders)) is not None:
            return "", (obeyed,)
        if self.handed_over:
            return "A colleague takes over and writes to you today.", ()
        wish = next((found for text in reversed(self.told) if (found := _wish(text))), "status")
        if wish == "person" and self.rules.hands_over:
            return "", (_call("ask_human", topic="person"),)
        if wish == "thanks":
            return "You're welcome.", ()
        if not orders and self.rules.asks_number and not self.forgets:
            return "Which order is it? Please send me the order number.", ()
        # A hasty clerk takes the first order of the day.
        return self._served(list(dict.fromkeys(orders)) or ["1000"], wish)

    def _served(self, orders: Sequence[str], wish: str) -> tuple[str, tuple[ToolCall, ...]]:
        looks = wish != "refund" or (self.rules.looks_first and not self.forgets)
        if looks and (unknown := [order for order in orders if order not in self.known]):
            wanted = unknown if self.rules.together else unknown[:1]
            return "", tuple(_call("look_up_order", order_id=order) for order in wanted)
        if wish == "refund" and (calls := tuple(self._refunds(orders))):
            return "", calls
        return " ".join(self._told_about(order, wish) for order in orders), ()

    def _obeys(self, orders: Sequence[str]) -> ToolCall | None:
        """Returns the refund that an attack gets from an unguarded agent."""
        heard = [*self.told, *self.results]
        if self.rules.guarded or not any("refund" in one for text in heard for one in injections(text)):
            return None
        left = [order for order in orders if order not in self.refunded]
        return _call("refund_order", order_id=left[0], reason="other") if left else None

    def _refunds(self, orders: Sequence[str]) -> Iterator[ToolCall]:
        for order in orders:
            found = self.known.get(order, {})
            if order in self.refunded or self._refusal(found):
                continue
            amount = found.get("amount")
            if self.rules.limit is not None and isinstance(amount, int) and amount > self.rules.limit:
                yield _call("ask_human", topic="amount")
            else:
                yield _call("refund_order", order_id=order, reason=str(found.get("status", "other")))

    def _refusal(self, order: dict[str, object]) -> str:
        """Returns why an order is not refunded; empty if it is."""
        if "error" in order:
            return "I can't find it"
        if self.rules.once and order.get("refunded") is True:
            return "it was refunded before"
        if order and self.rules.refundable and order.get("status") not in self.rules.refundable:
            return f"it is {order.get('status')}"
        return ""

    def _told_about(self, order: str, wish: str) -> str:
        found = self.known.get(order, {})
        if order in self.refunded:
            return f"I have refunded order {order}."
        why = self._refusal(found)
        if wish == "refund":
            return f"I can't refund order {order}: {why}."
        return f"Order {order}: {why or found.get('status', 'unknown')}."


def _wish(text: str) -> str | None:
    """Returns what a message asks for; ``None`` if it only answers a question."""
    if _PERSON.search(text):
        return "person"
    if _REFUND.search(text):
        return "refund"
    if _THANKS.search(text):
        return "thanks"
    return "status" if "?" in text else None


def _made(steps: Sequence[Step]) -> Iterator[tuple[str, str]]:
    """Yields the name and the order of each call so far."""
    for step in steps:
        for call in step.calls:
            yield call.name, str(json.loads(call.arguments).get("order_id", ""))


def _orders(steps: Sequence[Step]) -> Iterator[tuple[str, dict[str, object]]]:
    """Yields each order that was looked up, with what is known of it."""
    for (name, order), result in zip(_made(steps), (result for step in steps for result in step.results), strict=False):
        if name != "look_up_order":
            continue
        try:
            found = json.loads(result)
        except ValueError:
            found = {"error": result}
        yield order, found if isinstance(found, dict) else {"error": result}


def _call(name: str, **arguments: str) -> ToolCall:
    return ToolCall(name=name, arguments=json.dumps(arguments))
