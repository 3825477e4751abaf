"""``python -m action``: the Action on a runner without arguments, else the command line."""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import NoReturn


def main() -> None:
    """Starts the Action or the command line."""
    # Plans and answers live as long as the run. With the default, the collector looks through them again and again,
    # which takes a sixth of the CPU of a run with 1,000 prompts.
    gc.set_threshold(20_000, 20, 20)
    if len(sys.argv) == 1 and os.environ.get("GITHUB_ACTIONS") == "true":
        from action.start import run_action

        signal.signal(signal.SIGTERM, _stop)
        sys.exit(run_action(os.environ, sys.stdout))
    from action.cli.main import main as command_line

    command_line()


def _stop(*_: object) -> NoReturn:
    """Handles a cancellation by the runner like Ctrl-C, so that the store is closed and paid answers are kept."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
