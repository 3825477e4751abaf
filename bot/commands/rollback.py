"""``/verdict rollback``: moves a tag back. It is never gated."""

from __future__ import annotations

import asyncio
import re
from typing import ClassVar, Self

from bot.approvals.permissions import Rule
from bot.commands.arguments import LINEAGE, TAG
from bot.commands.command import AskedCommand, Command
from bot.commands.replies import said
from bot.hub.hub_service import LONGEST_REASON, Asker
from bot.hub.replies import moved_text
from schemas.errors import UsageError
from schemas.host import Role

_ARGUMENTS = re.compile(
    rf"(?P<lineage>{LINEAGE}) +(?P<tag>{TAG})(?: +to +(?P<to>[0-9a-f]{{7,64}}))?"
    rf"(?: +because +(?P<reason>[^ ].{{0,{LONGEST_REASON}}}))?"
)


class Rollback(Command):
    """Moves a tag to a version that it had."""

    verb: ClassVar[str] = "rollback"
    arguments: ClassVar[str] = "<lineage> <tag> [to <version>] [because <reason>]"
    meaning: ClassVar[str] = "move the tag back to the version before, or to one that it had; never gated (maintainers)"
    rule: ClassVar[Rule] = Rule(Role.MAINTAIN)

    lineage: str
    tag: str
    to: str | None = None
    reason: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads prompt, tag, version and reason."""
        found = _ARGUMENTS.fullmatch(text)
        if found is None:
            raise cls.wrong_usage()
        return cls(lineage=found["lineage"], tag=found["tag"], to=found["to"], reason=found["reason"])

    async def execute(self, asked: AskedCommand) -> str:
        """Moves the tag at once."""
        await asked.note(asked.before or asked.entry.model_copy(update={"reason": self.reason or ""}))
        try:
            move = await asyncio.to_thread(
                asked.context.hub.rollback,
                asked.posted.repo,
                self.lineage,
                self.tag,
                to=self.to,
                reason=self.reason or "",
                asker=Asker(asked.posted.author, Role(asked.entry.role)),
                request=asked.why,
            )
        except UsageError as error:
            return said(f"{error}.", "Nothing was moved.")
        return said(moved_text(move))
