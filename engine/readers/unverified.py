"""Sets cases aside that no person has confirmed (``verified: false``): they must never decide anything."""

from __future__ import annotations

from collections.abc import Sequence

from engine.readers.bounded import shown, within_limit
from schemas.prompts import Finding
from schemas.testsets import TestCase, TestSet

NAMED = 5
"""Most ids that the warning names."""
CONFIRM = "check their expectations, then run promptverdict tests confirm"


def without_unverified(tests: TestSet) -> TestSet:
    """Returns the test set with its unverified cases in ``unverified`` instead of ``cases``, and a warning about them.

    A case that repeats an unverified one (``same_as``) takes its expectation, so it is unverified too.
    """
    doubtful = {case.id for case in tests.cases if not case.verified}
    if not doubtful:
        return tests
    aside = tuple(
        case.model_copy(update={"verified": False})
        for case in tests.cases
        if case.id in doubtful or case.same_as in doubtful
    )
    names = {case.id for case in aside}
    return tests.model_copy(
        update={
            "cases": tuple(case for case in tests.cases if case.id not in names),
            "unverified": aside,
            "warnings": within_limit([unverified_finding(aside, tests.path), *tests.warnings]),
        }
    )


def unverified_finding(aside: Sequence[TestCase], path: str) -> Finding:
    """Returns the warning that names unverified cases."""
    one = len(aside) == 1
    names = ", ".join(shown(case.id, 40) for case in aside[:NAMED])
    more = f" and {len(aside) - NAMED} more" if len(aside) > NAMED else ""
    count = "1 case is" if one else f"{len(aside)} cases are"
    what = f"{count} unverified and {'is' if one else 'are'} not measured: {names}{more}"
    return Finding(what=what, where=aside[0].where or path, hint=CONFIRM)
