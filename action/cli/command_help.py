"""``--help`` of a group of commands, with the whole first paragraph of each, which Click would cut to one line."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

FIRST = ("init", "score", "plan", "check")


class FullHelp(TyperGroup):
    """A group whose list of commands is wrapped and not cut."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the commands as declared, but those first that a newcomer needs first."""
        return sorted(super().list_commands(ctx), key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes each visible command and the first paragraph of its help."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [
            (name, " ".join((command.help or "").partition("\n\n")[0].split()))
            for name, command in commands
            if command is not None and not command.hidden
        ]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)
