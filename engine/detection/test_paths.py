"""The files that test sets name in turn: those of promptfoo configurations."""

from __future__ import annotations

from collections.abc import Sequence

from engine.detection.entries import Entry
from engine.detection.files import Files
from engine.detection.sides import Sides
from engine.readers.file_patterns import is_pattern, matches
from engine.readers.promptfoo_files import DOCUMENTS, is_promptfoo
from engine.readers.promptfoo_tests import promptfoo_paths


def named_by_tests(entries: Sequence[Entry], sides: Sides) -> dict[str, dict[str, str]]:
    """Returns, by lineage, every path and pattern that a promptfoo configuration of its test set names on any side."""
    written = {entry.name: paths for entry in entries if (paths := _documents(entry))}
    found: dict[str, dict[str, str]] = {}
    for files in (sides.base, sides.merged):
        named = _configurations({path for paths in written.values() for path in paths}, files)
        for name, paths in written.items():
            every = [path for one in paths for configuration in named[one] for path in configuration]
            found.setdefault(name, {}).update(dict.fromkeys(every, "test set"))
    return found


def _documents(entry: Entry) -> list[str]:
    return [path for path in dict.fromkeys(entry.test_paths) if path.endswith(DOCUMENTS)]


def _configurations(written: set[str], files: Files) -> dict[str, list[tuple[str, ...]]]:
    """Returns what each promptfoo configuration names, by the path or pattern that stands for it."""
    patterns = sorted(filter(is_pattern, written))
    found = files.all_matching(patterns) if patterns else ()
    stand_for = {one: [path for path in found if matches(one, path)] if is_pattern(one) else [one] for one in written}
    paths = {path for every in stand_for.values() for path in every}
    files.fetch(paths)
    named = {path: promptfoo_paths(path, files) for path in paths if is_promptfoo(path, files.get(path, b""))}
    return {one: [named[path] for path in every if path in named] for one, every in stand_for.items()}
