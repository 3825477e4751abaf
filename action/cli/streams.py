"""Standard output and error may be closed, full, not UTF-8, or closed early by their reader."""

from __future__ import annotations

import io
import os
import sys


def prepare() -> None:
    """Makes both streams take any text: UTF-8 if they are not a terminal, else ``?`` for missing characters."""
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
    """Writes to stdout. A reader that stops early (``| head``) does not change the exit code.

    Raises OSError if the device behind stdout is full.
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
    """Discards what is left in the buffer: the interpreter would fail on it at exit."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, sys.stdout.fileno())
    os.close(sink)
