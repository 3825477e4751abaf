"""``/verdict explain``: shows the answers of both prompts to a case."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar

from bot.approvals.permissions import Rule
from bot.commands.arguments import CaseCommand
from bot.commands.command import AskedCommand
from bot.commands.replies import said
from bot.store.values import KeptVerdict
from engine.readers.bounded import did_you_mean
from engine.render import figures
from engine.render.case_runs import CASE_RESULTS, runs_sentence
from engine.render.encode import code, prose
from engine.render.links import link
from engine.render.result_text import expected_text
from engine.render.sections import table
from engine.render.signs import VERDICT_SIGNS, VERDICT_WORDS
from schemas.effects import Answer, CaseEffect
from schemas.experiments import ExperimentRecord
from schemas.host import Role
from schemas.scorecard import LineageCard

TEXT = 1_500
"""Most characters of one answer."""


class Explain(CaseCommand):
    """Shows the answers of both arms to a case."""

    verb: ClassVar[str] = "explain"
    meaning: ClassVar[str] = "the answers of both prompts to a case, run by run"
    rule: ClassVar[Rule] = Rule(Role.READ)

    async def execute(self, asked: AskedCommand) -> str:
        """Reads the stored verdict and its experiments."""
        await asked.note()
        kept = await asked.relevant()
        text = await asyncio.to_thread(self.explanation, kept, asked.context.records.experiments)
        page = asked.context.page_of(kept.run) if kept else None
        return f"{text}\n\n{link('all cases with their full texts', page)}" if page else text

    def explanation(self, kept: KeptVerdict | None, experiments: Callable[[str], list[ExperimentRecord]]) -> str:
        """Returns the answer. ``experiments`` reads a run's stored experiments."""
        if kept is None:
            return said("There is no verdict yet, so there is nothing to explain.")
        cards = [card for card in kept.scorecard.lineages if self.lineage in (None, card.lineage)]
        found = [(card, case) for card in cards for case in card.cases if case.id == self.case]
        if not found:
            known = {case.id for card in cards for case in card.cases}
            hint = did_you_mean(self.case, known) if known else "no case was measured"
            return said(f"The verdict on `{kept.run.head_sha[:12]}` has no case `{self.case}` ({hint}).")
        return explained(found, experiments(kept.run.id), kept.run.head_sha)


def explained(found: Sequence[tuple[LineageCard, CaseEffect]], records: Sequence[ExperimentRecord], sha: str) -> str:
    """Returns the answers of both arms to a case, prompt by prompt."""
    parts = [said(f"On `{sha[:12]}`:")]
    for card, case in found:
        parts.append(
            f"### {VERDICT_SIGNS[card.status]} {prose(card.lineage, 80)} · {code(card.model, 80)}: "
            f"{VERDICT_WORDS[card.status]}"
        )
        slices = ", ".join(code(name, 60) for name in case.slices[:10])
        facts = [
            f"{code(case.id, 120)}: **{prose(CASE_RESULTS[case.result])}**",
            *(["protected"] if case.protected else []),
            *([f"slices {slices}"] if slices else []),
            *([f"change {prose(figures.change(case.change))}"] if case.change is not None else []),
        ]
        parts.append(" · ".join(facts))
        if case.reason:
            parts.append(prose(case.reason))
        rows = [
            *((f"input {code(name, 60)}", code(text, TEXT)) for name, text in case.inputs),
            ("expected", code(expected_text(case.expected), TEXT) if case.expected is not None else figures.NONE),
            ("baseline said", _answers_cell(case.baseline)),
            ("candidate says", _answers_cell(case.candidate)),
        ]
        parts.append(table(("", ""), "ll", rows))
        counted = [reason for reason in card.reasons if case.id in reason.cases]
        if counted:
            parts.append("It counts in: " + "; ".join(prose(reason.sentence, 300) for reason in counted[:5]))
        if runs := runs_sentence(card, case, records):
            parts.append(prose(runs))
    return "\n\n".join(parts)


def _answers_cell(answers: Sequence[Answer]) -> str:
    """Returns an arm's answers, the most frequent first. Counts them if the arm ran more than once."""
    if not answers:
        return "<i>no answer</i>"
    shown = [
        code(a.text, TEXT) + (f" {a.count}/{a.of}" if a.of > 1 else "")
        for a in sorted(answers, key=lambda a: -a.count)[:3]
    ]
    more = len(answers) - len(shown)
    return "<br>".join([*shown, f"and {figures.plural(more, 'other answer')}"] if more else shown)
