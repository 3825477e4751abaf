"""``min_words``: the output has at least this many words, separated by whitespace."""

from __future__ import annotations

from collections.abc import Callable


def build(limit: int, where: str) -> Callable[[str], str]:  # noqa: ARG001 - any limit will do
    """Returns the rule."""

    def rule(output: str) -> str:
        words = len(output.split())
        return "" if words >= limit else f"has {words:,} words, fewer than {limit:,}"

    return rule
