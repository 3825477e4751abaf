"""Renders the scorecard as Markdown: the pull-request comment, and with other limits the job summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from engine.render import figures
from engine.render.encode import prose
from engine.render.limits import COMMENT, LADDER, Detail, Limits
from engine.render.lineage_section import lineage_parts
from engine.render.links import NO_LINKS, Files, Links, link
from engine.render.result_text import change_text, with_model
from engine.render.sections import (
    OVERVIEW_HEAD,
    fold,
    folded,
    model_name,
    overview_row,
    reasons_list,
    table,
    warnings_part,
)
from engine.render.signs import VERDICT_SIGNS, VERDICT_WORDS, verdict_words
from engine.render.what_now import merge_answer, what_now, without_fix
from schemas.scorecard import LineageCard, Scorecard, Spending
from schemas.verdicts import VerdictStatus

MARKER = "<!-- prompt-verdict"
"""Start of our comment's first line. Encoded text has no ``<``, so quoted text can't contain it."""

NAME = "Prompt Verdict"
HEADING_CHARACTERS = 90
"""Longest title as a heading. A longer one is for lists of checks; the sentence below the heading says the same."""


OPEN_ROWS = 8
"""Number of lineages from which approved ones are in a folded table."""
OPEN_SECTIONS = 3
"""Lineages without approval whose section is unfolded."""
_TELLING = (VerdictStatus.APPROVED, VerdictStatus.INCONCLUSIVE)
"""Verdicts whose title says more than the sentence below it."""
_QUIET = (VerdictStatus.APPROVED, VerdictStatus.NOT_APPLICABLE)


def markdown(scorecard: Scorecard, limits: Limits = COMMENT, links: Links = NO_LINKS) -> str:
    """Returns the scorecard within ``limits``: the verdict first, then why, then what is needed to act."""

    def parts(detail: Detail, shortened: bool) -> Iterator[str]:
        yield f"{MARKER} {scorecard.head.sha} -->\n{headline(scorecard)}"
        yield from summary_parts(scorecard, detail, links)
        yield from detail_parts(scorecard, detail, links)
        yield footer(scorecard, links, shortened=shortened)

    return fitted(parts, limits)


def fitted(parts: Callable[[Detail, bool], Iterable[str]], limits: Limits) -> str:
    """Returns the parts at the highest level of detail that fits. ``parts`` is told whether it is shortened."""
    for rung, detail in enumerate(LADDER):
        text = _joined(parts(detail, rung > 1), limits)
        if text is not None:
            return text
    raise AssertionError("the last rung is bounded below every limit")  # pragma: no cover


def _joined(parts: Iterable[str], limits: Limits) -> str | None:
    """Joins the parts with blank lines. Returns ``None`` as soon as they can't fit, so that no level costs more than
    its limit."""
    kept: list[str] = []
    size = 0
    for part in parts:
        size += len(part) + 2
        if size > limits.characters + 2:
            return None
        kept.append(part)
    text = "\n\n".join(kept) + "\n"
    return text if limits.hold(text) else None


def summary_parts(scorecard: Scorecard, detail: Detail, links: Links) -> Iterator[str]:
    """Yields whether it may be merged and why, what to do now, and the figures: a row for each lineage, or a line for a
    single one."""
    answer = merge_answer(scorecard)
    yield f"{f'<b>{prose(answer)}</b> ' if answer else ''}{prose(without_fix(scorecard.summary, scorecard))}"
    if reasons := [reason for reason in scorecard.reasons if reason.sentence not in scorecard.summary]:
        yield reasons_list(reasons, detail)
    if said := what_now(scorecard, bot=links.bot):
        yield f"<b>What now:</b> {prose(said)}"
    if len(scorecard.lineages) > 1:
        yield overview(scorecard.lineages, detail)
    elif scorecard.lineages and (told := facts(scorecard.lineages[0])):
        yield told


def facts(card: LineageCard) -> str:
    """Returns the figures of a single lineage in a line: its score, its change, its cost. Empty without figures."""
    parts = []
    if card.overall is not None and card.overall.change is not None:
        score = figures.arrow(figures.points(card.overall.baseline), figures.points(card.overall.candidate))
        parts.append(f"Score {score}, {change_text(card.overall)}")
        ran = card.overall.compared in (None, card.overall.cases)
        parts.append(figures.plural(card.overall.cases, "case") if ran else f"{figures.cases(card.overall)} cases ran")
        parts.append(f"{card.overall.better:,} scored higher, {card.overall.worse:,} lower")
    if card.cost is not None and card.cost.candidate_per_1000 is not None:
        cost = figures.arrow(figures.usd(card.cost.baseline_per_1000), figures.usd(card.cost.candidate_per_1000))
        parts.append(f"cost {cost} per 1,000 cases")
    return prose(" · ".join(parts)) if parts else ""


def detail_parts(scorecard: Scorecard, detail: Detail, links: Links) -> Iterator[str]:
    """Yields the lineages: the first ones that need action unfolded, the others and those that need none folded."""
    files = Files(links.repository, scorecard.base.sha, scorecard.head.sha)
    loud = [card for card in scorecard.lineages if card.status not in _QUIET]
    quiet = [card for card in scorecard.lineages if card.status in _QUIET]
    # One case of each further lineage is unfolded, so that every section is seen without much scrolling.
    brief = replace(detail, open=min(detail.open, 1))
    for number, card in enumerate(loud[: min(OPEN_SECTIONS, detail.sections)]):
        yield f"### {VERDICT_SIGNS[card.status]} {with_model(prose(card.lineage, 80), model_name(card))}"
        yield from lineage_parts(card, brief if number else detail, files, scorecard.summary)
    for card in loud[OPEN_SECTIONS : detail.sections]:
        yield from _folded(card, brief, files)
    shown = quiet[: detail.folded]
    sections = (part for card in shown for part in _folded(card, brief, files))
    yield from folded(f"The details of {_counted(shown)}", sections) if len(shown) > OPEN_SECTIONS else sections
    if warnings := warnings_part(scorecard.warnings, detail):
        yield warnings


def _folded(card: LineageCard, detail: Detail, files: Files) -> Iterator[str]:
    name = f"{with_model(prose(card.lineage, 80), model_name(card))}"
    title = f"{VERDICT_SIGNS[card.status]} <b>{name}</b>: {VERDICT_WORDS[card.status]}"
    return folded(title, lineage_parts(card, detail, files))


def full_title(scorecard: Scorecard) -> str:
    """Returns our name, the verdict, and what was or could not be ruled out. Reasons of other verdicts follow right
    below."""
    telling = (scorecard.status in _TELLING or scorecard.clearance) and len(scorecard.title) <= HEADING_CHARACTERS
    title = scorecard.title if telling else verdict_words(scorecard.status, scorecard.lineages, scorecard.reasons)
    return title if title.startswith(NAME) else f"{NAME}: {title.replace(': ', ', ', 1)}"


def headline(scorecard: Scorecard) -> str:
    """Returns the verdict as a heading."""
    return f"## {VERDICT_SIGNS[scorecard.status]} {prose(full_title(scorecard))}"


def overview(cards: Sequence[LineageCard], detail: Detail) -> str:
    """Returns a table with a row for each lineage, worst first. Rows that are left out are counted by verdict.

    Of many lineages, approved ones are in a folded table.
    """
    shown = cards[: detail.rows]
    loud = [card for card in shown if card.status not in _QUIET]
    apart = len(shown) > OPEN_ROWS and len(loud) < len(shown)
    parts = [_rows(loud if apart else shown)]
    if apart:
        quiet = [card for card in shown if card.status in _QUIET]
        parts.append(fold(_counted(quiet), _rows(quiet)))
    rest = cards[detail.rows :]
    if rest:
        number = figures.plural(len(rest), "lineage")
        parts.append(f"And {number} more: {_counted(rest)}." if shown else f"{number}: {_counted(rest)}.")
    return "\n\n".join(filter(None, parts))


def _rows(cards: Sequence[LineageCard]) -> str:
    return table(OVERVIEW_HEAD, "llrrrr", map(overview_row, cards)) if cards else ""


def _counted(cards: Sequence[LineageCard]) -> str:
    """Returns ``3 blocked, 35 approved``."""
    counts = Counter(card.status for card in cards)
    return ", ".join(f"{counts[status]:,} {VERDICT_WORDS[status]}" for status in VerdictStatus if counts[status])


def saved_text(spending: Spending) -> str:
    """Returns the planned calls that weren't made, and why: ``198 from the store, 600 not needed: the verdict was
    certain``."""
    causes = (
        (spending.stored, "from the store"),
        (spending.identical, "identical in both versions"),
        (spending.not_needed, "not needed: the verdict was certain"),
    )
    return ", ".join(f"{number:,} {what}" for number, what in causes if number)


def spending_text(spending: Spending) -> str:
    """Returns ``402 of 1,200 planned calls (198 from the store, 600 not needed: the verdict was certain) · $0.41 of
    $2.00``."""
    if not spending.planned:
        return "nothing was called"
    calls = f"{spending.made:,} of {figures.plural(spending.planned, 'planned call')}"
    saved = saved_text(spending)
    cost = figures.usd(spending.cost_usd + spending.judge_cost_usd)
    if spending.budget_usd is not None:
        cost = f"{cost} of {figures.usd(spending.budget_usd)}"
    if spending.judge_cost_usd:
        cost = f"{cost}, {figures.usd(spending.judge_cost_usd)} of it for the judge"
    return f"{calls} ({saved}) · {cost}" if saved else f"{calls} · {cost}"


def footer(scorecard: Scorecard, links: Links, *, shortened: bool) -> str:
    """Returns the footer: commits, calls, cost, where the rest is, and how to re-run."""
    parts = [f"base {scorecard.base.sha[:7]} → head {scorecard.head.sha[:7]}"]
    parts.append(prose(spending_text(scorecard.spending)))
    if scorecard.seconds is not None:
        parts.append(figures.seconds(scorecard.seconds))
    if shortened:
        parts.append("shortened to fit; counts are exact")
    if links.report:
        parts.append(link("full report", links.report))
    if links.rerun:
        parts.append(link("how to re-run", links.rerun))
    return f"<sub>{' · '.join(parts)}</sub>"
