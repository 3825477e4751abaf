"""Gives cases that disturb another one (``same_as``) its expectations."""

from __future__ import annotations

from collections.abc import Mapping

from engine.readers.bounded import nearest, shown
from schemas.errors import SourceError
from schemas.testsets import TestCase, TestSet


def with_originals(tests: TestSet) -> TestSet:
    """Returns the test set with each disturbed case's missing ``expected``, ``must`` and ``must_not`` filled in.

    Raises SourceError for a ``same_as`` that names no case, itself, or a case that has a ``same_as`` too.
    """
    if not any(case.same_as for case in tests.cases):
        return tests
    by_id = {case.id: case for case in tests.cases}
    return tests.model_copy(update={"cases": tuple(_filled(case, by_id, tests.path) for case in tests.cases)})


def _filled(case: TestCase, by_id: Mapping[str, TestCase], path: str) -> TestCase:
    if case.same_as is None:
        return case
    original, where = by_id.get(case.same_as), case.where or path
    if original is None:
        what = f"same_as names no case: {shown(case.same_as, 60)}"
        near = nearest(case.same_as, by_id)
        raise SourceError(what, where=where, hint=f"did you mean {near}?" if near else "name the id of another case")
    if original is case:
        raise SourceError("same_as names the case itself", where=where, hint="name the case without the noise")
    if original.same_as is not None:
        what = f"same_as names {shown(case.same_as, 60)}, which has a same_as of its own"
        raise SourceError(what, where=where, hint=f"name {shown(original.same_as, 60)} instead")
    inherited = {
        "expected": original.expected if case.expected is None else case.expected,
        "must": case.must or original.must,
        "must_not": case.must_not or original.must_not,
    }
    return case.model_copy(update=inherited)
