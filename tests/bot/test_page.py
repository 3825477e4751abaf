"""docs/bot.md says what the bot is."""

import re
from pathlib import Path

from bot.commands.catalog import COMMANDS
from bot.operations.app_manifest import PERMISSIONS

ROOT = Path(__file__).parents[2]
BOT = (ROOT / "docs" / "bot.md").read_text()


def test_every_command_is_in_the_table_and_no_other():
    assert set(re.findall(r"`/verdict ([a-z-]+)", BOT)) == {command.verb for command in COMMANDS}


def test_the_permissions_are_those_that_the_app_asks_for():
    (rows,) = re.findall(r"(?m)^\| the App asks for .*\n\|---.*\n((?:\|.*\n)+)", BOT)
    assert set(re.findall(r"`([a-z_]+): (read|write)`(?!, with `bot setup)", rows)) == set(PERMISSIONS.items())
