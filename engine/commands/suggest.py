"""The text of ``promptverdict suggest``: the cost before it, and what was found. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from engine.commands.backtest import expected_cost
from engine.improve.search_report import Judged, SearchReport
from engine.improve.suggest import ROUNDS, SHARE, Task
from engine.render.encode import excerpt, visible
from engine.render.figures import arrow, change, interval, plural, points, usd

MOST = 400
"""Characters of a sentence about an edit."""


def cost_line(task: Task, budget_usd: Decimal) -> str:
    """Returns what a search runs, and what that costs, judges included."""
    parts = task.split
    calls, cost = expected_cost([task.alone])
    runs = 2 * task.change.gate.repetitions  # of both versions
    # On the cases that the optimizer never saw, then on all of them, as the check of a pull request.
    judging, judged_cost = (runs * each for each in expected_cost([task.judging, task.alone]))
    left = budget_usd * (1 - SHARE)
    few = f" To judge one edit, that is probably too little: the optimizer leaves {usd(left)}."
    return (
        f"{task.change.name}: {plural(len(parts.shown), 'case')} shown to the optimizer, "
        f"{len(parts.held_out)} held out, {len(parts.never_shown)} never shown. "
        f"Each of at most {ROUNDS} edits takes one call of the reflection model "
        f"and up to {plural(calls, 'call')} of the model, about {usd(cost)}. "
        f"To judge one edit takes {plural(int(judging), 'call')} or more, about {usd(Decimal(judged_cost))}. "
        f"It never costs more than {usd(budget_usd)}; stored answers cost nothing."
        + (few if judged_cost > left else "")
    )


def suggestion_lines(found: SearchReport) -> Iterator[str]:
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
    if best is not None and best.failing:
        yield f"Of {plural(best.failing, 'case')} that failed and were shown to the optimizer, {best.fixed} pass now."
    if found.check is not None:
        yield "All cases were measured too, so the check of a pull request makes no further calls for this edit."
    if found.patterns:
        yield "Where the prompt fails on the cases shown:"
        yield from (f"  {_cut(pattern.sentence)}" for pattern in found.patterns)
    yield f"{plural(found.calls, 'call')}, {usd(found.cost_usd)}; a repetition uses the stored answers."
    if found.unfinished:
        yield f"unfinished: {found.unfinished}"


def edit_lines(found: SearchReport) -> Iterator[str]:
    """Yields the diff of the file, or else the new messages."""
    if found.proposed is not None:
        yield from diff_lines(found.patch, found.prompt, found.proposed.texts)


def diff_lines(patch: str | None, prompt: str, texts: Mapping[str, str]) -> Iterator[str]:
    """Yields a patch of the prompt's file; without one, the new messages."""
    if patch is not None:
        lines = patch.removesuffix("\n").split("\n")
        shown = [_seen(line) for line in lines]
        if shown != lines:
            yield "The file has invisible characters, shown by number. --format json has the exact patch."
        yield from shown
        return
    yield f"{visible(prompt)} can't be edited automatically. Replace these messages:"
    for name, text in texts.items():
        yield f"--- {visible(name)}"
        yield from (_seen(line) for line in text.strip("\n").split("\n"))


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


def _seen(line: str) -> str:
    """Returns the line with invisible characters made visible, except tabs, which a patch needs."""
    return "\t".join(map(visible, line.split("\t")))


def _cut(text: str) -> str:
    return visible(excerpt(" ".join(text.split()), MOST).text)
