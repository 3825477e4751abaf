"""The console script ``promptverdict``: runs a command and turns exceptions into one line and an exit code."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import traceback

from action.cli.app import app
from action.cli.streams import prepare
from action.exits import Exit, exit_of_error
from schemas.errors import PromptVerdictError


def main() -> None:
    """Runs the console script. A user's mistake is one line on stderr. Only our own bugs print a traceback."""
    gc.set_threshold(
        100_000, 20, 20
    )  # imports and calls make many objects and little garbage; this saves a tenth of the CPU
    atexit.register(gc.freeze)  # otherwise Python scans all of them again at exit
    prepare()
    sys.exit(_code())


def _code() -> int:
    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except PromptVerdictError as error:
        from engine.render.encode import visible

        # It may quote a server's answer, which could write commands to the terminal.
        sys.stderr.write(f"promptverdict: {visible(str(error), lines=True)}\n")
        return exit_of_error(error)
    except KeyboardInterrupt:
        sys.stderr.write("\npromptverdict: interrupted\n")
        return Exit.INTERRUPTED
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"promptverdict: {place}{error.strerror or error}\n")
        return Exit.ERROR
    except Exception:  # noqa: BLE001 - Python's own exit code 1 would mean: blocked
        from action.environment import secrets
        from adapters.masking import masked

        sys.stderr.write(masked(traceback.format_exc(), secrets(os.environ)))
        return Exit.ERROR
    return Exit.PASS
