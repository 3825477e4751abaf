"""Every command, in the order of the help."""

from __future__ import annotations

from typing import Final

from bot.commands.add_case import AddCase
from bot.commands.approve import Approve
from bot.commands.approve_run import ApproveRun
from bot.commands.blame import Blame
from bot.commands.cancel_suggest import CancelSuggest
from bot.commands.command import Command
from bot.commands.explain import Explain
from bot.commands.help import Help
from bot.commands.promote import Promote
from bot.commands.promote_anyway import PromoteAnyway
from bot.commands.protect import Protect
from bot.commands.rerun import Rerun
from bot.commands.rollback import Rollback
from bot.commands.suggest import Suggest
from bot.commands.tags import Tags

COMMANDS: Final[tuple[type[Command], ...]] = (
    Rerun,
    Approve,
    ApproveRun,
    Protect,
    AddCase,
    Blame,
    Explain,
    Promote,
    PromoteAnyway,
    Rollback,
    Tags,
    Suggest,
    CancelSuggest,
    Help,
)
