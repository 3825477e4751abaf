"""``/verdict suggest``: asks for a better version of a prompt."""

from __future__ import annotations

import asyncio
import re
from decimal import Decimal
from typing import ClassVar, Self

from bot.approvals.permissions import Origin, Rule
from bot.commands.arguments import LINEAGE
from bot.commands.command import AskedCommand, Command
from bot.commands.replies import said
from bot.improve.suggesting import Asked
from engine.render.figures import usd
from schemas.errors import UsageError
from schemas.host import Role

_ARGUMENTS = re.compile(rf"(?:(?P<lineage>{LINEAGE}))?(?: *--budget[ =]+\$?(?P<usd>[0-9]{{1,6}}(?:\.[0-9]{{1,6}})?))?")


class Suggest(Command):
    """Searches the default branch's version for a better one. The result is another comment."""

    verb: ClassVar[str] = "suggest"
    arguments: ClassVar[str] = "[lineage] [--budget <USD>]"
    meaning: ClassVar[str] = (
        "search for a better version of the default branch's prompt, and open it as a draft pull request (write access)"
    )
    # Nothing of a pull request is read. A fork's is refused all the same, so that its author can't ask for spending.
    rule: ClassVar[Rule] = Rule(Role.WRITE, origins=frozenset({Origin.SAME_REPOSITORY}))

    lineage: str | None = None
    budget_usd: Decimal | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads an optional prompt and an optional budget."""
        found = _ARGUMENTS.fullmatch(text)
        if found is None:
            raise cls.wrong_usage()
        return cls(lineage=found["lineage"], budget_usd=None if found["usd"] is None else Decimal(found["usd"]))

    async def execute(self, asked: AskedCommand) -> str:
        """Stores the request. A worker searches."""
        await asked.note()
        wanted = Asked(
            self.lineage,
            asked.posted.author,
            asked.entry.role,
            asked.why,
            budget_usd=self.budget_usd,
            number=asked.posted.number,
        )
        try:
            made = await asyncio.to_thread(asked.context.suggesting.ask, asked.posted.repo, wanted)
        except UsageError as error:
            return said(f"{error.what} ({error.hint}).", "Nothing was started.")
        return said(
            f"Searching for a better version of `{made.lineage}` on `{made.branch}` (`{made.sha[:12]}`), for at most "
            f"{usd(made.budget_usd)}. The result comes as another comment. `/verdict cancel-suggest` stops the search."
        )
