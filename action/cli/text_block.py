"""A named text on the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

MARGIN = 18
"""Characters of the names before the texts."""
TEXT = 20_000
"""Most characters of one text."""


def text_block(name: str, text: str, width: int) -> Iterator[str]:
    """Yields a text with its name in the margin. Its own line breaks stay, and nothing in it is invisible."""
    from engine.render.encode import excerpt, visible

    cut = excerpt(text, TEXT)
    margin = f"  {visible(name)[: MARGIN - 3]}".ljust(MARGIN)
    for line in (cut.text + cut.note).splitlines() or [""]:
        for part in textwrap.wrap(visible(line), max(20, width - MARGIN)) or [""]:
            yield margin + part
            margin = " " * MARGIN
