"""Exit codes of the Action and of the command line. The README and ``promptverdict check --help`` document them."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from schemas.errors import ConfigError, PromptVerdictError, UsageError

if TYPE_CHECKING:
    from schemas.scorecard import Scorecard
    from schemas.verdicts import VerdictStatus


class Exit(IntEnum):
    """Exit codes for calling scripts."""

    PASS = 0
    """Approved, nothing to evaluate, or inconclusive and configured to pass."""
    BLOCKED = 1
    USAGE = 2
    """Wrong usage or configuration."""
    ERROR = 3
    """Could not be measured."""
    INCONCLUSIVE = 4
    """Inconclusive and not configured to pass."""
    NEEDS_REVIEW = 5
    INTERRUPTED = 130
    """Ctrl-C. Finished answers are kept."""


_BY_OUTCOME = {
    "blocked": Exit.BLOCKED,
    "error": Exit.ERROR,
    "inconclusive": Exit.INCONCLUSIVE,
    "needs_review": Exit.NEEDS_REVIEW,
}


def exit_of(scorecard: Scorecard) -> Exit:
    """Returns the exit code of a finished check."""
    return exit_of_status(scorecard.status, lets_through=scorecard.passes)


def exit_of_status(status: VerdictStatus, *, lets_through: bool) -> Exit:
    """Returns the exit code of one verdict."""
    return Exit.PASS if lets_through else _BY_OUTCOME[status.value]


def error_line(error: PromptVerdictError | OSError) -> str:
    """Returns what stopped a run, as one line."""
    return str(error) if isinstance(error, PromptVerdictError) else f"the machine failed: {error}"


def exit_of_error(error: PromptVerdictError | OSError) -> Exit:
    """Returns the exit code of a run without a scorecard."""
    return Exit.USAGE if isinstance(error, UsageError | ConfigError) else Exit.ERROR
