"""``promptverdict explain``: what went into one case, what both prompts said, and how every run scored."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from action.cli.check import CheckOptions, evaluate
from action.cli.streams import put
from action.cli.text_block import text_block
from action.exits import Exit
from schemas.errors import UsageError

if TYPE_CHECKING:
    from adapters.call_process.process import CallingProcess
    from engine.records.kept import KeptRecord
    from schemas.effects import Answer, CaseEffect
    from schemas.scorecard import LineageCard, Scorecard

MOST_ANSWERS = 5


def explain(case_id: str, options: CheckOptions, calling: CallingProcess | None = None) -> Exit:
    """Prints one case of every affected prompt that has it. Runs what ``check`` would run, and reuses its answers.

    Raises UsageError for a case that no affected prompt has.
    """
    from engine.readers.bounded import did_you_mean
    from engine.render.encode import log_line

    card, records = evaluate(options, calling)
    found = [(each, case) for each in card.lineages for case in each.cases if case.id == case_id]
    if not found:
        known = {case.id for each in card.lineages for case in each.cases}
        raise UsageError(
            f"no measured case has the id {case_id!r}", hint=did_you_mean(case_id, known) if known else _why_none(card)
        )
    width = shutil.get_terminal_size((100, 24)).columns
    for each, case in found:
        put("".join(log_line(line) + "\n" for line in _lines(each, case, records, width)))
    return Exit.PASS


def _why_none(card: Scorecard) -> str:
    """Returns why no case was measured: the first error of a prompt, else that none changed."""
    from schemas.verdicts import VerdictStatus

    reasons = [reason for each in card.lineages for reason in each.reasons]
    failed = [reason.sentence for reason in reasons if reason.status is VerdictStatus.ERROR]
    return failed[0] if failed else "no prompt with cases changed"


def _lines(card: LineageCard, case: CaseEffect, records: Sequence[KeptRecord], width: int) -> Iterator[str]:
    from engine.render import figures
    from engine.render.case_runs import CASE_RESULTS, runs_sentence
    from engine.render.result_text import expected_text
    from engine.render.signs import VERDICT_SIGNS, VERDICT_WORDS

    yield f"{VERDICT_SIGNS[card.status]} {card.lineage} · {card.model}: {VERDICT_WORDS[card.status]}"
    facts = [CASE_RESULTS[case.result], *(["protected"] if case.protected else []), *case.slices]
    facts += [f"change {figures.change(case.change)}"] if case.change is not None else []
    yield f"{case.id}: {' · '.join(facts)}"
    for name, text in case.inputs:
        yield from text_block(name, text, width)
    if case.expected is not None:
        yield from text_block("expected", expected_text(case.expected), width)
    for name, answers in (("baseline said", case.baseline), ("candidate says", case.candidate)):
        yield from _answers(name, answers, width)
    if case.reason:
        yield from text_block("why", case.reason, width)
    own = [kept.record() for kept in records if (kept.lineage, kept.model) == (card.lineage, card.model)]
    if runs := runs_sentence(card, case, own):
        yield from textwrap.wrap(runs, width)
    for reason in card.reasons:
        if case.id in reason.cases:
            yield from text_block("reason", reason.sentence.replace("`", ""), width)


def _answers(name: str, answers: Sequence[Answer], width: int) -> Iterator[str]:
    if not answers:
        yield from text_block(name, "(no answer)", width)
    for answer in sorted(answers, key=lambda one: -one.count)[:MOST_ANSWERS]:
        often = f"{answer.count}/{answer.of}: " if answer.of > 1 else ""
        yield from text_block(name, often + answer.text, width)
    if len(answers) > MOST_ANSWERS:
        yield from text_block(name, f"and {len(answers) - MOST_ANSWERS} other answers", width)
