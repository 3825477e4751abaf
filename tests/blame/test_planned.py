"""What a search is planned with: which cases, which parts, how many calls; and why there is none."""

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.blame.experiment import FIRST, TrialCells
from engine.blame.planned import CASES, OTHERS, BlamePlan, plan_blame
from engine.blame.trials import Trial
from engine.blame.units import units_of
from engine.pipeline import measure
from engine.planning.plan import ArmSource
from engine.records.replay import observations
from engine.runner.access import Access
from schemas.effects import CaseOutcome
from schemas.experiments import CellOutcome
from schemas.outcomes import Arm
from tests.blame.test_blame import EDITED, PATH, prepared, store, trusting  # noqa: F401
from tests.run.laboratory import HandClock, Scripted


class Renders:
    """Fills in nothing, so that every prompt can be filled in."""

    def render(self, jobs):
        return [job.messages for job in jobs]


@pytest.fixture
async def planned(tmp_path, store):  # noqa: F811
    what = prepared(tmp_path, {PATH: EDITED})
    access = Access(lambda model: Scripted(trusting), HandClock())
    card = await measure(what, access=access, store=store, clock=HandClock())
    (entry,) = what.entries
    return entry.change, entry.plan, card.lineages[0]


def test_confirmed_cases_with_the_largest_fall_come_first(planned):
    change, plan, card = planned
    cases = [
        case.model_copy(
            update={"result": CaseOutcome.REGRESSED, "confirmed": n % 2 == 0, "change": -n / 100}
            if n < 30
            else {"result": CaseOutcome.NO_CHANGE, "change": 0.0, "added": n == 59}
        )
        for n, case in enumerate(card.cases)
    ]
    found = plan_blame(change, plan, card.model_copy(update={"cases": tuple(cases)}), Renders(), Decimal(5))
    assert isinstance(found, BlamePlan)
    assert found.broken == tuple(range(28, 28 - 2 * CASES, -2))
    assert set(found.others) == set(range(30, 59))
    assert len(found.others) <= OTHERS
    assert found.calls == pytest.approx(float(found.cost_usd / found.each_usd))


def test_a_small_budget_takes_fewer_other_cases_and_then_fewer_broken_ones(planned):
    change, plan, card = planned
    sizes = []
    for cents in (50, 4, 3, 2, 1):
        found = plan_blame(change, plan, card, Renders(), Decimal(cents) / 100)
        if isinstance(found, BlamePlan):
            assert found.cost_usd <= found.cap_usd
            sizes.append((len(found.broken), len(found.others)))
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) > 1


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (lambda change, plan, card: (change.model_copy(update={"baseline": None}), plan, card), "no baseline"),
        (
            lambda change, plan, card: (change, replace(plan, arms={Arm.CANDIDATE: plan.arms[Arm.CANDIDATE]}), card),
            "no baseline",
        ),
        (lambda change, plan, card: (change, plan, card.model_copy(update={"cases": ()})), "No case is confirmed"),
        (
            lambda change, plan, card: (change.model_copy(update={"candidate": change.baseline}), plan, card),
            "don't differ",
        ),
    ],
)
def test_without_a_baseline_a_break_or_a_difference_nothing_is_searched(planned, edit, why):
    found = plan_blame(*edit(*planned), Renders(), Decimal(5))
    assert (found.result.value, found.budget_usd) == ("not_run", None)
    assert why in found.sentence


def cells(planned, units):
    _, plan, _ = planned
    return TrialCells(units, plan, (0, 1, 2), Renders())


def batches(table, trials):
    def search():
        given = yield trials
        assert [sorted(scores) for scores in given] == [
            sorted((case, run) for case in trial.cases for run in trial.runs) for trial in trials
        ]

    conversation = table.protocol(search())
    batch = next(conversation)
    size = len(batch)
    with pytest.raises(StopIteration) as end:
        conversation.send(observations([CellOutcome(case=0, arm=1, repetition=0, scores=(1.0,))] * size, 1))
    assert end.value.value is True
    return batch


def test_cases_with_the_same_request_get_answers_of_their_own(planned):
    _, plan, _ = planned
    change = planned[0]
    source = ArmSource(change.candidate, change.models[0].candidate)
    table = cells(planned, units_of(ArmSource(change.baseline, source.model), source))
    batch = batches(
        table, [Trial(frozenset({0}), (0, 1), range(2), "subsets"), Trial(frozenset(), (2,), range(1), "x")]
    )
    digests = [table.requests[case].digest for case in batch.cases]
    # `Renders` leaves the input out, so that all cases of a variant send one request
    assert len(set(digests)) == 2
    keys = list(zip(digests, batch.repetitions.tolist(), strict=True))
    assert len(keys) == len(set(keys)) == 5
    assert min(batch.repetitions) >= FIRST
    assert [table.cases[case].id for case in batch.cases] == [plan.cases[n].id for n in (0, 1, 2, 0, 1)]


def test_a_variant_that_reverts_the_model_runs_on_the_baselines_endpoint(planned):
    change = planned[0]
    small = change.models[0].candidate.model_copy(update={"model": "small"})
    units = units_of(ArmSource(change.baseline, change.models[0].candidate), ArmSource(change.baseline, small))
    table = cells(planned, units)
    batch = batches(table, [Trial(frozenset({0}), (0,), range(1), "x"), Trial(frozenset(), (0,), range(1), "x")])
    by_arm = {int(arm): table.requests[case].model for arm, case in zip(batch.arms, batch.cases, strict=True)}
    assert by_arm == {0: "offline-large", 1: "small"}
