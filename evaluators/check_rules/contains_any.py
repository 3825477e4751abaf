"""``contains_any``: one of several texts occurs, ignoring case, Unicode form, dashes and line breaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evaluators.check_values import all_written
from evaluators.text import one_line, shown


def build(texts: Sequence[str], where: str) -> Callable[[str], str]:
    """Returns the rule."""
    wanted = all_written(texts, where)
    named = ", ".join(f"“{shown(text, 40)}”" for text in wanted[:5])

    def rule(output: str) -> str:
        folded = one_line(output)
        return "" if any(one_line(text) in folded for text in wanted) else f"contains none of {named}"

    return rule
