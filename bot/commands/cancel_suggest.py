"""``/verdict cancel-suggest``."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from bot.approvals.permissions import Rule
from bot.commands.arguments import LineageCommand
from bot.commands.command import AskedCommand
from bot.commands.replies import said
from schemas.host import Role


class CancelSuggest(LineageCommand):
    """Ends searches that are under way."""

    verb: ClassVar[str] = "cancel-suggest"
    meaning: ClassVar[str] = "stop searches for better prompts (write access)"
    rule: ClassVar[Rule] = Rule(Role.WRITE)

    async def execute(self, asked: AskedCommand) -> str:
        """Marks them as cancelled. The worker that has one notices within half a second."""
        await asked.note()
        ended = await asyncio.to_thread(
            asked.context.suggesting.cancel, asked.posted.repo, asked.posted.author, lineage=self.lineage
        )
        if not ended:
            return said("No search is running.")
        return said(f"Cancelled: {', '.join(map(str, ended))}. Answers so far are stored, so a new search reuses them.")
