"""BAML functions: found and named, and not read. Their prompts are filled in by BAML's own compiler."""

from __future__ import annotations

import re

from engine.readers.bounded import shown
from engine.readers.prompts.parts import Blobs, prompt_source
from schemas.prompts import PromptFile

NAMED = 5
"""Functions that a sentence names before it counts."""
_FUNCTION = re.compile(r"^[ \t]*function[ \t]+(\w+)", re.MULTILINE)


class BamlReader:
    """``*.baml``."""

    name = "baml"

    def recognizes(self, path: str, blobs: Blobs) -> bool:
        """Recognizes the file by name."""
        return path.endswith(".baml") and path in blobs

    def read(self, path: str, blobs: Blobs) -> PromptFile:
        """Raises SourceError, always: it names the functions."""
        source = prompt_source(path, blobs)
        found = list(_FUNCTION.finditer(source.text))
        names = ", ".join(shown(function[1]) for function in found[:NAMED])
        more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
        line = source.text.count("\n", 0, found[0].start(1)) + 1 if found else 1
        raise source.error(
            f"BAML functions can't be filled in ({names or 'none here'}{more})",
            line,
            hint="render the prompt into a file of its own, and gate that",
        )
