"""Puts the decision together from everything that is known when the course ends."""

from __future__ import annotations

import numpy as np

from engine.gate import findings, words
from engine.gate.cost import careful_cost, cost_in_doubt, no_cost
from engine.gate.course import Course
from engine.gate.decision import Decision
from engine.gate.effects import effects
from engine.gate.latency import latency_effect, latency_gates, latency_in_doubt
from engine.gate.readings import readings
from engine.verdict import DECIDED, SEVERITY, combine
from schemas.scorecard import (
    CostEffect,
    Effect,
    LatencyEffect,
    Reason,
    ReasonCode,
    Sureness,
    VerdictStatus,
)


def nothing_measured(course: Course, code: ReasonCode, status: VerdictStatus, sentence: str) -> Decision:
    """A decision without any call."""
    latency = LatencyEffect(baseline_s=None, candidate_s=None, pairs=0, p=None, reading="no_data")
    reason = Reason(code=code, status=status, sentence=sentence)
    return _decision(course, [reason], effects(course), no_cost(None), latency)


def conclude(course: Course) -> Decision:
    """The decision on what was measured. Where something blocks, what was merely not shown yet is left out."""
    shown = effects(course, findings.broken_slices(course), findings.doubted_slices(course))
    cost, latency = careful_cost(course), latency_effect(course)
    found = [
        *findings.of_cells(course),
        *course.found,
        *findings.of_must_pass(course, shown),
        *findings.of_guards(course, shown),
        *findings.of_forbidden(course),
        *findings.of_effects(course, shown),
        *findings.of_failure(course, shown),
        *findings.of_absence(course),
        *findings.of_floors(course, shown),
        *findings.of_cost(cost),
        *findings.of_latency(latency, course.design.gate.max_latency_increase, gating=latency_gates(course)),
    ]
    doubts = {"the cost": cost_in_doubt(course), "the latency": latency_in_doubt(course)}
    found += [findings.of_doubt(course, limit) for limit, doubt in doubts.items() if doubt]
    status = combine(reason.status for reason in found)
    if status is VerdictStatus.UNDERPOWERED and (falls := findings.of_chance(course, shown)):
        found, status = [*found, *falls], VerdictStatus.NEEDS_REVIEW
    kept = [r for r in found if r.status in DECIDED or _worth_saying(r.status, status)]
    kept += findings.of_held_guards(course, shown)
    return _decision(course, kept, shown, cost, latency)


def new_lineage(course: Course) -> Decision:
    """A prompt without a baseline: its floors decide, and without floors a person."""
    cost, latency = careful_cost(course), latency_effect(course)
    shown = effects(course)
    found = [*findings.of_cells(course), *findings.of_floors(course, shown)]
    judged = any(r.code is ReasonCode.FLOOR for r in found)
    status = VerdictStatus.APPROVED if judged else VerdictStatus.NEEDS_REVIEW
    found.append(Reason(code=ReasonCode.NEW_LINEAGE, status=status, sentence=words.new_lineage(floors=judged)))
    return _decision(course, found, shown, cost, latency)


def _worth_saying(status: VerdictStatus, verdict: VerdictStatus) -> bool:
    if verdict in DECIDED:
        return False
    return status is not VerdictStatus.APPROVED or verdict is VerdictStatus.APPROVED


def _unproven(found: list[Reason]) -> list[Reason]:
    """A new prompt is approved by floors alone: shown to hold, not merely open."""
    status = combine(reason.status for reason in found)
    shown = status is VerdictStatus.APPROVED and any(reason.code is ReasonCode.FLOOR for reason in found)
    if shown or status not in (VerdictStatus.APPROVED, VerdictStatus.UNDERPOWERED):
        return []
    sentence = words.new_unproven()
    return [Reason(code=ReasonCode.NEW_LINEAGE, status=VerdictStatus.NEEDS_REVIEW, sentence=sentence)]


def _decision(
    course: Course, found: list[Reason], shown: tuple[Effect, ...], cost: CostEffect, latency: LatencyEffect
) -> Decision:
    design, ledger = course.design, course.ledger
    found += _unproven(found) if design.new else []
    pairs = list(zip(design.hypotheses, shown, strict=True))
    called = ~design.identical & (ledger.runs > 0)
    history = design.history
    flips = None if history is None else 2 * history.variances[:, list(design.columns)[:1]]
    overall = next((e for h, e in pairs if h.slice is None), None)
    lowest = overall.interval.low if overall is not None and overall.interval is not None else None
    return Decision(
        status=combine(reason.status for reason in found),
        reasons=tuple(sorted(found, key=lambda reason: SEVERITY.index(reason.status))),
        overall=overall,
        slices=tuple(e for h, e in pairs if h.slice is not None and h.metric == 0),
        metrics=tuple(e for h, e in pairs if h.slice is None) if len(design.metrics) > 1 else (),
        cost=cost,
        latency=latency,
        readings=readings(design, course.observed, course.smoked),
        sureness=Sureness(
            looks=course.look,
            repetitions=float(ledger.runs[called].mean()) if called.any() else 0.0,
            flip_rate=float(np.nanmean(flips)) if flips is not None and not np.isnan(flips).all() else None,
            can_rule_out=None if lowest is None else max(-lowest, 0.0),
            hypotheses=len(design.hypotheses),
            alpha=design.alpha + max(design.alpha_cases, design.alpha_guard),
        ),
        cells=ledger.cells,
        planned=len(ledger.arms) * int(design.repetitions[~design.identical].sum()),
        digest=design.digest,
    )
