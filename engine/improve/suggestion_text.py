"""A suggestion as Markdown: the text of its pull request, and of the comment that reports it. Everything quoted is
encoded. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.improve.conversation import AskReport
from engine.improve.search_report import Judged, SearchReport
from engine.render.encode import passage, prose
from engine.render.figures import arrow, change, interval, plural, points, usd
from engine.render.markdown import facts
from engine.render.sections import table, unbroken
from engine.render.signs import VERDICT_SIGNS, VERDICT_WORDS
from schemas.blame import Pattern
from schemas.scorecard import Scorecard

LONGEST = 1_000
"""Characters of a sentence that others wrote."""


def headline(found: SearchReport) -> str:
    """Returns in a sentence what a search found."""
    tried, cost = plural(found.edits, "edit"), usd(found.cost_usd)
    if found.proposed is not None:
        return f"An edit of `{found.lineage}` is better on cases that the search never saw ({tried} tried for {cost})."
    if not found.judged:
        return f"Nothing to propose for `{found.lineage}`: {tried} tried for {cost}; none is better on the cases shown."
    judged = f"{len(found.judged)} judged on held-out cases"
    return f"Nothing to propose for `{found.lineage}`: {tried} tried for {cost}, {judged}; none is proven better."


def search_parts(found: SearchReport) -> Iterator[str]:
    """Yields what a search found: both numbers side by side, the patterns, its check and its cost."""
    yield prose(headline(found), LONGEST)
    best = found.proposed
    shown = found.judged if best is None else (best,)
    for each in shown:
        yield _numbers(each)
        if each.why:
            yield prose(f"Not proposed: {each.why}", LONGEST)
    if best is not None and best.failing:
        yield prose(
            f"Of {plural(best.failing, 'case')} that failed and were shown to the search, {best.fixed} pass now."
        )
    yield from _patterns(found.patterns, "What failing cases have in common, of those shown to the search:")
    if found.check is not None:
        yield from _check(found.check)
    yield prose(f"{plural(found.calls, 'call')}, {usd(found.cost_usd)} of at most {usd(found.budget_usd)}.")
    if found.unfinished:
        yield prose(f"Unfinished: {found.unfinished}.", LONGEST)


def ask_parts(found: AskReport) -> Iterator[str]:
    """Yields what a conversation has come to: each round's sentence and result, its check and its cost."""
    last = found.last
    rounds = [
        f"{number}. {passage(each.asked, LONGEST)}" + (f" ({prose(each.why, LONGEST)})" if each.why else "")
        for number, each in enumerate(found.conversation.rounds, 1)
    ]
    yield prose(f"An edit of `{found.lineage}`, asked for in words:", LONGEST)
    yield "\n".join(rounds)
    if last.card is not None:
        yield from _check(last.card)
    yield from _patterns(last.patterns, "What the cases that fail with the edit have in common:")
    cost = sum((each.cost_usd for each in found.conversation.rounds), start=type(last.cost_usd)(0))
    yield prose(f"{plural(len(rounds), 'round')}, {usd(cost)}; the last one took {plural(last.calls, 'call')}.")
    if last.unfinished:
        yield prose(f"Unfinished: {last.unfinished}.", LONGEST)


def _numbers(each: Judged) -> str:
    """Returns both figures of an edit. No case is in both."""
    own, overall = each.own, each.card.overall
    rows = [
        ("cases", f"{own.cases:,}", "" if overall is None else f"{overall.cases:,}"),
        (
            "score",
            unbroken(arrow(points(own.before), points(own.after))),
            "" if overall is None else unbroken(arrow(points(overall.baseline), points(overall.candidate))),
        ),
        (
            "change",
            change(own.after - own.before),
            "not measured" if overall is None else f"{change(overall.change)} ({interval(overall.interval)})",
        ),
    ]
    return table(("", "the search's own figure", "cases that it never saw"), "lrr", rows)


def _patterns(patterns: Sequence[Pattern], title: str) -> Iterator[str]:
    if patterns:
        yield prose(title) + "\n\n" + "\n".join(f"- {prose(each.sentence, LONGEST)}" for each in patterns)


def _check(card: Scorecard) -> Iterator[str]:
    """Yields the result on all cases, by model."""
    for one in card.lineages:
        said = f"On all cases (`{one.model}`): {VERDICT_SIGNS[one.status]} {VERDICT_WORDS[one.status]}. {one.headline}"
        yield prose(said, LONGEST) + (f"\n\n{told}" if (told := facts(one)) else "")
    yield prose("These answers are stored: the check of a pull request with this edit makes no further calls for them.")
