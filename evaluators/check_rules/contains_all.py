"""``contains_all``: several texts occur, ignoring case, Unicode form, dashes and line breaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evaluators.check_values import all_written
from evaluators.text import one_line, shown


def build(texts: Sequence[str], where: str) -> Callable[[str], str]:
    """Returns the rule."""
    wanted = all_written(texts, where)

    def rule(output: str) -> str:
        folded = one_line(output)
        missing = [text for text in wanted if one_line(text) not in folded]
        return f"does not contain {', '.join(f'“{shown(text, 40)}”' for text in missing[:5])}" if missing else ""

    return rule
