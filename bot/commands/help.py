"""``/verdict help``. It also answers a comment that is not a valid command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from bot.approvals.permissions import Rule
from bot.commands.command import AskedCommand, Command
from engine.render.encode import code, prose
from schemas.host import Role


class Help(Command):
    """Lists the commands. If the given one was wrong, says first why."""

    verb: ClassVar[str] = "help"
    meaning: ClassVar[str] = "this list"
    rule: ClassVar[Rule] = Rule(Role.NONE)

    why: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Takes no argument."""
        if text:
            raise cls.wrong_usage()
        return cls()

    async def execute(self, asked: AskedCommand) -> str:
        """Returns the list."""
        await asked.note()
        return help_text(self, asked.commands)


def help_text(asked: Help, commands: Sequence[type[Command]]) -> str:
    """Returns the mistake in the given command, if any, and the list of all commands."""
    wrong = [prose(f"This is not a command: {asked.why}. Nothing was done.", 400)] if asked.why else []
    lines = [f"- {code(f'/verdict {one.usage()}', 200)}: {prose(one.meaning)}" for one in commands]
    rest = prose("A command is the first line of a new comment. Edits and quotations don't count.")
    return "\n\n".join([*wrong, "\n".join(lines), rest])
