"""Arguments that several commands take."""

from __future__ import annotations

import re
from typing import ClassVar, Self

from bot.commands.command import Command, CommandSyntaxError

LINEAGE = r"(?=[^ ]{1,200}(?: |$))(?:\.?[A-Za-z0-9_][A-Za-z0-9._-]*/)*[A-Za-z0-9][A-Za-z0-9._-]*"
"""The configured name of a prompt, with its folder if two configurations use the same name."""
TAG = r"[a-z][a-z0-9._-]{0,62}"
"""The name of a tag (``schemas.hub.TagName``)."""
_LINEAGE = re.compile(LINEAGE)
_CASE = re.compile(rf"(?:`(?P<quoted>[^`]{{1,200}})`|(?P<bare>[^\s`]{{1,200}}))(?: +in +(?P<lineage>{LINEAGE}))?")


class LineageCommand(Command):
    """The base of commands about one prompt, or about all if none is named."""

    arguments: ClassVar[str] = "[lineage]"

    lineage: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads an optional prompt name."""
        if text and not _LINEAGE.fullmatch(text):
            raise cls.wrong_usage()
        return cls(lineage=text or None)


class CaseCommand(Command):
    """The base of commands about one case."""

    arguments: ClassVar[str] = "<case> [in <lineage>]"

    case: str
    lineage: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a case and, optionally, the prompt that it belongs to."""
        found = _CASE.fullmatch(text)
        if found is None:
            raise CommandSyntaxError(f"{cls.wrong_usage()} (put a name with blanks between backticks)")
        return cls(case=found["quoted"] or found["bare"], lineage=found["lineage"])
