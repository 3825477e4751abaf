"""The record of an experiment, from which ``promptverdict decide`` decides it again. It has no text of a prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.planning.clusters import clusters_of
from engine.planning.requests import digests_of
from schemas.experiments import CaseHistory, CellOutcome, ExperimentCase, ExperimentRecord
from schemas.outcomes import Arm, Completion, Outcome, Score
from schemas.values import digest_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.planning.plan import Plan


def designed(plan: Plan, history: tuple[CaseHistory, ...] | None, *, lineages: int, new: bool) -> ExperimentRecord:
    """Returns the experiment before its first call. The gate's design is derived from this value alone.

    ``lineages`` is the number of experiments of the pull request. ``new`` says that the base has no version of the
    prompt.
    """
    return ExperimentRecord(
        lineage=plan.lineage,
        model=plan.model,
        content_digest=plan.digest,
        gate=plan.gate,
        metrics=plan.evaluator.metrics,
        cases=tuple(
            ExperimentCase(
                id=case.id,
                slices=case.slices,
                cluster=cluster,
                protected=case.protected,
                identical=identical,
                forbids=case.forbids,
                added=added,
                # Kept for the margins of single classes, which a replay needs too.
                label=case.expected if isinstance(case.expected, str) else None,
            )
            for case, cluster, identical, added in zip(
                plan.cases, clusters_of(plan), plan.identical, plan.added, strict=True
            )
        ),
        history=history,
        prompts=(_name(plan, Arm.BASELINE), _name(plan, Arm.CANDIDATE)),
        lineages=lineages,
        paired=Arm.BASELINE in plan.arms,
        new=new,
    )


def _name(plan: Plan, arm: Arm) -> str:
    sent = plan.arms.get(arm)
    return "" if sent is None else digest_of([*digests_of(sent.requests)])[:12]


def completed(experiment: ExperimentRecord, outcomes: Sequence[Outcome]) -> ExperimentRecord:
    """Returns the experiment with the result of every cell."""
    names = [metric.name for metric in experiment.metrics]
    return experiment.model_copy(update={"outcomes": tuple(_cell(outcome, names) for outcome in outcomes)})


def _cell(outcome: Outcome, names: Sequence[str]) -> CellOutcome:
    cell = outcome.cell
    key = {"case": cell.case, "arm": 0 if cell.arm is Arm.BASELINE else 1, "repetition": cell.repetition}
    if not isinstance(outcome.result, Completion):
        return CellOutcome.model_validate(key | {"scores": None})
    values = {score.metric: score.value for score in outcome.scores if isinstance(score, Score)}
    usage = outcome.result.usage
    return CellOutcome.model_validate(
        key
        | {
            "scores": tuple(values.get(name) for name in names),
            "forbidden": outcome.forbidden,
            "input_tokens": usage and usage.input,
            "output_tokens": usage and usage.output,
            # As in the run: without usage the cost is only a bound, unless the model is free.
            "cost_usd": None if usage is None and outcome.neutral_cost_usd else float(outcome.neutral_cost_usd),
            "latency_s": outcome.result.latency_s,
            "made_at": outcome.made_at,
        }
    )
