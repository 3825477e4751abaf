"""``contains``: a text occurs, ignoring case, Unicode form, dashes and line breaks."""

from __future__ import annotations

from collections.abc import Callable

from evaluators.check_values import written
from evaluators.text import contains, shown


def build(text: str, where: str) -> Callable[[str], str]:
    """Returns the rule."""
    wanted = written(text, where)
    return lambda output: "" if contains(output, wanted) else f"does not contain “{shown(wanted, 40)}”"
