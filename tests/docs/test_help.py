"""``--help`` of every command: whole sentences, none of them cut."""

import pytest
import typer
from typer.testing import CliRunner

from action.cli.app import app
from bot.cli import app as bot

WIDTH = 80
PROGRAMS = {"promptverdict": app, "promptverdict bot": bot}


def walked(program, command, path=()):
    yield program, path, command
    for name, inner in getattr(command, "commands", {}).items():
        if not inner.hidden:
            yield from walked(program, inner, (*path, name))


HANDED_ON = {("bot",), ("doctor",), ("pages",)}
"""Commands of promptverdict that become another program, whose help is tested here too."""
COMMANDS = [each for program, one in PROGRAMS.items() for each in walked(program, typer.main.get_command(one))]
COMMANDS = [each for each in COMMANDS if each[0] != "promptverdict" or each[1] not in HANDED_ON]


def is_sentence(text):
    return bool(text) and text[0].isupper() and text.rstrip().endswith((".", "?"))


@pytest.mark.parametrize(
    ("program", "path", "command"), COMMANDS, ids=[" ".join((each[0], *each[1])) for each in COMMANDS]
)
def test_help_is_in_whole_sentences_and_is_never_cut(program, path, command):
    ran = CliRunner().invoke(PROGRAMS[program], [*path, "--help"], prog_name=program, env={"COLUMNS": str(WIDTH)})
    assert ran.exit_code == 0
    lines = ran.stdout.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert [line for line in lines if line.endswith(("…", "...")) and not line.startswith("Usage: ")] == []
    assert is_sentence(command.help)
    options = [each for each in command.params if getattr(each, "help", None) or each.param_type_name == "option"]
    assert [each.name for each in options if not getattr(each, "hidden", False) and not is_sentence(each.help)] == []
    for name, inner in getattr(command, "commands", {}).items():
        said = " ".join(inner.help.partition("\n\n")[0].split()).partition(". ")[0].removesuffix(".")
        assert inner.hidden or f"{name} {said}" in " ".join(ran.stdout.split())
