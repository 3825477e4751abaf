"""``/verdict promote-anyway``: the override of a blocked promotion."""

from __future__ import annotations

import asyncio
import re
from typing import ClassVar, Self

from bot.approvals.permissions import Rule
from bot.commands.command import AskedCommand, Command
from bot.commands.replies import said
from bot.hub.hub_service import LONGEST_REASON, Asker
from bot.hub.replies import moved_text
from schemas.errors import UsageError
from schemas.host import Role

_ARGUMENTS = re.compile(rf"(?P<promotion>[0-9]{{1,18}}) +(?P<reason>[^ ].{{0,{LONGEST_REASON}}})")


class PromoteAnyway(Command):
    """Moves a tag although its promotion was blocked, for a reason."""

    verb: ClassVar[str] = "promote-anyway"
    arguments: ClassVar[str] = "<number> <reason>"
    meaning: ClassVar[str] = "move the tag of a blocked promotion anyway; the audit log keeps the reason (maintainers)"
    rule: ClassVar[Rule] = Rule(Role.MAINTAIN)

    promotion: int
    reason: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads the promotion's number and the reason."""
        found = _ARGUMENTS.fullmatch(text)
        if found is None:
            raise cls.wrong_usage()
        return cls(promotion=int(found["promotion"]), reason=found["reason"])

    async def execute(self, asked: AskedCommand) -> str:
        """Records the override and moves the tag."""
        await asked.note(asked.before or asked.entry.model_copy(update={"reason": self.reason}))
        try:
            move = await asyncio.to_thread(
                asked.context.hub.override,
                asked.posted.repo,
                self.promotion,
                reason=self.reason,
                asker=Asker(asked.posted.author, Role(asked.entry.role)),
                request=asked.why,
                audited=True,
            )
        except UsageError as error:
            return said(f"{error}.", "Nothing was promoted.")
        return said(moved_text(move))
