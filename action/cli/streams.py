"""Standard output and error as the shell gave them: closed, full, no UTF-8, or read by somebody who goes early."""

from __future__ import annotations

import io
import os
import sys


def prepare() -> None:
    """Makes both streams take any text: UTF-8 where nobody looks, else with ``?`` for what the terminal lacks."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # the shell closed it
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - for the whole process
        elif isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() not in ("utf-8", "utf8"):
            if stream.isatty():
                stream.reconfigure(errors="replace")
            else:
                stream.reconfigure(encoding="utf-8")


def put(text: str) -> None:
    """Writes to stdout. A reader who has seen enough (``| head``) changes nothing about the exit code.

    Raises OSError when what stdout goes to is full.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget()
    except OSError:
        _forget()
        raise


def _forget() -> None:
    """What is left in the buffer goes nowhere, or the interpreter would fail on it when it ends."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, sys.stdout.fileno())
    os.close(sink)
