"""The command ``promptverdict`` with all its commands, in the order of its help."""

from __future__ import annotations

from action.cli.declarations import (
    casing,
    judging,
    measuring,
    promoting,
    proposing,
    reading,
    serving,
    slicing,
    starting,
    storing,
)
from action.cli.declarations.root import app

__all__ = [
    "app",
    "casing",
    "judging",
    "measuring",
    "promoting",
    "proposing",
    "reading",
    "serving",
    "slicing",
    "starting",
    "storing",
]
