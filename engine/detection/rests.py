"""What differs in a file besides the constants and keys that lineages name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.detection.entries import Entry
from engine.detection.files import Files
from engine.detection.places import place_after, read_at
from engine.detection.sides import Sides
from engine.readers.promptfoo_files import inline_prompts, lines_of_tests
from schemas.prompts import PromptFile
from schemas.references import Reference


def uncovered_rests(sides: Sides, entries: Sequence[Entry]) -> frozenset[str]:
    """Returns changed files of which lineages name only parts, and that differ in other parts too.

    A file is left out where a part of it can't be read: that is an error already.
    """
    parts = {path for entry in entries for path in _parts(entry)} & sides.changes.touched
    if not parts:
        return frozenset()
    of_tests = {path for entry in entries for path in entry.test_paths}
    before = _by_path(entry.prompt for entry in entries)
    after = _by_path(place for entry in entries if (place := place_after(entry, sides)))
    found: set[str] = set()
    for change in sides.changes.of(parts):
        old, new = change.paths[0], change.paths[-1]
        rests = [
            _rest(files, prompts.get(path, ()), path, is_test_set=path in of_tests)
            for files, prompts, path in ((sides.base, before, old), (sides.merged, after, new))
        ]
        if None not in rests and rests[0] != rests[1]:
            found.update(change.paths)
    return frozenset(found)


def uncovered_inline_prompts(sides: Sides, entries: Sequence[Entry]) -> frozenset[str]:
    """Returns changed promptfoo configurations that lineages name as test sets only, and whose own prompts differ."""
    named = {path for entry in entries for path in _parts(entry)}
    of_tests = {path for entry in entries for path in entry.test_paths} - named
    found: set[str] = set()
    for change in sides.changes.of(sides.changes.named(of_tests)):
        old, new = change.paths[0], change.paths[-1]
        before = inline_prompts(old, sides.base.get(old, b""))
        if before != inline_prompts(new, sides.merged.get(new, b"")):
            found.update(change.paths)
    return frozenset(found)


def _parts(entry: Entry) -> Iterable[str]:
    """Returns the files of which the lineage names only a part."""
    places = (*entry.prompt.places, *entry.head_prompt.places)
    whole = {place.path for place in places if place.key is None}
    return (place.path for place in places if place.path not in whole)


def _by_path(prompts: Iterable[Reference]) -> dict[str, list[Reference]]:
    """Returns the prompts that a file holds, or a part of which it holds, by its path."""
    found: dict[str, list[Reference]] = {}
    for prompt in prompts:
        for path in dict.fromkeys(prompt.paths):
            found.setdefault(path, []).append(prompt)
    return found


def _rest(files: Files, prompts: Iterable[Reference], path: str, *, is_test_set: bool) -> list[str] | None:
    """Returns a file's lines that are in none of its ``prompts`` and no test. ``None`` if one can't be read."""
    taken = set(lines_of_tests(path, files.get(path, b""))) if is_test_set else set[int]()
    for prompt in prompts:
        read = read_at(files, prompt)
        if read is not None and not isinstance(read, PromptFile):
            return None
        for origin in read.origins if read else ():
            if origin.path == path:
                taken.update(*(range(first, last + 1) for first, last in origin.lines))
    lines = files.get(path, b"").decode(errors="replace").replace("\r\n", "\n").split("\n")
    return [line for number, line in enumerate(lines, 1) if number not in taken and line.strip()]
