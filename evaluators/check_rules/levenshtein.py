"""``levenshtein``: the edit distance of the output and a text is small enough."""

from __future__ import annotations

from collections.abc import Callable

from evaluators.check_values import written
from evaluators.text import shown
from schemas.check_config import Near


def build(near: Near, where: str) -> Callable[[str], str]:
    """Returns the rule. Whitespace around the output is ignored."""
    from rapidfuzz.distance import Levenshtein  # takes 40 ms to import, which most lineages don't need

    wanted, most = written(near.text, where).strip(), int(near.max)

    def rule(output: str) -> str:
        # The cutoff keeps the work in proportion to the length of a long output.
        distance = Levenshtein.distance(output.strip(), wanted, score_cutoff=most)
        return "" if distance <= most else f"more than {most:,} edits from “{shown(wanted, 40)}”"

    return rule
