"""Named rules for differences of a file that can't change any request."""

from __future__ import annotations

import json
from collections.abc import Callable

from pydantic import JsonValue

from engine.detection.sides import Sides
from engine.detection.snapshot import Difference
from engine.readers.bounded import Source, source_of
from engine.readers.nodes import plain
from engine.readers.prompts.parts import YAML_SUFFIXES, document, front_matter
from schemas.errors import PromptVerdictError

MOVED = "the same content at another path"
LINE_ENDS = "only line ends or a byte order mark differ"
LAYOUT = "only comments or layout differ"
BLANK_LINES = "only blank lines around the text differ, or comments of its front matter"


def harmless_rule(difference: Difference, sides: Sides) -> str | None:
    """Returns the rule that makes the two versions of a file equivalent, or ``None`` if none applies."""
    before, after = difference.before, difference.after
    if difference.moved_only:
        return MOVED
    if before is None or after is None or before.content[0] != after.content[0]:
        return None
    try:
        old = source_of(before.path, sides.base[before.path])
        new = source_of(after.path, sides.merged[after.path])
    # An unreadable version can't be shown to mean the same.
    except (KeyError, PromptVerdictError):
        return None
    return LINE_ENDS if old.text == new.text else _same_meaning(difference.what, old, new)


def _same_meaning(what: str, old: Source, new: Source) -> str | None:
    if all(source.path.endswith((*YAML_SUFFIXES, ".json")) for source in (old, new)):
        return LAYOUT if _equal(_document, old, new) else None
    # In a partial, blank lines at the ends become part of the message around it.
    return BLANK_LINES if what == "prompt" and _equal(_text, old, new) else None


def _equal(meaning: Callable[[Source], JsonValue], old: Source, new: Source) -> bool:
    try:
        # As text, so that 1 differs from true and from 1.0.
        return json.dumps(meaning(old), sort_keys=True) == json.dumps(meaning(new), sort_keys=True)
    except PromptVerdictError:
        return False


def _document(source: Source) -> JsonValue:
    return plain(document(source))


def _text(source: Source) -> JsonValue:
    """Returns front matter and body, as the readers of plain text take them."""
    fields, body, _ = front_matter(source)
    return [plain(fields.node) if fields else None, body.strip("\n")]
