"""Missing cells: what a comparison with gaps is decided by."""

import dataclasses
import itertools

import numpy as np
import pytest

from engine.gate import gaps
from engine.gate.cells import Batch
from engine.gate.gaps import with_gaps
from engine.gate.ledger import Ledger
from engine.gate.verdict import SEVERITY
from schemas.gate_config import GateConfig, Margins, SlicePolicy
from schemas.outcomes import MetricSpec
from schemas.verdicts import ReasonCode, VerdictStatus
from tests.gate.play import Answers, chance, plan_of, play

APPROVED, BLOCKED, ERROR = VerdictStatus.APPROVED, VerdictStatus.BLOCKED, VerdictStatus.ERROR
NEEDS_REVIEW, INCONCLUSIVE = VerdictStatus.NEEDS_REVIEW, VerdictStatus.INCONCLUSIVE
TYPICAL, EDGE, ADVERSARIAL, RARE = ("typical",), ("edge",), ("adversarial",), ("rare",)


def without(cell, score):
    """The same answers, but for one cell, which is missing."""
    return lambda case, arm, r: None if (case, arm, r) == cell else score(case, arm, r)


def luck(seed, case, arm, repetition):
    return chance(seed, f"c{case}", arm, min(repetition, 1000 + repetition % 1000))


# A state that a gap has changed for the better, found by a search


@pytest.mark.parametrize("cell", [(1, 0, 0), (1, 1, 0), (14, 1, 0)])
def test_runs_that_a_gap_buys_do_not_turn_a_block_into_a_pass(cell):
    """Without one of the cases that fall the gate runs the rest more often, and what looked certain is none any more."""
    names = (
        "typical adversarial rare adversarial adversarial adversarial edge edge typical rare edge edge rare edge rare"
    )
    slices = [(name, "extra") if i in (2, 3, 10) else (name,) for i, name in enumerate(names.split())]
    gate = GateConfig(margin=Margins(overall=0.5), max_cost_increase=None)
    plan = dataclasses.replace(plan_of(15, slices=slices, gate=gate, flips=199), alpha=0.025)  # at which it was found

    def score(case, arm, r):
        return float(luck(9, case, arm, r) < 0.7 - 0.35 * arm)

    assert play(plan, score)[0].status is BLOCKED
    gap, _ = play(plan, without(cell, score))
    assert (gap.status, [reason.code for reason in gap.reasons]) == (ERROR, [ReasonCode.MISSING_CELLS])
    assert gap.reasons[0].sentence == ("1 call gave no usable answer. The verdict depends on its answer.")


# What stands behind it, with conversations that are short enough to see it


class Script:
    """Comparisons that ask for some cells of 4 cases, and whose verdict is what ``verdict`` makes of their scores."""

    def __init__(self, verdict, *, cells=((0, 0, 0), (1, 0, 0)), more=lambda scores: (), metrics=1, gating=1):
        specs = tuple(MetricSpec(name=f"m{k}", gates=k < gating) for k in range(metrics))
        self.plan = plan_of(4, metrics=specs)
        self.basis, _ = play(plan_of(4), lambda case, arm, r: 1.0)
        self.verdict, self.cells, self.more, self.metrics = verdict, cells, more, metrics
        self.courses = []

    def begin(self, observed):
        seen = {}
        if observed is None:  # else a state is led again, for what is shown
            self.courses.append(seen)
        yield from self._ask(self.cells, seen)
        if more := self.more(seen):
            yield from self._ask(more, seen)
        status = self.verdict(seen)
        reasons = tuple(r.model_copy(update={"status": status}) for r in self.basis.reasons)
        return dataclasses.replace(self.basis, status=status, reasons=reasons)

    def _ask(self, cells, seen):
        table = np.array(cells)
        given = yield Batch(table[:, 0], table[:, 1].astype(np.int8), table[:, 2], "look")
        seen |= dict(zip(cells, given.scores[:, 0].tolist(), strict=True))

    def decide(self, score):
        """The decision, and the cells that were asked for."""
        conversation, asked, given = with_gaps(self.plan, self.begin), [], None
        while True:
            try:
                batch = next(conversation) if given is None else conversation.send(given)
            except StopIteration as end:
                return end.value, asked
            asked += list(zip(batch.cases.tolist(), batch.arms.tolist(), batch.repetitions.tolist(), strict=True))
            given = Answers(score)(batch, self.metrics)


def only(*cells):
    """Everything passes but these cells, which are missing."""
    return lambda case, arm, r: None if (case, arm, r) in cells else 1.0


def test_a_comparison_without_gaps_is_led_once():
    script = Script(lambda scores: INCONCLUSIVE)
    decision, asked = script.decide(only())
    assert (decision.status, len(script.courses)) == (INCONCLUSIVE, 1)
    assert asked == [(0, 0, 0), (1, 0, 0)]


@pytest.mark.parametrize("stricter_for", [0.0, 1.0])
def test_the_strictest_of_what_a_gap_may_have_been_stands(stricter_for):
    script = Script(lambda scores: NEEDS_REVIEW if scores[0, 0, 0] == stricter_for else INCONCLUSIVE)
    decision, asked = script.decide(only((0, 0, 0)))
    assert decision.status is NEEDS_REVIEW
    assert [reason.status for reason in decision.reasons] == [NEEDS_REVIEW]
    assert asked == [(0, 0, 0), (1, 0, 0)]


def test_a_decision_that_is_strict_enough_already_stays_as_it_is():
    script = Script(lambda scores: INCONCLUSIVE if np.isnan(scores[0, 0, 0]) else APPROVED)
    decision, _ = script.decide(only((0, 0, 0)))
    assert decision.status is INCONCLUSIVE


@pytest.mark.parametrize("status", [BLOCKED, ERROR])
def test_nothing_more_is_tried_where_it_is_decided(status):
    script = Script(lambda scores: status)
    assert script.decide(only((0, 0, 0)))[0].status is status
    assert len(script.courses) == 1


def test_what_would_block_for_some_answer_is_an_error():
    script = Script(lambda scores: BLOCKED if scores[0, 0, 0] == 1 else APPROVED)
    decision, _ = script.decide(only((0, 0, 0), (1, 0, 0)))
    assert (decision.status, len(decision.reasons)) == (ERROR, 1)
    assert decision.reasons[0].sentence == ("2 calls gave no usable answer. The verdict depends on their answers.")


def test_a_course_that_a_gap_hid_asks_for_what_is_new_in_it_and_nothing_twice():
    script = Script(lambda scores: APPROVED, more=lambda scores: ((0, 0, 0), (2, 1, 4)) if scores[0, 0, 0] == 1 else ())
    decision, asked = script.decide(only((0, 0, 0)))
    assert asked == [(0, 0, 0), (1, 0, 0), (2, 1, 4)]
    assert decision.cells == 3
    assert {(0, 0, 0): 1.0, (1, 0, 0): 1.0, (2, 1, 4): 1.0} in script.courses


FOUR = tuple((case, 0, 0) for case in range(4))


def filled(script):
    """What each state but the first saw, in the order of the script's cells."""
    return [tuple(state[cell] for cell in script.cells) for state in script.courses[1:]]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_few_gaps_are_filled_in_every_way_once(count):
    script = Script(lambda scores: APPROVED, cells=FOUR)
    script.decide(only(*FOUR[:count]))
    assert sorted(filled(script)) == sorted(
        (*some, *[1.0] * (4 - count)) for some in itertools.product((0.0, 1.0), repeat=count)
    )


def test_a_gap_that_only_another_course_meets_is_filled_in_every_way_too():
    script = Script(lambda scores: APPROVED, more=lambda scores: ((2, 0, 0),) if scores[0, 0, 0] == 1 else ())
    script.decide(only((0, 0, 0), (2, 0, 0)))
    assert [(c[0, 0, 0], c.get((2, 0, 0))) for c in script.courses[1:]] == [(0.0, None), (1.0, 1.0), (1.0, 0.0)]


def test_a_gap_may_have_scored_what_others_scored():
    """A judge's grades, say: what decides lies between the extremes."""
    script = Script(lambda scores: NEEDS_REVIEW if scores[0, 0, 0] == 0.25 else APPROVED, cells=FOUR)
    decision, _ = script.decide(lambda case, arm, r: (None, 0.25, 0.75, 1.0)[case])
    assert [way[0] for way in filled(script)] == [0, 1, 0.25, 0.75]
    assert decision.status is NEEDS_REVIEW


def test_scores_without_a_scale_are_filled_by_eighths():
    script = Script(lambda scores: APPROVED, cells=tuple((case, 0, r) for case in range(4) for r in range(3)))
    script.decide(lambda case, arm, r: None if case + r == 0 else 0.05 + 0.1 * (case * 3 + r) / 1.5)
    assert [way[0] for way in filled(script)] == [0, 1, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875]


def test_of_many_gaps_those_ways_come_first_in_which_they_are_all_alike():
    script = Script(lambda scores: APPROVED, cells=tuple((case, arm, 0) for case in range(4) for arm in (0, 1)))
    script.decide(only(*script.cells))
    assert [set(way) for way in filled(script)[:2]] == [{0.0}, {1.0}]
    assert len(set(filled(script))) == len(filled(script)) == 128


def test_a_large_comparison_is_tried_at_the_two_extremes(monkeypatch):
    monkeypatch.setattr(gaps, "EFFORT", 3)
    script = Script(lambda scores: APPROVED, cells=FOUR)
    script.decide(lambda case, arm, r: 0.5 if case else None)
    assert [way[0] for way in filled(script)] == [0, 1]


def test_only_what_gates_can_be_a_gap():
    assert len(_courses(lambda case, arm, r: (1.0, float("nan")))) == 1
    assert len(_courses(lambda case, arm, r: (float("nan"), 1.0) if case else (1.0, 1.0))) == 3


def test_the_other_scores_of_a_cell_stay_as_they_are():
    courses = _courses(lambda case, arm, r: (0.25, 7.0 if case else 0.5), gating=2)
    assert [state[1, 0, 0] for state in courses] == [0.25] * 5


def test_what_a_call_cost_stays_unknown_where_its_score_is_assumed():
    ledger = Ledger(plan_of(2))
    asked = ledger.first(np.arange(2), "look")
    given = Answers(lambda case, arm, r: 1.0)(asked, 1)
    given.missing[1] = True
    ledger.record(asked, given)
    assert not ledger.gaps().any()
    assert np.argwhere(ledger.unmeasured()).tolist() == [[1, 0, 0]]
    assert np.isnan(ledger.usage[:, 1, 0, 0]).all()


def _courses(score, gating=1):
    script = Script(lambda scores: APPROVED, metrics=2, gating=gating)
    script.decide(score)
    return script.courses


def test_for_passes_and_failures_a_gap_is_never_milder_than_the_whole():
    """Some of these comparisons are blocked, some need review, some can't tell. Every cell of the first look is taken
    away in turn. At worst a block is an error then."""
    before = set()
    for seed in range(4):
        gate = GateConfig(slices={"edge": SlicePolicy.MUST_PASS})
        plan = plan_of(8, slices=[ADVERSARIAL, *[EDGE] * 3, *[RARE] * 4], flips=99, digest=f"{seed:064d}", gate=gate)

        def score(case, arm, r, seed=seed):
            return float(luck(seed, case, arm, r) < 0.95 - 0.3 * seed * arm)

        whole, _ = play(plan, score)
        before.add(whole.status)
        for cell in itertools.product(range(8), (0, 1), (0,)):
            gap, _ = play(plan, without(cell, score))
            hangs = (whole.status, gap.status) == (BLOCKED, ERROR)
            assert hangs or SEVERITY.index(gap.status) <= SEVERITY.index(whole.status), (seed, cell)
    assert len(before) > 1
