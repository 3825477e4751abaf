"""``not_regex_match``: an expression of RE2 matches nowhere in the output."""

from __future__ import annotations

from collections.abc import Callable

from evaluators.check_values import ANY_OUTPUT
from evaluators.patterns import compile_pattern
from evaluators.text import shown
from schemas.errors import ConfigError


def build(pattern: str, where: str) -> Callable[[str], str]:
    """Returns the rule. Raises ConfigError for an expression that matches every output."""
    matches = compile_pattern(pattern, where)
    if all(map(matches, ANY_OUTPUT)):
        raise ConfigError(f"{where} matches every answer, so none passes", hint="describe a wrong answer")
    return lambda output: f"matches {shown(pattern, 60)}" if matches(output) else ""
