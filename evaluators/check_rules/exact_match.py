"""``exact_match``: the output equals a text exactly, ignoring whitespace around it."""

from __future__ import annotations

from collections.abc import Callable

from evaluators.check_values import written
from evaluators.text import shown


def build(text: str, where: str) -> Callable[[str], str]:
    """Returns the rule."""
    wanted = written(text, where).strip()
    return lambda output: "" if output.strip() == wanted else f"is not “{shown(wanted, 40)}”"
