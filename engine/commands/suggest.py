"""The text of ``promptverdict suggest``: the cost before it, and what was found. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from engine.improve.suggest import ROUNDS, SHARE, Task
from engine.improve.suggestion import Judged, Suggestion
from engine.render.encode import excerpt, visible
from engine.render.figures import arrow, change, interval, percent, plural, points, usd

MOST = 400
"""Characters of a sentence about an edit."""


def cost_line(task: Task, budget_usd: Decimal) -> str:
    """Returns what a search runs, and what that costs."""
    parts = task.split
    shown, held = len(parts.shown), len(parts.held_out)
    calls, cost = task.per_round
    judging, judged_cost = task.per_judgment
    return (
        f"{task.change.name}: {plural(shown, 'case')} shown to the optimizer, {held} held out, "
        f"{len(parts.never_shown)} never shown. "
        f"Each edit costs up to {plural(calls, 'call')}, about {usd(cost)}, and there are at most {ROUNDS}; "
        f"judging one takes {plural(judging, 'call')} or more, about {usd(judged_cost)}. "
        f"It never costs more than {usd(budget_usd)}, of which {percent(float(SHARE))} is for the optimizer; "
        "stored answers cost nothing"
    )


def suggestion_lines(found: Suggestion) -> Iterator[str]:
    """Yields what was found, without the diff. Texts of models are cut and made visible."""
    tried = plural(found.edits, "edit")
    best = found.proposed
    if best is not None:
        yield f"{found.lineage}: an edit is better on cases that the optimizer never saw"
    elif not found.judged:
        yield f"{found.lineage}: nothing to propose. {tried} tried, and none was better on the cases shown"
    else:
        yield f"{found.lineage}: nothing to propose. {tried} tried, {len(found.judged)} judged, and none proven better"
    for number, each in enumerate(found.judged, 1):
        yield from _numbers(each, number)
    if found.patterns:
        yield "Where the prompt fails on the cases shown:"
        yield from (f"  {_cut(pattern.sentence)}" for pattern in found.patterns)
    yield f"{plural(found.calls, 'call')}, {usd(found.cost_usd)}; a repetition uses the stored answers."
    if found.unfinished:
        yield f"unfinished: {found.unfinished}"


def edit_lines(found: Suggestion) -> Iterator[str]:
    """Yields the diff of the file, or else the new messages."""
    if found.proposed is None:
        return
    if found.patch is not None:
        yield from (visible(line) for line in found.patch.removesuffix("\n").split("\n"))
        return
    yield f"{visible(found.prompt)} can't be edited automatically. Replace these messages:"
    for name, text in found.proposed.texts.items():
        yield f"--- {visible(name)}"
        yield from (visible(line) for line in text.strip("\n").split("\n"))


def _numbers(each: Judged, number: int) -> Iterator[str]:
    """Yields both figures of an edit, one below the other. No case is in both."""
    own, overall = each.own, each.card.overall
    yield f"Edit {number}:"
    moved = f"{arrow(points(own.before), points(own.after))} ({change(own.after - own.before)})"
    yield f"  optimizer's own figure  {plural(own.cases, 'case')}: {moved}"
    if overall is None or overall.change is None:
        yield "  cases it never saw      not measured"
    else:
        moved = f"{arrow(points(overall.baseline), points(overall.candidate))} ({change(overall.change)})"
        sure = f"{interval(overall.interval)}, p = {each.p:.3f}"
        yield f"  cases it never saw      {plural(overall.cases, 'case')}: {moved} {sure}"
    yield "  proposed" if each.proposed else f"  not proposed: {_cut(each.why)}"


def _cut(text: str) -> str:
    return visible(excerpt(" ".join(text.split()), MOST).text)
