"""Renders the scorecard as JSON, for tools and for comparison byte by byte."""

from __future__ import annotations

import json

from engine.render.encode import json_for_logs
from schemas.scorecard import Scorecard


def scorecard_json(scorecard: Scorecard) -> str:
    """Returns the scorecard as JSON with sorted keys, an indent of two blanks and a final line feed. Equal scorecards
    give equal bytes."""
    document = scorecard.model_dump(mode="json")
    text = json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return json_for_logs(text) + "\n"
