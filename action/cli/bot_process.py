"""``promptverdict bot`` and ``promptverdict doctor``: the bot replaces this process."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from schemas.errors import UsageError


def become_bot(arguments: list[str]) -> NoReturn:
    """Replaces this process with ``python -m bot``, the other shell, which we never import.

    It searches its modules in our folder, not in the working directory, which may contain anything.
    """
    if find_spec("dbos") is None:
        raise UsageError("the bot is not installed", hint="install it: prompt-verdict[bot]")
    here = Path(__file__).parents[2] == Path.cwd()
    where = "-I" if sys.flags.isolated else "-P"
    flags = ["-u"] if here and not sys.flags.isolated else ["-u", where]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *flags, "-m", "bot", *arguments])  # noqa: S606 - ourselves
