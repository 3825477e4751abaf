"""``/verdict approve-run``: the run of a fork."""

from __future__ import annotations

import re
from typing import ClassVar, Self

from bot.approvals.permissions import Origin, Rule
from bot.commands.command import AskedCommand, Command, CommandSyntaxError
from bot.commands.replies import said
from schemas.host import Role

_SHA = re.compile(r"[0-9a-f]{40}")


class ApproveRun(Command):
    """Has exactly this head of a fork measured."""

    verb: ClassVar[str] = "approve-run"
    arguments: ClassVar[str] = "<full commit id, 40 digits>"
    meaning: ClassVar[str] = "measure exactly this head of a fork (write access)"
    rule: ClassVar[Rule] = Rule(Role.WRITE, origins=frozenset({Origin.FORK}))

    sha: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a full commit id."""
        if not _SHA.fullmatch(text):
            raise CommandSyntaxError("“approve-run” needs the whole commit id: 40 digits, 0-9 and a-f")
        return cls(sha=text)

    async def execute(self, asked: AskedCommand) -> str:
        """Notes the approval of the head and starts its run."""
        head = asked.pull.head_sha
        # A repeated try skips the checks that were passed. `retry` compares the head again.
        if asked.before is None:
            if not asked.pull.is_open:
                return said("The pull request is closed. Nothing is run.")
            if self.sha != head:
                return said(f"The head is not `{self.sha}` but `{head}`. Review that commit, then approve it.")
            await asked.note()
        posted = asked.posted
        run = await asked.context.reconciler.retry(posted.repo, posted.number, why=asked.why, approved_sha=self.sha)
        if run is None or run.head_sha != self.sha:
            return said(f"The head has moved on: `{self.sha[:12]}` is not measured. Review the new head.")
        return said(f"`{self.sha[:12]}` is being measured: exactly this commit, for a quarter of the budget.")
