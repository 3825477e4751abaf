"""Reads an own scorer: Python code, which is data here. Only an isolated process parses and runs it."""

from __future__ import annotations

import re

from engine.readers.bounded import source_of
from schemas.errors import ConfigError
from schemas.ports import ScorerSource

LIMIT = 256 * 1024
"""Most bytes of a scorer."""


def read_scorer(path: str, data: bytes) -> ScorerSource:
    """Returns the scorer in ``data``. Raises ConfigError with its path if it can't be one."""
    source = source_of(path, data, failure=ConfigError, limit=LIMIT)
    if not re.search(r"\bhandler\b", source.text):
        raise source.error("the scorer has no handler", hint="define `def handler(output, expected):`")
    return ScorerSource(path=path, text=source.text)
