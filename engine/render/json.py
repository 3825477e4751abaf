"""Renders the scorecard as JSON, for tools and for comparison byte by byte."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from engine.render.encode import json_for_logs
from schemas.effects import CaseEffect
from schemas.scorecard import Scorecard

PART = 1_000
"""Pieces of JSON that are joined to one part of the text: about 10 kB."""


def scorecard_json(scorecard: Scorecard) -> str:
    """Returns the scorecard as JSON with sorted keys, an indent of two blanks and a final line feed. Equal scorecards
    give equal bytes."""
    return "".join(scorecard_json_parts(scorecard))


def scorecard_json_parts(scorecard: Scorecard) -> Iterator[str]:
    """Yields the text of ``scorecard_json`` in parts, so that a hundred thousand cases are never in memory twice."""
    document = scorecard.model_dump(mode="json", exclude={"lineages": {"__all__": {"cases"}}})
    for card, dumped in zip(scorecard.lineages, document["lineages"], strict=True):
        dumped["cases"] = _Cases(card.cases)
    encoder = json.JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    pieces: list[str] = []
    for piece in encoder.iterencode(document):
        pieces.append(piece)
        if len(pieces) == PART:
            yield json_for_logs("".join(pieces))
            pieces.clear()
    yield json_for_logs("".join(pieces)) + "\n"


class _Cases(list[object]):
    """Cases that are dumped one by one while they are written. The encoder accepts only lists."""

    def __init__(self, cases: Sequence[CaseEffect]) -> None:
        self._cases = cases

    def __len__(self) -> int:
        return len(self._cases)

    def __iter__(self) -> Iterator[object]:
        return (case.model_dump(mode="json") for case in self._cases)
