"""``/verdict tags``: what the tags point to."""

from __future__ import annotations

from typing import ClassVar

from bot.approvals.permissions import Rule
from bot.commands.arguments import LineageCommand
from bot.commands.command import AskedCommand
from bot.hub.replies import tags_text
from schemas.host import Role


class Tags(LineageCommand):
    """Lists the tags of one prompt or of all."""

    verb: ClassVar[str] = "tags"
    meaning: ClassVar[str] = "list the tags and the versions that they have"
    rule: ClassVar[Rule] = Rule(Role.READ)

    async def execute(self, asked: AskedCommand) -> str:
        """Reads the tags."""
        await asked.note()
        return tags_text(await asked.records.tags(asked.posted.repo.repository_id, self.lineage))
