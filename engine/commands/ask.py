"""The text of ``promptverdict suggest --ask`` around diff and scorecard. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from engine.commands.backtest import expected_cost
from engine.improve.ask import AskTask
from engine.improve.asking import LONGEST
from engine.improve.conversation import AskReport
from engine.render.encode import excerpt, visible
from engine.render.figures import plural, usd


def cost_line(task: AskTask, budget_usd: Decimal) -> str:
    """Returns what a round runs, and what that costs, judges included."""
    change, rounds = task.target.change, len(task.conversation.rounds)
    cases = plural(len(task.target.cases), "case")
    runs = 2 * change.gate.repetitions  # of both versions
    calls, cost = (runs * each for each in expected_cost([task.whole]))
    continued = f", after {plural(rounds, 'round')}" if rounds else ""
    return (
        f"{change.name}: round {rounds + 1} of a conversation{continued}. It takes one call to the reflection model, "
        f"and about {plural(int(calls), 'call')} to measure the edit on {cases}, "
        f"about {usd(Decimal(cost))}. It never costs more than {usd(budget_usd)}; stored answers cost nothing."
    )


def round_lines(found: AskReport) -> Iterator[str]:
    """Yields what was asked for in this round, what became of it, and what it cost."""
    last = found.last
    asked = visible(excerpt(last.asked, LONGEST).text)
    yield f"{found.lineage}, round {len(found.conversation.rounds)}: {asked}"
    if last.why:
        yield f"no edit: {visible(excerpt(last.why, LONGEST).text)}"
    yield f"{plural(last.calls, 'call')}, {usd(last.cost_usd)}; the same sentence again uses the stored answers."
    if last.unfinished:
        yield f"unfinished: {last.unfinished}"
    if last.patterns:
        yield "Where the edited prompt fails:"
        yield from (f"  {visible(each.sentence)}" for each in last.patterns)
