"""``python -m bot``, which ``promptverdict bot`` starts."""

import os
import signal

STOPPED = 143
"""Exit code of a process that was stopped before it had anything to clean up."""


def _stop(*_: object) -> None:
    os._exit(STOPPED)


if __name__ == "__main__":
    signal.signal(
        signal.SIGTERM, _stop
    )  # needed in a container: the kernel sends process 1 no signal without a handler
    from bot.cli import main

    main()
