"""``ends_with``: the output ends with a text exactly, ignoring whitespace around it."""

from __future__ import annotations

from collections.abc import Callable

from evaluators.check_values import written
from evaluators.text import shown


def build(text: str, where: str) -> Callable[[str], str]:
    """Returns the rule."""
    end = written(text, where).strip()
    return lambda output: "" if output.strip().endswith(end) else f"does not end with “{shown(end, 40)}”"
