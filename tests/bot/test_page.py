"""docs/bot.md says what the bot is."""

import re
from pathlib import Path

from bot.commands.grammar import USAGE
from bot.registration import PERMISSIONS

ROOT = Path(__file__).parents[2]
BOT = (ROOT / "docs" / "bot.md").read_text()


def test_every_command_is_in_the_table_and_no_other():
    assert set(re.findall(r"`/verdict ([a-z-]+)", BOT)) == set(USAGE)


def test_the_permissions_are_those_that_the_app_asks_for():
    (rows,) = re.findall(r"(?m)^\| the App asks for .*\n\|---.*\n((?:\|.*\n)+)", BOT)
    assert set(re.findall(r"`([a-z_]+): (read|write)`", rows)) == set(PERMISSIONS.items())
