"""``starts_with``: the output starts with a text exactly, ignoring whitespace around it."""

from __future__ import annotations

from collections.abc import Callable

from evaluators.check_values import written
from evaluators.text import shown


def build(text: str, where: str) -> Callable[[str], str]:
    """Returns the rule."""
    start = written(text, where).strip()
    return lambda output: "" if output.strip().startswith(start) else f"does not start with “{shown(start, 40)}”"
