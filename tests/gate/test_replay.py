"""A stored experiment is decided again offline, byte for byte."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from engine.gate.protocol import protocol
from engine.records.replay import converse, design_of, observations, replay
from schemas.errors import SourceError
from schemas.experiments import CaseHistory, CellOutcome, ExperimentCase, ExperimentRecord
from schemas.gate_config import Floor, GateConfig
from schemas.outcomes import MetricSpec
from schemas.verdicts import VerdictStatus
from tests.gate.play import chance


def experiment(n=80, *, history=True, paired=True, new=False):
    cases = tuple(
        ExperimentCase(
            id=f"c{i}",
            slices=("adversarial",) if i < 8 else ("typical",),
            protected=i == 20,
            added=i == n - 1,
            label="a" if i % 2 else "b",
            cluster="one" if i in (30, 31) else None,
        )
        for i in range(n)
    )
    past = CaseHistory(runs=9, means=(1.0,), variances=(0.0,))
    none = CaseHistory(runs=0)
    return ExperimentRecord(
        lineage="triage",
        model="offline",
        content_digest="ab" * 32,
        gate=GateConfig(floor=Floor(overall=0.2)),
        metrics=(MetricSpec(name="exact"),),
        cases=cases,
        history=tuple(none if i == 3 else past for i in range(n)) if history else None,
        paired=paired,
        new=new,
        flips=499,
    )


def answer(case, arm, repetition):
    broken = arm == 1 and case in (2, 50)
    return CellOutcome(
        case=case,
        arm=arm,
        repetition=repetition,
        scores=None
        if (case, arm, repetition) == (40, 1, 0)
        else (float(not broken and chance("r", case, arm, repetition) < 0.95),),
        cost_usd=0.001 + 0.0001 * arm,
        latency_s=1.0,
        made_at=1.0,
    )


def run(planned, answer=answer):
    """A live run that stores what it saw."""
    seen = []

    def live(batch):
        cells = [
            answer(*c) for c in zip(batch.cases.tolist(), batch.arms.tolist(), batch.repetitions.tolist(), strict=True)
        ]
        seen.extend(cells)
        return observations(cells, 1)

    decision = converse(protocol(design_of(planned)), live)
    return decision, planned.model_copy(update={"outcomes": tuple(seen)})


def as_bytes(decision):
    return json.dumps(
        asdict(decision), default=lambda v: v.model_dump(mode="json") if hasattr(v, "model_dump") else str(v)
    ).encode()


@pytest.mark.parametrize(("history", "paired"), [(True, True), (False, True), (False, False)])
def test_a_replay_gives_the_same_decision_byte_for_byte(history, paired):
    live, stored = run(experiment(history=history, paired=paired))
    again = ExperimentRecord.model_validate_json(stored.model_dump_json())
    assert as_bytes(replay(again)) == as_bytes(live)
    assert replay(again).cells == len(stored.outcomes)


def test_the_rule_for_new_prompts_is_replayed_too():
    def good(case, arm, repetition):
        return CellOutcome(case=case, arm=arm, repetition=repetition, scores=(1.0,))

    no_floor = {"gate": GateConfig()}
    live, stored = run(experiment(new=True).model_copy(update=no_floor), good)
    assert replay(ExperimentRecord.model_validate_json(stored.model_dump_json())) == live
    known, _ = run(experiment().model_copy(update=no_floor), good)
    assert (known.status, live.status) == (VerdictStatus.APPROVED, VerdictStatus.NEEDS_REVIEW)


def test_the_order_of_stored_outcomes_does_not_matter():
    live, stored = run(experiment())
    assert replay(stored.model_copy(update={"outcomes": stored.outcomes[::-1]})) == live


def test_an_outcome_that_is_missing_from_the_file_is_named():
    _, stored = run(experiment())
    short = stored.model_copy(update={"outcomes": stored.outcomes[:-1]})
    gone = stored.outcomes[-1]
    with pytest.raises(SourceError, match=f"no outcome for case 'c{gone.case}', (baseline|candidate), repetition"):
        replay(short)


def test_a_history_of_other_cases_is_refused():
    with pytest.raises(SourceError, match="80 cases, but its history has 79"):
        replay(experiment().model_copy(update={"history": experiment().history[:-1]}))


def test_missing_scores_stay_missing():
    cells = [
        CellOutcome(case=0, arm=0, repetition=0, scores=None),
        CellOutcome(case=0, arm=1, repetition=0, scores=(None,)),
    ]
    given = observations(cells, 1)
    assert given.missing.tolist() == [True, False]
    assert np.isnan(given.scores).all()


def test_another_policy_is_another_design():
    one = experiment()
    other = one.model_copy(update={"gate": GateConfig()})
    assert design_of(one).digest != design_of(other).digest
    assert design_of(one).digest == design_of(experiment()).digest
