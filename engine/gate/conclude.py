"""Builds the decision at the end of a comparison."""

from __future__ import annotations

import numpy as np

from engine.gate import findings, reason_text
from engine.gate.case_results import case_results
from engine.gate.cost import careful_cost, cost_in_doubt, no_cost
from engine.gate.decision import Decision
from engine.gate.design import Design
from engine.gate.effects import effects
from engine.gate.latency import latency_effect, latency_gates, latency_in_doubt
from engine.gate.state import ComparisonState
from engine.gate.verdict import DECIDED, SEVERITY, combine
from schemas.effects import CostEffect, Effect, LatencyEffect, LimitResult
from schemas.scorecard import Confidence
from schemas.verdicts import Reason, ReasonCode, VerdictStatus

BREAKS = frozenset({ReasonCode.MUST_PASS, ReasonCode.GUARD, ReasonCode.PROTECTED})
"""Reasons whose sentences count broken cases."""


def nothing_measured(state: ComparisonState, code: ReasonCode, status: VerdictStatus, sentence: str) -> Decision:
    """Returns the decision of a comparison that made no call."""
    latency = LatencyEffect(baseline_s=None, candidate_s=None, pairs=0, p=None, result=LimitResult.NO_DATA)
    reason = Reason(code=code, status=status, sentence=sentence)
    return _decision(state, [reason], effects(state), no_cost(None), latency)


def conclude(state: ComparisonState) -> Decision:
    """Returns the decision on what was measured.

    When the verdict is decided (blocked or error), reasons about open questions are left out.
    """
    shown = effects(state, findings.broken_slices(state), findings.doubted_slices(state))
    cost, latency = careful_cost(state), latency_effect(state)
    found = [
        *findings.of_cells(state),
        *state.found,
        *findings.of_must_pass(state, shown),
        *findings.of_guards(state, shown),
        *findings.of_forbidden(state),
        *findings.of_effects(state, shown),
        *findings.of_failure(state, shown),
        *findings.of_absence(state),
        *findings.of_floors(state, shown),
        *findings.of_cost(cost),
        *findings.of_latency(latency, state.design.gate.max_latency_increase, gating=latency_gates(state)),
    ]
    # A limit that passes with the known cells may be broken by the missing ones.
    doubts = {"the cost": cost_in_doubt(state), "the latency": latency_in_doubt(state)}
    found += [findings.of_doubt(state, limit) for limit, doubt in doubts.items() if doubt]
    status = combine(reason.status for reason in found)
    # An inconclusive verdict may pass by policy. A drop that is significant by itself must not pass unseen.
    if status is VerdictStatus.INCONCLUSIVE and (falls := findings.of_chance(state, shown)):
        found, status = [*found, *falls], VerdictStatus.NEEDS_REVIEW
    # Reasons that can't change the verdict would only hide those that made it.
    kept = [r for r in found if r.status in DECIDED or _worth_saying(r.status, status)]
    kept += findings.of_held_guards(state, shown)
    return _decision(state, kept, shown, cost, latency)


def new_lineage(state: ComparisonState) -> Decision:
    """Returns the decision on a prompt without a baseline. Its floors decide; without floors it needs review."""
    cost, latency = careful_cost(state), latency_effect(state)
    shown = effects(state)
    found = [*findings.of_cells(state), *findings.of_floors(state, shown)]
    judged = any(r.code is ReasonCode.FLOOR for r in found)
    # A floor that fails has a reason of its own, so this reason only says that floors were asked.
    status = VerdictStatus.APPROVED if judged else VerdictStatus.NEEDS_REVIEW
    found.append(Reason(code=ReasonCode.NEW_LINEAGE, status=status, sentence=reason_text.new_lineage(floors=judged)))
    return _decision(state, found, shown, cost, latency)


def _broken(state: ComparisonState, found: list[Reason]) -> frozenset[int]:
    """Returns the cases whose confirmed break ended the run, or that a reason counts as broken.

    Single cases may be less certain than their sum. But a sentence that counts 7 broken cases must not stand above a
    list of 4.
    """
    counted = {case for reason in found if reason.code in BREAKS for case in reason.cases}
    return frozenset(state.smoked) | {case for case, name in enumerate(state.design.ids) if name in counted}


def _flip_rate(design: Design) -> float | None:
    """Returns the share of cases that differ between identical runs, of the first metric; ``None``: not known."""
    if design.history is None:
        return None
    # For pass and fail, two runs differ with chance 2·p·(1 − p), which is twice the variance.
    flips = 2 * design.history.variances[:, list(design.columns)[:1]]
    return None if np.isnan(flips).all() else float(np.nanmean(flips))


def _worth_saying(status: VerdictStatus, verdict: VerdictStatus) -> bool:
    if verdict in DECIDED:
        return False
    return status is not VerdictStatus.APPROVED or verdict is VerdictStatus.APPROVED


def _unproven(found: list[Reason]) -> list[Reason]:
    """Returns a reason for review unless a new prompt was shown to meet its floors. Nothing else approves a new
    prompt."""
    status = combine(reason.status for reason in found)
    shown = status is VerdictStatus.APPROVED and any(reason.code is ReasonCode.FLOOR for reason in found)
    if shown or status not in (VerdictStatus.APPROVED, VerdictStatus.INCONCLUSIVE):
        return []
    sentence = reason_text.new_unproven()
    return [Reason(code=ReasonCode.NEW_LINEAGE, status=VerdictStatus.NEEDS_REVIEW, sentence=sentence)]


def _decision(
    state: ComparisonState, found: list[Reason], shown: tuple[Effect, ...], cost: CostEffect, latency: LatencyEffect
) -> Decision:
    design, ledger = state.design, state.ledger
    # Without a base version, even a good comparison with a reference proves nothing about this prompt's own floor.
    found += _unproven(found) if design.new else []
    pairs = list(zip(design.hypotheses, shown, strict=True))
    # Cases without a call would make the mean number of repetitions look smaller.
    called = ~design.identical & (ledger.runs > 0)
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
        case_results=case_results(design, state.observed, _broken(state, found)),
        confidence=Confidence(
            looks=state.look,
            repetitions=float(ledger.runs[called].mean()) if called.any() else 0.0,
            flip_rate=_flip_rate(design),
            can_rule_out=None if lowest is None else max(-lowest, 0.0),
            hypotheses=len(design.hypotheses),
            # The parts for cases and guards overlap, so only the larger one is added.
            alpha=design.alpha + max(design.alpha_cases, design.alpha_guard),
        ),
        cells=ledger.cells,
        planned=len(ledger.arms) * int(design.repetitions[~design.identical].sum()),
        digest=design.digest,
    )
