"""Random experiments as scorecards: the gate decides made-up answers, the card is put together as for real ones."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from hypothesis import strategies as st

from adapters.scorer.client import IsolatedScorers
from engine.doubts.calibrate import Graded
from engine.gate.cells import Observations
from engine.gate.design import design
from engine.gate.protocol import protocol
from engine.planning.plan import Plan
from engine.runner.experiment import ArmPlan, Endpoint, Experiment, ExperimentResult
from engine.scorecard.build_scorecard import measured_card
from engine.scorecard.build_scorecard import scorecard as assembled
from evaluators.registry import evaluator_for
from schemas.config import Budget, CommentPolicy, LineageConfig, Mode, RunConfig
from schemas.detection import LineageChange
from schemas.gate_config import Floor, GateConfig, Margins, SlicePolicy
from schemas.outcomes import (
    Arm,
    Cell,
    Completion,
    CompletionError,
    ErrorKind,
    Finish,
    MetricSpec,
    Outcome,
    Score,
    Usage,
)
from schemas.scorecard import CommitRef, Scorecard, Spending
from schemas.testsets import TestCase
from schemas.use_cases import UseCase
from tests.gate.play import chance, steady_history
from tests.render.scorecards import BASE, HEAD
from tests.run.laboratory import MODEL, PRICE

LABELS = ("billing", "refunds", "access")
SLICES = ("typical", "edge", "adversarial", "rare")
GATES = (
    GateConfig(),
    GateConfig(max_cost_increase=None, floor=Floor(overall=0.8, slices={"edge": 0.7})),
    GateConfig(slices={"typical": SlicePolicy.MUST_PASS, "edge": SlicePolicy.WATCH}),
    GateConfig(mode="fixed", margin=Margins(overall=0.2)),
    GateConfig(margin=Margins(overall=0.3, slice=0.3)),
)
ARMS = (Arm.BASELINE, Arm.CANDIDATE)


class Answers:
    """What both arms say: a label by chance, right with ``level`` less ``drop``; now and then nothing."""

    def __init__(self, made: Made, cases: tuple[TestCase, ...], identical: tuple[bool, ...]) -> None:
        self.seed, self.level, self.drop, self.missing = made.seed, made.level, made.drop, made.missing
        self.cases, self.identical = cases, identical
        self.outcomes: list[Outcome] = []

    def outcome(self, case: int, arm: int, repetition: int) -> Outcome:
        cell = Cell(case=case, arm=ARMS[arm], repetition=repetition)
        arm = 0 if self.identical[case] else arm  # the store answers the same request the same
        if chance(f"missing {self.seed}", case, arm, repetition) < self.missing:
            return Outcome(cell=cell, result=CompletionError(kind=ErrorKind.TIMEOUT, message="no answer"))
        expected = self.cases[case].expected
        right = chance(self.seed, case, arm, repetition) < self.level - self.drop * arm
        said = expected if right else LABELS[(LABELS.index(str(expected)) + 1) % 3]
        usage = Usage(input=100 + 7 * arm + case % 5, output=5)
        result = Completion(text=str(said), finish=Finish.STOP, usage=usage, model="m", latency_s=1.0)
        return Outcome(
            cell=cell, result=result, scores=(Score(metric="label", value=float(right), answer=str(said)),), made_at=0.0
        )

    def observe(self, batch) -> Observations:
        cells = zip(batch.cases.tolist(), batch.arms.tolist(), batch.repetitions.tolist(), strict=True)
        given = [self.outcome(*cell) for cell in cells]
        self.outcomes += given
        missing = np.array([isinstance(one.result, CompletionError) for one in given], dtype=bool)
        numbers = [
            (np.nan,) * 5
            if isinstance(one.result, CompletionError)
            else (one.scores[0].value, one.result.usage.input, 5.0, one.result.usage.input * 1e-6, 1.0)
            for one in given
        ]
        scores, tokens_in, tokens_out, usd, seconds = np.array(numbers).reshape(len(given), 5).T
        forbidden, made_at = np.zeros(len(given), dtype=bool), np.zeros(len(given))
        return Observations(scores[:, None], missing, forbidden, tokens_in, tokens_out, usd, seconds, made_at)


@dataclass(frozen=True)
class Made:
    """One classification of up to 90 cases."""

    cases: int
    seed: int
    level: float
    drop: float
    missing: float
    gate: int
    few: bool
    """Some cases are protected, some are added by the head."""
    unchanged: bool
    """A quarter of the requests is the same in both arms."""
    history: bool
    paired: bool

    def scorecard(self) -> Scorecard:
        n = self.cases
        cases = tuple(
            TestCase(
                id=f"c{i}",
                inputs={"ticket": str(i)},
                expected=LABELS[i % 3],
                slices=(SLICES[int(chance("slice", self.seed, i, 0) ** 2 * 4)],),
                protected=self.few and i % 17 == 3,
            )
            for i in range(n)
        )
        identical = tuple(self.unchanged and self.paired and i % 4 == 1 for i in range(n))
        plan = design(
            [case.id for case in cases],
            [case.slices for case in cases],
            clusters=[None] * n,
            protected=[case.protected for case in cases],
            metrics=(MetricSpec(name="label"),),
            identical=identical,
            gate=GATES[self.gate],
            digest=f"{self.seed:064x}",
            history=steady_history(n) if self.history else None,
            added=[self.few and i > 3 and i % 13 == 5 for i in range(n)],
            paired=self.paired,
            flips=199,
        )
        return _card(plan, Answers(self, cases, identical), cases, GATES[self.gate])


experiments = st.builds(
    Made,
    cases=st.integers(4, 90),
    seed=st.integers(0, 10**6),
    level=st.sampled_from((0.0, 0.5, 0.8, 0.95, 1.0)),
    drop=st.sampled_from((-0.2, 0.0, 0.05, 0.2, 0.5)),
    missing=st.sampled_from((0.0, 0.0, 0.01, 0.1, 1.0)),
    gate=st.integers(0, len(GATES) - 1),
    few=st.booleans(),
    unchanged=st.booleans(),
    history=st.booleans(),
    paired=st.sampled_from((True, True, True, True, True, True, True, False)),
)


def _card(plan, answers: Answers, cases, gate: GateConfig) -> Scorecard:
    conversation, given = protocol(plan), None
    while True:
        try:
            batch = next(conversation) if given is None else conversation.send(given)
        except StopIteration as end:
            decision = end.value
            break
        given = answers.observe(batch)
    # In each third experiment the pull request changes the model too.
    before = MODEL.model_copy(update={"model": "another"}) if len(cases) % 3 == 0 else MODEL
    arms = {
        arm: ArmPlan(Endpoint(before if arm is Arm.BASELINE else MODEL, PRICE), [None] * len(cases))
        for arm in ARMS[0 if plan.paired else 1 :]
    }
    added, identical = tuple(plan.added.tolist()), tuple(plan.identical.tolist())
    config = LineageConfig(use_case=UseCase.CLASSIFICATION, prompt="p.md", labels=LABELS)
    evaluator = evaluator_for(config, None, None, None, cases=cases)
    planned = Plan("triage", "toy", cases, added, arms, identical, evaluator, (), gate, "d" * 64, IsolatedScorers(), {})
    change = LineageChange(
        name="triage",
        root="",
        config=config,
        models=(),
        gate=gate,
        run=RunConfig(),
        budget=Budget(),
        baseline=None,
        candidate=None,
    )
    experiment = Experiment("triage", "toy", cases, arms, evaluator, lambda: protocol(plan))
    outcomes = sorted(answers.outcomes, key=lambda outcome: (outcome.cell.case, outcome.cell.arm is Arm.CANDIDATE))
    result = ExperimentResult(experiment, decision, outcomes, Spending(planned=decision.planned))
    return assembled(
        base=CommitRef(ref="main", sha=BASE),
        merge_base=BASE,
        head=CommitRef(ref="head", sha=HEAD),
        mode=Mode.ENFORCE,
        comment=CommentPolicy.ALWAYS,
        cards=[measured_card(change, Graded(planned), result)],
        reasons=(),
        warnings=(),
        budget_usd=Decimal(5),
    )
