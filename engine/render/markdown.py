"""Renders the scorecard as Markdown: the pull-request comment, and with other limits the job summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from engine.render import figures
from engine.render.encode import entities, prose
from engine.render.limits import COMMENT, LADDER, Detail, Limits
from engine.render.sections import (
    OVERVIEW_HEAD,
    fold,
    lineage_parts,
    model_name,
    overview_row,
    reasons_list,
    table,
    warnings_part,
)
from engine.render.signs import VERDICT_SIGNS, VERDICT_WORDS, verdict_words
from schemas.config import Mode
from schemas.scorecard import LineageCard, Scorecard, Spending
from schemas.verdicts import ReasonCode, VerdictStatus

MARKER = "<!-- prompt-verdict"
"""Start of our comment's first line. Encoded text has no ``<``, so quoted text can't contain it."""

NAME = "Prompt Verdict"
HEADING_CHARACTERS = 90
"""Longest title as a heading. A longer one is for lists of checks; the sentence below the heading says the same."""


_TELLING = (VerdictStatus.APPROVED, VerdictStatus.INCONCLUSIVE)
"""Verdicts whose title says more than the sentence below it."""
_QUIET = (VerdictStatus.APPROVED, VerdictStatus.NOT_APPLICABLE)


@dataclass(frozen=True)
class Links:
    """Addresses that only the shell knows. ``None`` is left out."""

    report: str | None = None
    rerun: str | None = None


NO_LINKS = Links()


def markdown(scorecard: Scorecard, limits: Limits = COMMENT, links: Links = NO_LINKS) -> str:
    """Returns the scorecard within ``limits``: the verdict first, then why, then what is needed to act."""

    def parts(detail: Detail, shortened: bool) -> Iterator[str]:
        yield f"{MARKER} {scorecard.head.sha} -->\n{headline(scorecard)}"
        yield from summary_parts(scorecard, detail)
        yield from detail_parts(scorecard, detail)
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


def summary_parts(scorecard: Scorecard, detail: Detail) -> Iterator[str]:
    """Yields the reasons, what a person may do, and a row for each lineage."""
    yield prose(scorecard.summary)
    if reasons := [reason for reason in scorecard.reasons if reason.sentence not in scorecard.summary]:
        yield reasons_list(reasons, detail)
    if said := what_clears_text(scorecard):
        yield prose(said)
    if scorecard.lineages:
        yield overview(scorecard.lineages, detail)


def detail_parts(scorecard: Scorecard, detail: Detail) -> Iterator[str]:
    """Yields the lineages: unfolded if they need action, folded if all is well."""
    loud = [card for card in scorecard.lineages if card.status not in _QUIET]
    quiet = [card for card in scorecard.lineages if card.status in _QUIET]
    for card in loud[: detail.sections]:
        yield f"### {VERDICT_SIGNS[card.status]} {prose(card.lineage, 80)} · {model_name(card)}"
        yield from lineage_parts(card, detail)
    for card in quiet[: detail.folded]:
        name = f"{prose(card.lineage, 80)} · {model_name(card)}"
        title = f"{VERDICT_SIGNS[card.status]} <b>{name}</b>: {VERDICT_WORDS[card.status]}"
        yield fold(title, "\n\n".join(lineage_parts(card, detail)))
    if warnings := warnings_part(scorecard.warnings, detail):
        yield warnings


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
    """Returns a table with a row for each lineage, worst first. Rows that are left out are counted by verdict."""
    rows = [overview_row(card) for card in cards[: detail.rows]]
    shown = table(OVERVIEW_HEAD, "llrrrr", rows) if rows else ""
    rest = Counter(card.status for card in cards[detail.rows :])
    if not rest:
        return shown
    counted = ", ".join(f"{rest[status]:,} {VERDICT_WORDS[status]}" for status in VerdictStatus if rest[status])
    number = figures.plural(rest.total(), "lineage")
    return f"{shown}\n\nAnd {number} more: {counted}." if rows else f"{number}: {counted}."


def what_clears_text(scorecard: Scorecard) -> str:
    """Returns who accepted this, what an approving review would accept, or that the check only informs. Empty
    otherwise."""
    said = []
    if by := scorecard.clearance:
        until = f" until {by.expires_at[:10]}," if by.expires_at else ""
        why = f": {by.reason}" if by.reason else "."
        said.append(f"Accepted by `{by.by}` at `{by.commit[:7]}`,{until} as long as nothing relevant changes{why}")
    clearable = scorecard.status is VerdictStatus.NEEDS_REVIEW and not scorecard.passes
    if clearable and all(reason.code is not ReasonCode.UNTRUSTED for reason in scorecard.reasons):
        said.append(
            f"An approving review of `{scorecard.head.sha[:7]}` accepts this. The reviewer needs write access and must "
            "not have opened this pull request, committed to it or pushed to it. If a bot opened it or pushed to it, "
            "two reviewers are needed."
        )
    if scorecard.mode is Mode.INFORM and scorecard.status not in _QUIET:
        said.append("This repository only informs (`mode: inform`): the check passes regardless of the verdict.")
    return " ".join(said)


def saved_text(spending: Spending) -> str:
    """Returns the planned calls that weren't made, and why: ``198 from the store, 600 not needed: the verdict was
    certain``."""
    causes = (
        (spending.stored, "from the store"),
        (spending.identical, "identical in both arms"),
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
    return f"{calls} ({saved}) · {cost}" if saved else f"{calls} · {cost}"


def link(text: str, address: str | None) -> str:
    """Returns a link, or the bare text if there is no web address."""
    if address is None or not address.startswith(("https://", "http://")):
        return text
    return f'<a href="{entities(address)}">{text}</a>'


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
