"""``/verdict blame``: names the changed lines that break cases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from bot.approvals.permissions import Rule
from bot.commands.arguments import LineageCommand
from bot.commands.command import AskedCommand
from bot.commands.replies import said
from bot.store.values import KeptVerdict
from engine.blame.explain import EXPLAINED
from engine.readers.bounded import did_you_mean
from engine.render.encode import code, prose
from engine.render.explanation import explanation_parts
from engine.render.limits import LADDER
from engine.render.signs import VERDICT_SIGNS, VERDICT_WORDS
from schemas.host import Role
from schemas.scorecard import LineageCard

MOST = 10
"""The most prompts of one answer."""


class Blame(LineageCommand):
    """Shows the guilty parts of the change, as found after the verdict."""

    verb: ClassVar[str] = "blame"
    meaning: ClassVar[str] = "the changed lines that break cases, and an edit that reverts them"
    rule: ClassVar[Rule] = Rule(Role.READ)

    async def execute(self, asked: AskedCommand) -> str:
        """Reads the stored verdict."""
        await asked.note()
        return self.answer(await asked.relevant())

    def answer(self, kept: KeptVerdict | None) -> str:
        """Returns what a verdict knows about the lines that did it."""
        if kept is None:
            return said("There is no verdict yet, so there is nothing to explain.")
        sha, cards = kept.run.head_sha[:12], kept.scorecard.lineages
        names = {card.lineage for card in cards}
        if self.lineage is not None and self.lineage not in names:
            hint = did_you_mean(self.lineage, names) if names else "it covers no prompt"
            return said(f"The verdict on `{sha}` does not cover `{self.lineage}` ({hint}).")
        wanted = [card for card in cards if self.lineage in (None, card.lineage) and card.status in EXPLAINED]
        if not wanted:
            return said(f"On `{sha}`, no prompt is blocked or needs review, so no line is to blame.")
        parts = (part for card in wanted[:MOST] for part in _parts(card))
        return "\n\n".join((said(f"On `{sha}`:"), *parts))


def _parts(card: LineageCard) -> Iterator[str]:
    name = f"{prose(card.lineage, 80)} · {code(card.model, 80)}"
    yield f"### {VERDICT_SIGNS[card.status]} {name}: {VERDICT_WORDS[card.status]}"
    shown = list(explanation_parts(card, LADDER[0]))
    sentence = card.blame.sentence if card.blame else "No search was run. `/verdict rerun` runs one, within its budget."
    yield from shown or [prose(sentence)]
