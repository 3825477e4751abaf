"""What the README says about the bot is what the bot is."""

import re
from pathlib import Path

from bot.commands.catalog import COMMANDS
from bot.operations.app_manifest import PERMISSIONS
from bot.variables import VARIABLES

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()
BOT = TEXT[TEXT.index("### For an organisation: the bot") : TEXT.index("## What the verdicts mean")]


def test_every_command_is_in_the_table_and_no_other():
    assert set(re.findall(r"`/verdict ([a-z-]+)", BOT)) == {command.verb for command in COMMANDS}


def test_the_permissions_are_those_that_the_app_asks_for():
    assert set(re.findall(r"`([a-z_]+): (read|write)`", BOT)) == set(PERMISSIONS.items())


def test_settings_that_are_named_exist():
    named = set(re.findall(r"\b(?:PROMPTVERDICT_[A-Z_]+|DATABASE_URL|OPENAI_API_KEY|ANTHROPIC_API_KEY)\b", BOT))
    assert named <= {variable.name for variable in VARIABLES}
    assert "DATABASE_URL" in named


def test_what_is_linked_is_there():
    for path in re.findall(r"\]\(([a-z][^):#]+)\)", BOT):
        assert (ROOT / path).exists(), path
