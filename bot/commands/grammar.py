"""Finds the command in a comment: the first line, in an exact grammar. Pure.

Quotations, list items, code blocks and indented lines start with something other than ``/verdict``, so they are never
commands. Blanks are ASCII blanks and a verb must be spelled exactly. A line that starts like a command but is none gets
the help as its answer and has no effect.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.commands.catalog import COMMANDS
from bot.commands.command import Command, CommandSyntaxError
from bot.commands.help import Help
from engine.readers.bounded import shown

LONGEST_LINE = 4_000
"""Characters of a command. A longer case belongs in the file."""

_START = re.compile(r"/verdict(?![A-Za-z0-9_/-])")
_FIRST_LINE = re.compile(r"[^\r\n]*")
_VERB = re.compile(r" +([a-z-]+)(?: +([^ ].*))?")


def read_command(body: str, commands: Sequence[type[Command]] = COMMANDS) -> Command | None:
    """Returns the command in a comment; ``Help`` if it is meant as one but is none; ``None`` for any other comment."""
    line = _FIRST_LINE.match(body)
    assert line is not None
    text = line[0].rstrip(" \t")
    start = _START.match(text)
    if start is None:
        return None
    try:
        if len(text) > LONGEST_LINE:
            raise CommandSyntaxError(f"a command has at most {LONGEST_LINE:,} characters")
        return _command(text[start.end() :], commands)
    except CommandSyntaxError as wrong:
        return Help(why=str(wrong))


def _command(text: str, commands: Sequence[type[Command]]) -> Command:
    if not text:
        return Help()
    found = _VERB.fullmatch(text)
    if found is None:
        raise CommandSyntaxError("“/verdict” must be followed by a blank and one of the commands below")
    verb, rest = found[1], found[2] or ""
    command = next((one for one in commands if one.verb == verb), None)
    if command is None:
        raise CommandSyntaxError(f"there is no command “{shown(verb)}”")
    return command.parse(rest)
