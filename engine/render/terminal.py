"""Renders the scorecard for a terminal, in the order of the comment, readable at 80 columns, with optional colors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import TYPE_CHECKING

from engine.render import figures
from engine.render.diff_lines import near_its_change
from engine.render.encode import excerpt, visible
from engine.render.explanation import explanation_sentences
from engine.render.markdown import full_title, spending_text
from engine.render.result_text import (
    case_groups,
    change_text,
    diff_title,
    effect_result,
    expected_text,
    score_text,
    swapped,
    trend_sentence,
    unsure_title,
    unusual_answers,
)
from engine.render.signs import RESULT_TONES, VERDICT_SIGNS, VERDICT_TONES, VERDICT_WORDS, Tone
from engine.render.what_now import merge_answer, what_now, without_fix
from schemas.diffs import PromptDiff
from schemas.effects import Answer, CaseEffect, CostEffect, Effect
from schemas.scorecard import LineageCard, Scorecard
from schemas.verdicts import VerdictStatus

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_STYLES: dict[Tone, str] = {"good": "green", "bad": "bold red", "doubt": "yellow", "calm": "default"}
_DIFF_WIDTH = 400
"""Characters of a diff line."""
_MOST_CASES, _MOST_DIFF_LINES, _MOST_EFFECTS, _MOST_SECTIONS = 10, 40, 30, 50
_NARROW = 72
"""Width below which a table would be too narrow for names and words. Each row is then a paragraph."""


def terminal(scorecard: Scorecard, width: int = 80, colour: bool = False) -> str:
    """Returns the scorecard as text of at most ``width`` columns. Only with ``colour`` has it escape sequences, and
    only our own."""
    from rich.console import Console

    console = Console(
        file=StringIO(),
        width=max(40, width),
        force_terminal=colour,
        no_color=not colour,
        color_system="standard" if colour else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        _environ={},
    )
    for part in _parts(scorecard, width):
        console.print(part)
    text = console.file.getvalue() if isinstance(console.file, StringIO) else ""
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _text(text: str, style: str = "", limit: int = 1_000) -> Text:
    """Returns untrusted text without backticks, and with control characters written out."""
    from rich.text import Text

    short = excerpt(text, limit)
    return Text(visible(short.text) + short.note, style)


def _sentence(text: str, style: str = "") -> Text:
    return _text(text.replace("`", ""), style)


def _table(head: Sequence[str], align: str, rows: Iterable[Sequence[Text]], width: int) -> RenderableType:
    from rich import box
    from rich.table import Table

    if width < _NARROW:
        return _paragraphs(head, rows)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for name, side in zip(head, align, strict=True):
        table.add_column(name, justify="right" if side == "r" else "left", overflow="fold", no_wrap=side == "r")
    for row in rows:
        table.add_row(*row)
    return table


def _paragraphs(head: Sequence[str], rows: Iterable[Sequence[Text]]) -> RenderableType:
    """Returns the rows of a table as paragraphs: the name, then the text of the other columns."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    parts: list[RenderableType] = []
    for row in rows:
        told = [Text(f"{name} ", "dim") + cell for name, cell in zip(head[1:], row[1:], strict=True) if cell.plain]
        parts += [row[0], Padding(Text(" · ").join(told), (0, 0, 0, 2))]
    return Group(*parts)


def _parts(scorecard: Scorecard, width: int) -> Iterator[RenderableType]:
    tone = _STYLES[VERDICT_TONES[scorecard.status]]
    yield _sentence(f"{VERDICT_SIGNS[scorecard.status]} {full_title(scorecard)}", f"bold {tone}")
    yield _sentence(f"{merge_answer(scorecard)} {without_fix(scorecard.summary, scorecard)}".lstrip())
    yield from _numbered(reason.sentence for reason in scorecard.reasons if reason.sentence not in scorecard.summary)
    if said := what_now(scorecard):
        yield _sentence(f"What now: {said}")
    if scorecard.lineages:
        yield ""
        yield _table(
            ("lineage", "verdict", "score", "change (interval)", "cost per 1,000"),
            "llrrr",
            map(_overview_row, scorecard.lineages),
            width,
        )
    for card in scorecard.lineages[:_MOST_SECTIONS]:
        yield from _lineage(card, width)
    if more := scorecard.lineages[_MOST_SECTIONS:]:
        yield ""
        number = figures.plural(len(more), "more prompt")
        yield _text(f"{number}: --output FOLDER writes a report that shows them", "dim")
    for finding in scorecard.warnings:
        yield _sentence(f"warning: {finding}", "yellow")
    yield ""
    yield _text(_footer(scorecard), "dim")


def _footer(scorecard: Scorecard) -> str:
    parts = [f"base {scorecard.base.sha[:7]} → head {scorecard.head.sha[:7]}", spending_text(scorecard.spending)]
    return " · ".join(parts if scorecard.seconds is None else [*parts, figures.seconds(scorecard.seconds)])


def _overview_row(card: LineageCard) -> tuple[Text, ...]:
    overall = card.overall
    return (
        _text(card.lineage, "bold", 80).append("\n").append_text(_text(swapped(card), "dim", 130)),
        _text(f"{VERDICT_SIGNS[card.status]} {VERDICT_WORDS[card.status]}", _STYLES[VERDICT_TONES[card.status]]),
        _text(
            figures.arrow(figures.points(overall.baseline), figures.points(overall.candidate))
            if overall
            else figures.NONE
        ),
        _text(change_text(overall)),
        _text(_cost(card.cost)),
    )


def _cost(cost: CostEffect | None) -> str:
    if cost is None or (cost.baseline_per_1000 is None and cost.candidate_per_1000 is None):
        return figures.NONE
    return figures.arrow(figures.usd(cost.baseline_per_1000), figures.usd(cost.candidate_per_1000))


def _numbered(sentences: Iterable[str]) -> Iterator[RenderableType]:
    for number, sentence in enumerate(sentences, 1):
        yield _hanging(f"{number}.", _sentence(sentence))


def _hanging(sign: str, text: Text) -> RenderableType:
    """Returns ``text`` with the sign in a margin, so that wrapped lines stay below the text."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_row(Text(f" {sign}", text.style), text)
    return grid


def _lineage(card: LineageCard, width: int) -> Iterator[RenderableType]:
    quiet = card.status in (VerdictStatus.APPROVED, VerdictStatus.NOT_APPLICABLE)
    yield ""
    name = f"{VERDICT_SIGNS[card.status]} {card.lineage} · {swapped(card)}: {VERDICT_WORDS[card.status]}"
    yield _text(name, f"bold {_STYLES[VERDICT_TONES[card.status]]}")
    yield from _why(card)
    groups = case_groups(card)
    if card.slices:
        yield ""
        yield _effects(card.slices, "slice", width)
    if len(card.metrics) > 1:
        yield ""
        yield _effects(card.metrics, "metric", width)
    yield ""
    if groups.worse:
        yield _sentence(f"{figures.plural(len(groups.worse), 'case')} got worse", "bold")
        yield _cases(groups.worse, width)
        yield ""
    if groups.flaky:
        telling = not quiet and not groups.worse  # the cases that make up a drop of the mean
        yield _sentence(unsure_title(groups), "bold" if telling else "")
        if telling:
            yield _cases(groups.flaky, width)
            yield ""
    if groups.better:
        yield _sentence(f"{figures.plural(len(groups.better), 'case')} got better")
    for sentence in unusual_answers(card, groups):
        yield _sentence(sentence)
    yield from map(_sentence, explanation_sentences(card))
    if card.diff and not quiet:
        yield from _diff(card.diff)
    yield from (_sentence(said) for said in (trend_sentence(card),) if said)
    for finding in card.warnings:
        yield _sentence(f"warning: {finding}", "yellow")


def _why(card: LineageCard) -> Iterator[RenderableType]:
    sentences = [reason.sentence for reason in card.reasons]
    if card.headline and card.headline not in sentences:
        yield _sentence(card.headline)
    if len(sentences) == 1:
        yield _sentence(sentences[0])
    else:
        yield from _numbered(sentences)


def _effects(effects: Sequence[Effect], head: str, width: int) -> RenderableType:
    rows: list[tuple[Text, ...]] = [
        (
            _text((effect.slice if head == "slice" else effect.metric) or "all cases", limit=40),
            _text(figures.cases(effect)),
            _text(figures.arrow(figures.points(effect.baseline), figures.points(effect.candidate))),
            _text(change_text(effect)),
            _text(effect_result(effect), _STYLES[RESULT_TONES[effect.result]]),
        )
        for effect in effects[:_MOST_EFFECTS]
    ]
    if len(effects) > _MOST_EFFECTS:
        rows.append((_text(f"and {len(effects) - _MOST_EFFECTS:,} more"), *[_text("")] * 4))
    return _table((head, "cases", "score", "change (interval)", "result"), "lrrrl", rows, width)


def _cases(cases: Sequence[CaseEffect], width: int) -> RenderableType:
    if all(case.expected is None for case in cases):
        return _graded(cases, width)
    rows: list[tuple[Text, ...]] = [
        (
            _text(_name(case), limit=40),
            _text(figures.NONE if case.expected is None else expected_text(case.expected), limit=80),
            _answers(case.baseline),
            _answers(case.candidate),
        )
        for case in cases[:_MOST_CASES]
    ]
    if len(cases) > _MOST_CASES:
        rows.append((_text(f"and {len(cases) - _MOST_CASES:,} more"), *[_text("")] * 3))
    return _table(("case", "expected", "baseline said", "candidate says"), "llll", rows, width)


def _graded(cases: Sequence[CaseEffect], width: int) -> RenderableType:
    """Renders cases without an expectation. Their answers are whole texts, which the other renderings show."""
    rows: list[tuple[Text, ...]] = [
        (
            _text(_name(case), limit=40),
            _text(score_text(case)),
            _text(case.reason or figures.NONE, limit=160),
        )
        for case in cases[:_MOST_CASES]
    ]
    if len(cases) > _MOST_CASES:
        rows.append((_text(f"and {len(cases) - _MOST_CASES:,} more"), *[_text("")] * 2))
    return _table(("case", "score", "why the candidate's worst answer lost points"), "lrl", rows, width)


def _name(case: CaseEffect) -> str:
    return case.id + (" (protected)" if case.protected else "") + (" (new)" if case.added else "")


def _answers(answers: Sequence[Answer]) -> Text:
    if not answers:
        return _text("no answer", "dim")
    most = max(answers, key=lambda answer: answer.count)
    often = f" {most.count}/{most.of}" if most.of > 1 else ""
    return _text(most.text, limit=80).append(often, "dim")


def _diff(diff: PromptDiff) -> Iterator[RenderableType]:
    yield _sentence(diff_title(diff), "bold")
    for name, before, after in diff.settings:
        yield _hanging("∙", _text(f"{name}: {before} → {after}", limit=200))
    lines = [line for hunk in diff.hunks for line in hunk.lines if line.kind != "same"]
    for line in lines[:_MOST_DIFF_LINES]:
        sign, style = ("+", "green") if line.kind == "added" else ("−", "red")
        yield _hanging(sign, _text(near_its_change(line, _DIFF_WIDTH).text, style, limit=_DIFF_WIDTH))
    left_out = max(0, len(lines) - _MOST_DIFF_LINES) + diff.omitted
    if left_out:
        yield _text(f"  … and {figures.plural(left_out, 'line')} more", "dim")
