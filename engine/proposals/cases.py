"""Proposes cases: inputs of answers that people graded badly and that the test set doesn't contain yet."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue

from engine.new_cases.similar import repeated
from engine.proposals.answers import JudgedAnswer
from schemas.testsets import Source, TestCase, TestSet

KNOWN_FAILURE = "known_failure"
MOST = 20


def proposed_cases(answers: Sequence[JudgedAnswer], tests: TestSet) -> list[dict[str, JsonValue]]:
    """Returns at most ``MOST`` cases as a test set contains them. None repeats another one."""
    known: list[TestCase] = [*tests.cases, *tests.unverified]
    shapes = {frozenset(case.inputs) for case in known}
    found: list[dict[str, JsonValue]] = []
    for one in answers:
        case = one.case
        if not (one.fails and one.by_person) or frozenset(case.inputs) not in shapes or repeated(case.inputs, known):
            continue
        known.append(case)
        new: dict[str, JsonValue] = {"id": case.id, "inputs": case.inputs}
        if case.expected is not None:
            new["expected"] = case.expected
        found.append(new | {"slice": KNOWN_FAILURE, "source": Source.TEAM.value})
    return found[:MOST]
