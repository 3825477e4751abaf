"""``promptverdict schema``."""

from __future__ import annotations

import json

from action.cli.streams import put
from action.exits import Exit
from engine.commands.json_schemas import Kind


def schema(name: Kind) -> Exit:
    """Prints the JSON Schema of ``config``, ``tests``, ``rubric`` or ``scorecard``."""
    from engine.commands.json_schemas import json_schema

    put(json.dumps(json_schema(name), indent=2, ensure_ascii=False) + "\n")
    return Exit.PASS
