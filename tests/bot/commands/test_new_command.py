"""A new command is one module and one line of the catalog: parsed, permitted, listed, executed, audited, answered."""

import asyncio
import html
import re
from typing import ClassVar, Self

from bot.approvals.permissions import Rule
from bot.commands import catalog
from bot.commands.command import AskedCommand, Command
from bot.commands.dispatch import answer
from bot.commands.replies import said
from schemas.host import Role
from tests.bot.commands.test_dispatch import REPO, town

__all__ = ["town"]


class Pause(Command):
    """The whole of a new command's module."""

    verb: ClassVar[str] = "pause-runs"
    arguments: ClassVar[str] = "<minutes>"
    meaning: ClassVar[str] = "run nothing for some minutes (write access)"
    rule: ClassVar[Rule] = Rule(Role.WRITE)

    minutes: int

    @classmethod
    def parse(cls, text: str) -> Self:
        if not re.fullmatch("[0-9]{1,3}", text):
            raise cls.wrong_usage()
        return cls(minutes=int(text))

    async def execute(self, asked: AskedCommand) -> str:
        await asked.note()
        return said(f"Paused for {self.minutes} minutes.")


COMMANDS = (*catalog.COMMANDS, Pause)
"""The one line."""


def says(town, body, author="mia"):
    """Posts a comment and has it handled; what stands below the pull request afterwards."""
    posted = town.post(body, author)
    asyncio.run(answer(posted, town.context, COMMANDS))
    return town.host.ours(1)[-1]


def test_it_is_executed_audited_and_answered(town):
    assert "Paused for 30 minutes" in says(town, "/verdict pause-runs 30")
    (entry,) = town.records.audit_log(REPO.repository_id, 1)
    assert (entry.by, entry.action, entry.permitted) == ("mia", "pause_runs", True)


def test_its_rule_holds(town):
    assert "needs the role write" in says(town, "/verdict pause-runs 30", "rob")
    (entry,) = town.records.audit_log(REPO.repository_id, 1)
    assert (entry.action, entry.permitted) == ("pause_runs", False)


def test_the_help_lists_it_and_says_how_it_is_written(town):
    assert "/verdict pause-runs <minutes>" in html.unescape(says(town, "/verdict help"))
    assert "is written" in says(town, "/verdict pause-runs soon")


def test_every_command_of_the_product_is_a_module_of_its_own():
    modules = [command.__module__ for command in catalog.COMMANDS]
    assert len(set(modules)) == len(modules)
    verbs = [command.verb for command in catalog.COMMANDS]
    assert [module.rpartition(".")[2] for module in modules] == [verb.replace("-", "_") for verb in verbs]
