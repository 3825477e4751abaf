"""The scorecard as JSON: what tools read, and what is compared byte for byte."""

from __future__ import annotations

import json

from engine.render.encode import json_for_logs
from schemas.scorecard import Scorecard


def scorecard_json(scorecard: Scorecard) -> str:
    """Returns the whole scorecard, keys sorted, two blanks deep, one line feed at the end: equal scorecards, equal
    bytes."""
    document = scorecard.model_dump(mode="json")
    text = json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return json_for_logs(text) + "\n"
