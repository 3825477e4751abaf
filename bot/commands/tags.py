"""``/verdict tags``: what the tags point to."""

from __future__ import annotations

import re
from typing import ClassVar, Self

from bot.approvals.permissions import Rule
from bot.commands.arguments import LINEAGE
from bot.commands.command import AskedCommand, Command
from bot.hub.replies import tags_text
from schemas.host import Role

_LINEAGE = re.compile(LINEAGE)


class Tags(Command):
    """Lists the tags of one prompt or of all."""

    verb: ClassVar[str] = "tags"
    arguments: ClassVar[str] = "[lineage]"
    meaning: ClassVar[str] = "list the tags and the versions that they have"
    rule: ClassVar[Rule] = Rule(Role.READ)

    lineage: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads an optional prompt name."""
        if text and not _LINEAGE.fullmatch(text):
            raise cls.wrong_usage()
        return cls(lineage=text or None)

    async def execute(self, asked: AskedCommand) -> str:
        """Reads the tags."""
        await asked.note()
        return tags_text(await asked.records.tags(asked.posted.repo.repository_id, self.lineage))
