"""``similarity``: the normalized Indel similarity of the output and a text is large enough."""

from __future__ import annotations

from collections.abc import Callable

from evaluators.check_values import written
from evaluators.field_values import plain, similarity
from evaluators.text import shown
from schemas.check_config import Alike
from schemas.errors import ConfigError


def build(alike: Alike, where: str) -> Callable[[str], str]:
    """Returns the rule. Case, whitespace and punctuation are ignored. Raises ConfigError for a min of 0."""
    wanted, least = plain(written(alike.text, where)), float(alike.min)

    if least == 0:
        raise ConfigError(f"{where} has a min of 0, so every answer passes", hint="write min: 0.8, or what you expect")

    def rule(output: str) -> str:
        found = similarity(plain(output), wanted, 0)
        return "" if found >= least else f"similarity {found:.2f} to “{shown(alike.text, 40)}”, less than {least:g}"

    return rule
