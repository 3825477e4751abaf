"""``/verdict rerun``."""

from __future__ import annotations

from typing import ClassVar

from bot.approvals.permissions import Rule
from bot.commands.arguments import LineageCommand
from bot.commands.command import AskedCommand
from bot.commands.replies import said
from engine.readers.bounded import did_you_mean
from schemas.host import Role


class Rerun(LineageCommand):
    """Evaluates the head once more."""

    verb: ClassVar[str] = "rerun"
    meaning: ClassVar[str] = "evaluate the head once more (write access); stored answers are not paid again"
    rule: ClassVar[Rule] = Rule(Role.WRITE)  # it may cost money

    async def execute(self, asked: AskedCommand) -> str:
        """Starts a new attempt at the whole head."""
        if not asked.pull.is_open:
            return said("The pull request is closed. Nothing is run.")
        kept = asked.current(await asked.shown())
        names = {card.lineage for card in kept.scorecard.lineages} if kept else set()
        if kept is not None and self.lineage is not None and self.lineage not in names:
            hint = did_you_mean(self.lineage, names) if names else "it covers no prompt"
            return said(f"This pull request's verdict does not cover `{self.lineage}` ({hint}).")
        await asked.note()
        run = await asked.context.reconciler.retry(asked.posted.repo, asked.posted.number, why=asked.why)
        if run is None:
            return said("There is nothing to run.")
        whole = "A verdict always covers every prompt of the pull request. " if self.lineage else ""
        return said(f"`{run.head_sha[:12]}` is being evaluated again. {whole}Stored answers are not paid again.")
