"""Calibrates a lineage's judge before a run. Its grades decide only if they agree with people's."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.doubts.judge_probes import probe, salt_of
from engine.planning.plan import Plan, with_evaluator
from engine.readers.labels import read_labels
from engine.render.calibration_text import disagreement
from engine.runner.access import Access
from engine.runner.budget import SpendingCap
from engine.runner.calls import Calls
from engine.runner.experiment import Endpoint, asked_of
from engine.runner.failures import unreached_judge
from engine.runner.retry import HOPELESS
from evaluators.calibration import calibrate, calibrate_pairs, labeled_case, pairs_of
from evaluators.generation import RubricJudge
from evaluators.judges import judge_of
from evaluators.pairwise import PairwiseJudge
from evaluators.registry import evaluator_for
from schemas.calibration import Calibration
from schemas.detection import LineageChange
from schemas.errors import BudgetExceeded, ConfigError, ProviderError
from schemas.outcomes import Arm, Completion, CompletionError, ErrorKind, Outcome
from schemas.ports import Clock, OutcomeStore
from schemas.prompts import Finding, Request
from schemas.rubrics import LabeledAnswer
from schemas.verdicts import Reason, ReasonCode, VerdictStatus


@dataclass(frozen=True)
class Graded:
    """A plan whose evaluator knows whether its judge gates."""

    plan: Plan
    calibration: Calibration | None = None
    """The judge's agreement with people. ``None`` if people graded no sample answers."""
    cost_usd: Decimal = Decimal(0)
    """Cost of the judge's new answers. Stored answers cost nothing."""
    stopped: Reason | None = None
    """Why the calibration failed. Then nothing is measured."""
    doubts: tuple[Reason, ...] = ()
    """Reasons from the judge's probes."""

    @property
    def judged(self) -> dict[str, object]:
        """The scorecard's fields about the judge's agreement with people."""
        found = self.calibration
        return {"judge": found, "judge_agreement": found and found.agreement}


async def calibrated(
    plan: Plan,
    change: LineageChange,
    *,
    access: Access,
    store: OutcomeStore,
    clock: Clock,
    budget_usd: Decimal | None,
    within: SpendingCap | None = None,
) -> Graded:
    """Lets the judge grade the sample answers that people graded. It gates only if it agrees with them.

    Its answers are stored, so a second run pays nothing. A judge that disagrees, or that has no sample answers, doesn't
    gate, and the plan warns about it. A failed calibration stops the lineage: without the judge, the gate would differ
    from the configured one.
    """
    if not change.judges or change.rubric is None:
        return Graded(plan)
    if change.judge_labels is None:
        return Graded(_doubted(plan, "people have not graded any sample answers yet"))
    calls = Calls(access, store, clock, SpendingCap(budget_usd, within=within), change.run)
    try:
        found = await compared(change, labels_of(change), calls, plan.judges)
    except ConfigError as mistake:
        return Graded(_doubted(plan, f"it could not be compared with people's grades: {mistake}"))
    except (BudgetExceeded, ProviderError) as error:
        return Graded(plan, None, calls.spent_usd, _unfinished(error, calls.tries.said(change.run)))
    why = "" if found.calibrated else disagreement(found)
    if change.config.pairwise and Arm.BASELINE not in plan.arms:
        why = "there is no other version to compare with"
    if why:
        return Graded(_doubted(plan, why), found, calls.spent_usd)
    gating = change.tests.cases if change.tests else ()
    # A new evaluator, because its version is part of the content digest: an approval must not survive a change of the
    # judge's role.
    evaluator = evaluator_for(
        change.config,
        change.judged_by,
        change.rubric,
        change.judges,
        cases=gating,
        scorer=change.scorer,
        scorers=plan.scorers,
        calibrated=True,
    )
    return Graded(with_evaluator(plan, evaluator, change.config), found, calls.spent_usd)


async def probed(
    graded: Graded,
    change: LineageChange,
    outcomes: Sequence[Outcome],
    *,
    access: Access,
    store: OutcomeStore,
    clock: Clock,
    budget_usd: Decimal | None,
) -> Graded:
    """Probes a gating judge alongside the answers that it graded, and returns reasons against its grades."""
    decides = any(spec.kind in ("dimension", "preference") and spec.gates for spec in graded.plan.evaluator.metrics)
    if not decides or change.judge_labels is None:
        return graded
    calls = Calls(access, store, clock, SpendingCap(budget_usd), change.run)
    doubts = await probe(change, graded.plan.judges, calls, outcomes, salt_of(graded.plan.digest))
    return dataclasses.replace(graded, doubts=doubts, cost_usd=graded.cost_usd + calls.spent_usd)


def labels_of(change: LineageChange) -> tuple[LabeledAnswer, ...]:
    """Returns the sample answers that people graded. Raises ConfigError for a line that can't be read."""
    assert change.rubric is not None
    path = change.config.judge.labels if change.config.judge else None
    return read_labels(path or "the labels", (change.judge_labels or "").encode(), change.rubric)


def samples_of(change: LineageChange, labels: Sequence[LabeledAnswer]) -> int:
    """Returns how many samples the judge is shown: answers, or pairs of answers to the same task."""
    return len(pairs_of(labels)) if change.config.pairwise else len(labels)


def grading_requests(change: LineageChange, labels: Sequence[LabeledAnswer]) -> list[list[tuple[Request, int]]]:
    """Returns the judges' requests about each sample answer or pair, with their repetitions."""
    judge = _judge(change)
    if isinstance(judge, RubricJudge):
        return [judge.requests(labeled_case(one), one.output) for one in labels]
    return [judge.requests(labeled_case(one), one.output, other.output) for one, other in pairs_of(labels)]


def _judge(change: LineageChange) -> RubricJudge | PairwiseJudge:
    assert change.rubric is not None
    return judge_of(change.config, change.rubric, change.judges, gates=True)


async def compared(
    change: LineageChange,
    labels: Sequence[LabeledAnswer],
    calls: Calls,
    judges: Sequence[Endpoint],
    on_graded: Callable[[], None] | None = None,
) -> Calibration:
    """Lets the judges grade the sample answers, and compares with people's. Calls ``on_graded`` after each sample.

    Raises BudgetExceeded or ProviderError if too many grades are missing to calibrate.
    """
    unanswered: list[tuple[CompletionError, str]] = []
    stops: list[BudgetExceeded | ProviderError] = []

    async def ask(request: Request, repetition: int) -> Completion | CompletionError:
        endpoint = asked_of(judges, request)
        assert endpoint is not None  # the requests are made from the same judges
        try:
            answer, _ = await calls.grade(request, repetition, endpoint)
        except (BudgetExceeded, ProviderError) as stop:
            stops.append(stop)
            # All answers are graded at once and from one budget, so the others would only fail in the same way.
            calls.end(stop)
            return CompletionError(kind=ErrorKind.CANCELLED, message=stop.what, attempts=0)
        if not isinstance(answer, CompletionError):
            return answer.completion
        unanswered.append((answer, request.origin))
        if answer.kind in HOPELESS:  # let calls in flight finish: a cancelled call has an unknown cost
            calls.end(unreached_judge(answer, endpoint.model.origin, change.run))
        return answer

    judge = _judge(change)
    if isinstance(judge, RubricJudge):
        found = await calibrate(judge, labels, ask, on_graded)
    else:
        found = await calibrate_pairs(judge, pairs_of(labels), ask, on_graded)
    if stops:
        raise stops[0]
    # Enough grades arrived to calibrate in spite of failures. Otherwise the failures are the reason to report.
    if unanswered and not found.calibrated:
        error, origin = unanswered[0]
        raise unreached_judge(error, origin, change.run, len(unanswered))
    return found


def _unfinished(error: BudgetExceeded | ProviderError, failed: str) -> Reason:
    budget = isinstance(error, BudgetExceeded)
    return Reason(
        code=ReasonCode.BUDGET if budget else ReasonCode.NOTHING_MEASURED,
        status=VerdictStatus.ERROR,
        sentence="Nothing was measured: the judge could not be compared with people's grades: "
        f"{error}{failed if budget else ''}.",
        fix=error.hint or "",
    )


def _doubted(plan: Plan, why: str) -> Plan:
    warning = Finding(
        what=f"the judge of {plan.lineage} doesn't decide: {why}",
        hint=f"grade sample answers with promptverdict judge label {plan.lineage}; judge calibrate says what is left",
    )
    return dataclasses.replace(plan, warnings=(*plan.warnings, warning))
