"""``set_match``: the members of the output are those of a set, in any order, ignoring case and punctuation.

The output is a JSON list, or a text whose members line breaks, semicolons or commas separate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evaluators.field_lists import compare_set
from evaluators.json_answers import read_json
from schemas.field_config import FieldKind, FieldRule


def build(members: Sequence[str], where: str) -> Callable[[str], str]:  # noqa: ARG001 - any set will do
    """Returns the rule."""
    wanted, way = list(members), FieldRule(kind=FieldKind.SET)

    def rule(output: str) -> str:
        reading = read_json(output)
        given = reading.value if reading.found and isinstance(reading.value, list) else output
        return compare_set(way, list(wanted), given).reason

    return rule
