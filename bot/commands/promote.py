"""``/verdict promote``: moves a tag to a version, if its verdict passes."""

from __future__ import annotations

import asyncio
import re
from typing import ClassVar, Self

from bot.approvals.permissions import Rule
from bot.commands.arguments import LINEAGE, TAG
from bot.commands.command import AskedCommand, Command
from bot.commands.replies import said
from bot.hub.hub_service import Asker
from bot.hub.replies import result_text, short
from schemas.errors import UsageError
from schemas.host import Role

_ARGUMENTS = re.compile(rf"(?P<lineage>{LINEAGE}) +(?P<tag>{TAG})(?: +from +(?P<source>{TAG}|[0-9a-f]{{7,64}}))?")


class Promote(Command):
    """Asks for a promotion. The result is another comment."""

    verb: ClassVar[str] = "promote"
    arguments: ClassVar[str] = "<lineage> <tag> [from <tag or version>]"
    meaning: ClassVar[str] = (
        "measure what the tag has now against the default branch's version, and move the tag if it passes (maintainers)"
    )
    rule: ClassVar[Rule] = Rule(Role.MAINTAIN)

    lineage: str
    tag: str
    source: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads prompt, tag and source."""
        found = _ARGUMENTS.fullmatch(text)
        if found is None:
            raise cls.wrong_usage()
        return cls(lineage=found["lineage"], tag=found["tag"], source=found["source"])

    async def execute(self, asked: AskedCommand) -> str:
        """Stores the promotion. A worker measures it."""
        await asked.note()
        try:
            promotion = await asyncio.to_thread(
                asked.context.hub.promote,
                asked.posted.repo,
                self.lineage,
                self.tag,
                source=self.source,
                asker=Asker(asked.posted.author, Role(asked.entry.role)),
                request=asked.why,
                number=asked.posted.number,
            )
        except UsageError as error:
            return said(f"{error}.", "Nothing was promoted.")
        if not promotion.state.is_open:
            return result_text(promotion, None, None)
        return said(
            f"`{short(promotion.to_digest)}` of `{promotion.lineage}` is measured against what `{promotion.tag}` has "
            f"now, `{short(promotion.from_digest or '')}`. The result comes as another comment."
        )
