"""Patterns of paths: ``*`` and ``?`` within a name, ``**`` for any folders. Brackets stand for themselves."""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache

MAX_PATTERN = 500
"""Most characters of a pattern."""


def is_pattern(path: str) -> bool:
    """Returns whether ``path`` stands for the files that match it."""
    return "*" in path or "?" in path


def fixed_folder(pattern: str) -> str:
    """Returns the folder that contains everything that can match. Empty: the root."""
    steps = pattern.split("/")[:-1]
    wild = next((at for at, step in enumerate(steps) if is_pattern(step)), len(steps))
    return "/".join(steps[:wild])


def matches(pattern: str, path: str) -> bool:
    """Returns whether ``path`` matches. Takes time in proportion to the product of their lengths at most."""
    steps = pattern.split("/")
    # Most paths that don't match have another name, so the name is compared first.
    if steps[-1] != "**" and not _step(steps[-1]).match(path.rpartition("/")[2]):
        return False
    reached = _behind_any({0}, steps)
    for name in path.split("/"):
        following = {at for at in reached if at < len(steps) and steps[at] == "**"}
        following |= {at + 1 for at in reached - following if at < len(steps) and _step(steps[at]).match(name)}
        reached = _behind_any(following, steps)
    return len(steps) in reached


def _behind_any(reached: set[int], steps: list[str]) -> set[int]:
    """Adds the positions behind each ``**``, which may stand for no folder at all."""
    found = set(reached)
    for at in range(min(reached, default=len(steps)), len(steps)):
        if at in found and steps[at] == "**":
            found.add(at + 1)
    return found


@lru_cache(maxsize=8192)
def _step(step: str) -> re.Pattern[str]:
    # fnmatch's expressions never backtrack far, and it alone would read brackets.
    return re.compile(fnmatch.translate(step.replace("[", "[[]")))
