"""Renders a lineage's section of the comment: its slices, then its cases as blocks, then everything else folded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from engine.render import figures
from engine.render.case_blocks import case_blocks
from engine.render.confusions import confusion_sentences
from engine.render.encode import prose
from engine.render.explanation import explanation_parts
from engine.render.limits import Detail
from engine.render.links import Files
from engine.render.result_text import (
    CaseGroups,
    case_groups,
    cost_sentence,
    diff_title,
    trend_sentence,
    unsure_title,
    unusual_answers,
)
from engine.render.sections import (
    classes_part,
    confidence_list,
    diff_part,
    effects_table,
    findings_list,
    fold,
    folded,
    more_text,
    reasons_list,
)
from engine.render.swap_text import swap_sentences
from engine.render.what_now import line_range
from engine.scorecard.answer_pair import answer_pair
from schemas.diffs import PromptDiff
from schemas.effects import CaseEffect
from schemas.scorecard import LineageCard
from schemas.verdicts import ReasonCode, VerdictStatus

LONG = 200
"""Characters from which an answer is long. Of cases with long answers, fewer are unfolded."""
OPEN_LONG = 2
MOST_PLACES = 10
"""Most changed ranges of a file that are linked."""
Blocks = Callable[[Sequence[CaseEffect], int], Iterator[str]]
"""Renders cases, numbered from the second argument."""


def lineage_parts(card: LineageCard, detail: Detail, files: Files, said: str = "") -> Iterator[str]:
    """Yields the body of a lineage's section, the most useful parts first. ``said`` is what the reader has read."""
    groups = case_groups(card)
    told = len(card.reasons) == 1 and card.reasons[0].sentence in said
    return filter(None, _parts(card, groups, detail, files, said, told=told))


def _parts(
    card: LineageCard, groups: CaseGroups, detail: Detail, files: Files, said: str, *, told: bool
) -> Iterator[str]:
    yield _headline(card, said)
    yield "" if told else reasons_list(card.reasons, detail)
    yield effects_table(card.slices, "slice", detail) if card.slices and detail.effects else ""
    yield _metrics_part(card, detail)
    yield from _worse_cases(card, groups, detail, files)
    yield _swap_part(card)
    yield from explanation_parts(card, detail)
    yield _diff_fold(card, detail, files)
    yield prose(trend) if (trend := trend_sentence(card)) else ""
    yield from _unsure_cases(card, groups, detail, files)
    title = f"{figures.plural(len(groups.better), 'case')} got better"
    yield from _listed(title, groups.better, detail.better, partial(case_blocks, card, files, detail.short))
    yield classes_part(card, detail)
    yield _rest(card, groups, detail)


def _headline(card: LineageCard, told: str) -> str:
    """Returns the headline, unless a reason or the summary says the same."""
    said = {reason.sentence for reason in card.reasons}
    return prose(card.headline) if card.headline and card.headline not in said and card.headline not in told else ""


def _metrics_part(card: LineageCard, detail: Detail) -> str:
    """Returns the scores by metric, folded: a reason names each metric that got worse. Unfolded without slices."""
    if len(card.metrics) < 2 or not detail.effects:
        return ""
    shown = effects_table(card.metrics, "metric", detail)
    return fold(f"Scores of {figures.plural(len(card.metrics), 'metric')}", shown) if card.slices else shown


def _worse_cases(card: LineageCard, groups: CaseGroups, detail: Detail, files: Files) -> Iterator[str]:
    """Yields the cases that got worse: the first ones open, the rest folded. Then which classes were mixed up."""
    read = _to_read(card, groups)
    if read:
        title = f"{figures.plural(len(groups.worse), 'case')} got worse" if groups.worse else unsure_title(groups)
        shown = 0 if _quiet(card) else _open(read, detail)
        yield f"<b>{title}.</b>"
        yield from case_blocks(card, files, detail.text, read[:shown])
        if rest := read[shown:]:
            name = figures.plural(len(rest), "more case", "more cases") if shown else "The cases"
            yield from _listed(name, rest, detail.worse, partial(case_blocks, card, files, detail.short), shown + 1)
    if confused := confusion_sentences(card):
        yield f"<b>Mixed up:</b> {prose(' '.join(confused))}"


def _unsure_cases(card: LineageCard, groups: CaseGroups, detail: Detail, files: Files) -> Iterator[str]:
    """Yields the uncertain cases, folded, unless they are the ones to read."""
    most = detail.better if _quiet(card) else detail.worse
    if groups.worse or not _to_read(card, groups):
        yield from _listed(unsure_title(groups), groups.flaky, most, partial(case_blocks, card, files, detail.short))


def _to_read(card: LineageCard, groups: CaseGroups) -> tuple[CaseEffect, ...]:
    """Returns the cases that got worse, the evidence of a reason first. If none is certain, those that may have."""
    if groups.worse or _quiet(card):
        named = {name for reason in card.reasons for name in reason.cases}
        return tuple(sorted(groups.worse, key=lambda case: case.id not in named))
    return tuple(case for case in groups.flaky if (case.change or 0.0) < 0)


def _listed(title: str, cases: tuple[CaseEffect, ...], most: int, blocks: Blocks, first: int = 1) -> Iterator[str]:
    """Yields a fold with at most ``most`` cases, or the title alone. Nothing without cases."""
    if cases and most:
        yield from folded(title, blocks(cases[:most], first))
        # Below the fold, so that it is seen without opening it.
        yield more_text(len(cases) - most, "case") if len(cases) > most else ""
    elif cases:
        yield title


def _quiet(card: LineageCard) -> bool:
    """Returns whether no case is the reason for the verdict."""
    return card.status is VerdictStatus.APPROVED or _costs_only(card)


def _costs_only(card: LineageCard) -> bool:
    """Returns whether only the cost or the latency keeps a lineage from being approved: no case is the reason."""
    codes = {reason.code for reason in card.reasons if reason.status is card.status}
    return bool(codes) and codes <= {ReasonCode.COST, ReasonCode.COST_UNCERTAIN, ReasonCode.LATENCY}


def _open(cases: tuple[CaseEffect, ...], detail: Detail) -> int:
    """Returns how many of these cases are unfolded."""
    texts = [answer.text for case in cases[: detail.open] for answer in answer_pair(case) if answer is not None]
    return min(detail.open, OPEN_LONG if any(len(text) > LONG for text in texts) else detail.open, len(cases))


def _swap_part(card: LineageCard) -> str:
    """Returns what the new model does differently, if the pull request changes the model."""
    if card.swap is None:
        return ""
    said = "\n".join(f"- {prose(sentence)}" for sentence in swap_sentences(card.swap))
    return f"<b>What {prose(card.model, 80)} does differently</b>\n\n{said}"


def _diff_fold(card: LineageCard, detail: Detail, files: Files) -> str:
    if card.diff is None or not (card.diff.hunks or card.diff.settings):
        return ""
    title = prose(diff_title(card.diff))
    if not detail.diff_lines:
        return title
    return fold(title, "\n\n".join(filter(None, (_places(card.diff, files), diff_part(card.diff, detail)))))


def _places(diff: PromptDiff, files: Files) -> str:
    """Returns a link to each changed range of the file, in its candidate's version."""
    if diff.file is None or not diff.file_lines:
        return ""
    shown = []
    for number, lines in enumerate(diff.file_lines[:MOST_PLACES]):
        text = line_range(lines) if number else f"{diff.file}:{line_range(lines)}"
        shown.append(files.place(diff.file, lines, head=True, text=text))
    more = len(diff.file_lines) - len(shown)
    return ", ".join([*shown, f"and {more:,} more"] if more else shown)


def _rest(card: LineageCard, groups: CaseGroups, detail: Detail) -> str:
    """Returns why the cost moved, unusual answers, the confidence and the warnings in one fold."""
    # A reason about the cost says why it moved.
    by_cost = any(reason.code is ReasonCode.COST for reason in card.reasons)
    said = [cost_sentence(card.cost)] if card.cost and not by_cost else []
    facts = [prose(sentence) for sentence in (*said, *unusual_answers(card, groups)) if sentence]
    if not detail.notes or not (card.confidence or card.warnings):
        return " ".join(facts)
    names, parts = [], []
    if card.confidence:
        names.append("confidence")
        listed = [*(f"- {sentence}" for sentence in facts), confidence_list(card.confidence, card, detail)]
        parts.append("\n".join(listed))
    elif facts:
        parts.append(" ".join(facts))
    if card.warnings:
        names.append(figures.plural(len(card.warnings), "warning"))
        parts.append(f"<b>{names[-1].capitalize()}</b>\n\n{findings_list(card.warnings, detail)}")
    title = " and ".join(names)
    return fold(title[0].upper() + title[1:], "\n\n".join(parts))
