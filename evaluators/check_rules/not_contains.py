"""``not_contains``: a text doesn't occur, ignoring case, Unicode form, dashes and line breaks."""

from __future__ import annotations

from collections.abc import Callable

from evaluators.check_values import written
from evaluators.text import contains, shown


def build(text: str, where: str) -> Callable[[str], str]:
    """Returns the rule."""
    unwanted = written(text, where)
    return lambda output: f"contains “{shown(unwanted, 40)}”" if contains(output, unwanted) else ""
