"""``max_characters``: the output has at most this many characters, ignoring whitespace around it."""

from __future__ import annotations

from collections.abc import Callable


def build(limit: int, where: str) -> Callable[[str], str]:  # noqa: ARG001 - any limit will do
    """Returns the rule."""

    def rule(output: str) -> str:
        length = len(output.strip())
        return "" if length <= limit else f"has {length:,} characters, more than {limit:,}"

    return rule
