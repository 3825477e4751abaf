"""Outcomes in little memory: what goes in comes out, by case, arm and repetition."""

import random
from decimal import Decimal

from engine.runner.outcome_log import PLAIN, OutcomeLog, PlainRoom, by_case, opened
from schemas.outcomes import Arm, Cell, CompletionError, ErrorKind, EvaluatorFailure, Outcome, Score
from tests.run.laboratory import completion


def outcome(case, arm=Arm.BASELINE, repetition=0):
    lost = case % 7 == 3
    return Outcome(
        cell=Cell(case=case, arm=arm, repetition=repetition),
        result=CompletionError(kind=ErrorKind.TIMEOUT, message="ü") if lost else completion(f"answer {case}"),
        scores=(Score(metric="a", value=case % 10 / 10), EvaluatorFailure(metric="b", message="no")),
        cost_usd=Decimal("0.00012300"),
    )


def test_what_goes_in_comes_out_in_order():
    cases = list(range(PLAIN // 2 + 1_000))
    random.Random(1).shuffle(cases)
    log = OutcomeLog(PlainRoom())
    for case in cases:
        for arm in (Arm.CANDIDATE, Arm.BASELINE):
            log.append(outcome(case, arm))
    assert len(log) == 2 * len(cases) > PLAIN
    cells = [(one.cell.case, one.cell.arm) for one in log]
    assert cells == [(case, arm) for case in range(len(cases)) for arm in Arm]
    assert log[8] == outcome(4)
    assert log[-1] == outcome(len(cases) - 1, Arm.CANDIDATE)
    assert log[6:8] == [outcome(3), outcome(3, Arm.CANDIDATE)]
    assert str(log[0].cost_usd) == "0.00012300"


def test_it_may_grow_after_it_was_read():
    log = OutcomeLog(PlainRoom())
    log.append(outcome(1))
    assert [one.cell.case for one in log] == [1]
    log.append(outcome(0))
    log.append(outcome(0, repetition=100))
    assert [(one.cell.case, one.cell.repetition) for one in log] == [(0, 0), (0, 100), (1, 0)]


def test_an_empty_log_is_empty():
    assert list(OutcomeLog(PlainRoom())) == []
    assert len(OutcomeLog(PlainRoom())) == 0


def test_experiments_share_the_room_of_plain_outcomes_and_a_small_one_is_opened_whole():
    room = PlainRoom(3)
    first, second = OutcomeLog(room), OutcomeLog(room)
    for log in (first, second):
        for case in (1, 0):
            log.append(outcome(case))
    assert [type(one) for log in (first, second) for one in log._items] == [Outcome, Outcome, Outcome, bytes]
    assert opened(second) == (outcome(0), outcome(1))


def test_outcomes_are_read_case_by_case_and_a_case_that_did_not_run_has_none():
    ran = [outcome(1), outcome(1, Arm.CANDIDATE), outcome(3)]
    assert list(by_case(iter(ran), 5)) == [[], ran[:2], [], ran[2:], []]
    assert list(by_case((), 2)) == [[], []]
