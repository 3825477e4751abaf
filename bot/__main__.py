"""``python -m bot``: what ``promptverdict bot`` starts."""

import os
import signal

STOPPED = 143
"""The exit code of who was asked to stop before there was anything to tidy up."""


def _stop(*_: object) -> None:
    os._exit(STOPPED)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)  # in a container nobody else would: the kernel spares process 1
    from bot.cli import main

    main()
