"""What ``promptverdict plan`` says: what would run and why, with calls, tokens and USD by arm."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from schemas.config import Usd
from schemas.outcomes import Arm
from schemas.prompts import Finding
from schemas.scorecard import Change, Reason
from schemas.values import Value

if TYPE_CHECKING:
    from engine.pipeline import Entry, Prepared


class ArmReport(Value):
    """One run of every case whose request differs between the arms."""

    arm: Arm
    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: Usd
    """Expected."""
    worst_usd: Usd
    """If every answer were as long as its limit."""


class ExperimentReport(Value):
    """One lineage × one model."""

    lineage: str
    model: str
    cases: int
    identical: int
    """Cases whose request is the same in both arms: they need no call."""
    slices: dict[str, int]
    changes: tuple[Change, ...]
    arms: tuple[ArmReport, ...]
    reasons: tuple[Reason, ...]
    """What already speaks for a verdict, or why nothing can be measured."""
    warnings: tuple[Finding, ...]


class PlanReport(Value):
    """The whole plan. Nothing was spent to make it."""

    base: str
    merge_base: str | None
    head: str
    experiments: tuple[ExperimentReport, ...]
    unaffected: int
    cost_usd: Usd
    worst_usd: Usd
    budget_usd: Usd
    reasons: tuple[Reason, ...]
    warnings: tuple[Finding, ...]


def plan_report(prepared: Prepared) -> PlanReport:
    """Sums up what was prepared."""
    experiments = tuple(map(_experiment, prepared.entries))
    arms = [arm for experiment in experiments for arm in experiment.arms]
    detection = prepared.detection
    return PlanReport(
        base=prepared.pull_request.base_sha,
        merge_base=prepared.merge_base,
        head=prepared.pull_request.head_sha,
        experiments=experiments,
        unaffected=detection.unaffected,
        cost_usd=sum((arm.cost_usd for arm in arms), Decimal(0)),
        worst_usd=sum((arm.worst_usd for arm in arms), Decimal(0)),
        budget_usd=detection.budget_usd,
        reasons=detection.reasons,
        warnings=detection.warnings,
    )


def _experiment(entry: Entry) -> ExperimentReport:
    plan = entry.plan
    slices: dict[str, int] = {}
    for case in plan.cases if plan else ():
        for name in case.slices:
            slices[name] = slices.get(name, 0) + 1
    return ExperimentReport(
        lineage=entry.change.name,
        model=entry.model,
        cases=len(plan.cases) if plan else 0,
        identical=sum(plan.identical) if plan else 0,
        slices=slices,
        changes=entry.change.changes,
        arms=tuple(
            ArmReport(
                arm=arm,
                model=arm_plan.endpoint.model.model,
                calls=plan.estimates[arm].calls,
                input_tokens=plan.estimates[arm].input_tokens,
                output_tokens=plan.estimates[arm].output_tokens,
                cost_usd=plan.estimates[arm].cost_usd,
                worst_usd=plan.estimates[arm].worst_usd,
            )
            for arm, arm_plan in plan.arms.items()
        )
        if plan
        else (),
        reasons=(*entry.reasons, *entry.change.reasons),
        warnings=(*entry.change.warnings, *(plan.warnings if plan else ())),
    )
