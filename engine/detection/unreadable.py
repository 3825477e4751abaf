"""Constants and keys that can't be read at the base, where the pull request doesn't touch their own file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from engine.detection.entries import Entry
from engine.detection.places import read_at
from engine.detection.prompts import approval
from engine.detection.sides import Sides
from engine.readers.bounded import shown
from engine.readers.code.imports import imported_paths
from engine.readers.prompts.references import CODE_SUFFIXES
from schemas.prompts import Finding
from schemas.verdicts import Reason, ReasonCode

MAX_IMPORTED = 200
"""Most files whose imports are followed."""


class Unreadable(NamedTuple):
    """A prompt that can't be read."""

    name: str
    why: Finding
    changed: str | None
    """A changed file from which the prompt may come."""


def unreadable_prompts(sides: Sides, entries: Sequence[Entry], reached: Collection[str]) -> tuple[Unreadable, ...]:
    """Returns the prompts that are a part of a file and can't be read at the base, without those of ``reached``.

    A file that the code imports, directly or through others, may be what makes the prompt.
    """
    found = []
    for entry in entries:
        parts = [place.path for place in entry.prompt.places if place.key]
        if not parts or entry.new or entry.name in reached:
            continue
        read = read_at(sides.base, entry.prompt, entry.lineage.template)
        if isinstance(read, Finding):
            code = [path for path in parts if path.endswith(CODE_SUFFIXES)]
            found.append(Unreadable(entry.name, read, _changed_import(code, sides)))
    return tuple(found)


def _changed_import(paths: Sequence[str], sides: Sides) -> str | None:
    seen: set[str] = set()
    waiting = list(paths)
    while waiting and len(seen) < MAX_IMPORTED:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        if path not in paths and path in sides.changes.touched:
            return path
        text = sides.base.get(path, b"").decode("utf-8", "replace")
        named = imported_paths(path, text)
        sides.base.fetch(named)
        waiting += sorted(each for each in named if each in sides.base or each in sides.changes.touched)
    return None


def unreadable_reasons(unreadable: Sequence[Unreadable]) -> Iterator[Reason]:
    """Yields a reason for review for each prompt that a changed file may make."""
    for each in unreadable:
        if each.changed:
            sentence = f"{each.name}: {shown(each.changed)} changed, and the prompt may come from it: {each.why}."
            yield approval(ReasonCode.UNREADABLE, sentence)


def unreadable_warnings(unreadable: Sequence[Unreadable]) -> Iterator[Finding]:
    """Yields a warning for each of the others."""
    for each in unreadable:
        if not each.changed:
            what = f"{each.name}: the prompt can't be read, so it is not gated: {each.why.what}"
            yield Finding(what=what, where=each.why.where, hint=each.why.hint)
