"""Marks in the first line of what we write on GitHub, by which it is found again."""

from __future__ import annotations

from pydantic import JsonValue

REPEATS = 3
"""Tries of a write whose answer got lost. Each looks first for what an earlier one made."""


def is_marked(body: JsonValue, marker: str) -> bool:
    """Returns whether the first line is an HTML comment that starts with the marker: ``<!-- prompt-verdict … -->``."""
    line = body.split("\n", 1)[0].rstrip("\r") if isinstance(body, str) else ""
    return line.startswith(f"{marker} ") and line.endswith(" -->")
