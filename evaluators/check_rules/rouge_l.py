"""``rouge_l``: the output shares words with a text, in its order (the F1 of ROUGE-L, Lin 2004, without stemming)."""

from __future__ import annotations

import re
from collections.abc import Callable

from evaluators.check_values import written
from evaluators.matching import set_f1
from evaluators.text import fold, shown
from schemas.check_config import Alike
from schemas.errors import ConfigError

_WORD = re.compile(r"\w+")
MAX_WORDS = 5_000


def build(alike: Alike, where: str) -> Callable[[str], str]:
    """Returns the rule. Raises ConfigError for a text without words, and for a min of 0."""
    from rapidfuzz.distance import LCSseq  # takes 40 ms to import, which most lineages don't need

    wanted, least = _words(written(alike.text, where)), float(alike.min)
    if not wanted:
        raise ConfigError(f"{where} has a text without words", hint="write a text with words, or use similarity")

    if least == 0:
        raise ConfigError(f"{where} has a min of 0, so every answer passes", hint="write min: 0.8, or what you expect")

    def rule(output: str) -> str:
        given = _words(output)
        found = set_f1(int(LCSseq.similarity(wanted, given)), len(wanted), len(given))
        return "" if found >= least else f"ROUGE-L {found:.2f} to “{shown(alike.text, 40)}”, less than {least:g}"

    return rule


def _words(text: str) -> list[str]:
    return _WORD.findall(fold(text))[:MAX_WORDS]
