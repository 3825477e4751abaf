"""``python -m action``: without arguments on a runner it is the Action, else the command line."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn


def main() -> None:
    """Decides which of the two was meant."""
    if len(sys.argv) == 1 and os.environ.get("GITHUB_ACTIONS") == "true":
        from action.start import run_action

        signal.signal(signal.SIGTERM, _stop)
        sys.exit(run_action(os.environ, sys.stdout))
    from action.cli import main as command_line

    command_line()


def _stop(*_: object) -> NoReturn:
    """The runner cancels: the same as Ctrl-C, so that the store is closed and what is paid for is kept."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
