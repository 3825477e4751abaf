"""Reads the test set of a prompt from one file or several, named by paths and patterns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import JsonValue

from engine.readers.bounded import shown, within_limit
from engine.readers.file_patterns import is_pattern
from engine.readers.promptfoo_files import is_promptfoo
from engine.readers.promptfoo_tests import promptfoo_tests
from engine.readers.same_as import with_originals
from engine.readers.test_source import TestFiles
from engine.readers.testsets import MAX_CASES, read_test_set
from engine.readers.unverified import without_unverified
from schemas.errors import SourceError
from schemas.testsets import Columns, TestCase, TestSet
from schemas.values import digest_of

MAX_FILES = 1_000
"""Most files of one test set."""


def named_files(written: Sequence[str], files: TestFiles) -> dict[str, tuple[str, ...]]:
    """Returns, for each path and pattern, the files that it stands for: none, one or several."""
    return {one: tuple(files.matching(one)) if is_pattern(one) else (one,) * files.exists(one) for one in written}


def read_tests(
    written: Sequence[str],
    files: TestFiles,
    columns: Columns | None = None,
    *,
    key: str = "tests",
    may_lack: Callable[[str], bool] = lambda _: False,
) -> TestSet:
    """Returns the cases of all files that ``written`` names, in its order. Files of one pattern are sorted by path.
    Unverified cases are set aside.

    ``key`` is the configuration's key, for messages. ``may_lack`` says of a path or pattern that it may name nothing.
    Raises SourceError as ``read_test_set`` does, for a path or pattern without a file, for two cases
    with one id, and for a ``same_as`` that names no other case.
    """
    paths: dict[str, None] = {}
    for one, found in named_files(written, files).items():
        if is_pattern(one) and not found and not may_lack(one):
            raise SourceError(f"no file matches {shown(one, 200)}", where=key, hint="check the pattern")
        paths |= dict.fromkeys(found if found or may_lack(one) else (one,))
    if len(paths) > MAX_FILES:
        raise SourceError(f"more than {MAX_FILES:,} files", where=key, hint="write a narrower pattern")
    return without_unverified(with_originals(_joined([_read(path, files, columns) for path in paths], written)))


def _read(path: str, files: TestFiles, columns: Columns | None) -> TestSet:
    data = files.content(path)
    if not is_promptfoo(path, data):
        return read_test_set(path, data, columns)
    if columns is not None:
        raise SourceError("columns don't apply to a promptfoo configuration", where=path, hint="remove columns:")
    return promptfoo_tests(path, files)


def _joined(parts: Sequence[TestSet], written: Sequence[str]) -> TestSet:
    if len(parts) == 1:
        return parts[0]
    cases: dict[str, TestCase] = {}
    mapping: dict[str, dict[str, None]] = {}
    for part in parts:
        for case in part.cases:
            if (first := cases.setdefault(case.id, case)) is not case:
                raise _twice(first, case)
        if len(cases) > MAX_CASES:
            raise SourceError(f"more than {MAX_CASES:,} cases", where=part.path, hint="split the test set")
        for key, names in part.mapping.items():
            mapping.setdefault(key, {}).update(dict.fromkeys(names))
    return TestSet(
        path=", ".join(written),
        files=tuple(part.path for part in parts),
        cases=tuple(cases.values()),
        mapping={key: tuple(names) for key, names in mapping.items()},
        unread=_unread_of(parts),
        warnings=within_limit([warning for part in parts for warning in part.warnings]),
    )


def _unread_of(parts: Sequence[TestSet]) -> dict[str, dict[str, JsonValue]]:
    """Returns what the readers ignore. What belongs to no case is listed, and several files may have it."""
    unread: dict[str, dict[str, JsonValue]] = {}
    for name, values in (each for part in parts for each in part.unread.items()):
        of_case = unread.setdefault(name, {})
        for key, value in values.items():
            before = of_case.get(key)
            of_case[key] = [*before, *value] if isinstance(before, list) and isinstance(value, list) else value
    return unread


def _twice(first: TestCase, second: TestCase) -> SourceError:
    given = second.id != digest_of(second.inputs)[:12]
    alike = f"the id {shown(second.id)}" if given else "the same inputs and no ids"
    what = f"two cases have {alike} ({first.where} and {second.where})"
    return SourceError(what, where=second.where, hint="give each its own id, or remove one")
