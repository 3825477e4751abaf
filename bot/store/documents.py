"""Texts that may have many megabytes. Large ones are stored compressed, since other writers wait meanwhile."""

from __future__ import annotations

import base64
import binascii
import zlib

LARGE = 1_000_000
"""Characters from which a text is compressed."""
MARK = "zlib:"
"""No document starts with it: they are JSON."""


def kept_text(text: str) -> str:
    """Returns the text as it is stored. Compressing 50 MB takes seconds: do it before the transaction."""
    return text if len(text) < LARGE else MARK + base64.b64encode(zlib.compress(text.encode(), 1)).decode()


def read_text(kept: str | None) -> str:
    """Returns a stored text; an empty one for none, or for one that can't be read."""
    if kept is None or not kept.startswith(MARK):
        return kept or ""
    try:
        return zlib.decompress(base64.b64decode(kept.removeprefix(MARK), validate=True)).decode()
    except (binascii.Error, zlib.error, UnicodeDecodeError):
        return ""
