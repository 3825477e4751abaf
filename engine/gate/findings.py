"""Findings for and against a candidate, as reasons with their sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from engine.gate import reason_text
from engine.gate.cells import BASELINE, CANDIDATE
from engine.gate.effects import planned_changes, scores_nothing
from engine.gate.floors import FloorEffect, FloorResult, floors
from engine.gate.state import ComparisonState, GuardEffect, GuardResult
from schemas.effects import CostEffect, Effect, LatencyEffect, LimitResult
from schemas.gate_config import SlicePolicy
from schemas.verdicts import Reason, ReasonCode, VerdictStatus

BLOCKED, ERROR = VerdictStatus.BLOCKED, VerdictStatus.ERROR
NEEDS_REVIEW, INCONCLUSIVE = VerdictStatus.NEEDS_REVIEW, VerdictStatus.INCONCLUSIVE
APPROVED = VerdictStatus.APPROVED


def of_cells(state: ComparisonState) -> list[Reason]:
    """Returns an error if too many cells are missing."""
    if not state.too_much_missing():
        return []
    gaps, asked = state.ledger.gaps().sum(axis=(1, 2)), state.ledger.asked.sum(axis=(1, 2))
    sentence = reason_text.missing_cells([int(g) for g in gaps], [int(a) for a in asked])
    cases = np.flatnonzero(state.ledger.gaps().any(axis=(0, 2)))
    return [Reason(code=ReasonCode.MISSING_CELLS, status=ERROR, sentence=sentence, cases=_ids(state, cases.tolist()))]


def of_doubt(state: ComparisonState, test: str) -> Reason:
    """Returns an error: ``test`` might block if the few missing cells were known."""
    sentence = reason_text.missing_doubt(state.ledger.missing(), test)
    return Reason(code=ReasonCode.MISSING_CELLS, status=ERROR, sentence=sentence, look=state.look)


def of_effects(state: ComparisonState, shown: Sequence[Effect]) -> list[Reason]:
    """Returns what the block test and the approve bounds say about each hypothesis."""
    found = []
    planned = planned_changes(state)
    for k, (h, effect) in enumerate(zip(state.design.hypotheses, shown, strict=True)):
        # The decision uses planned runs only. Replicates were chosen by what was seen and would bias the estimate.
        fall = planned[k]
        metric = effect.metric if h.metric else None
        p = float(state.result.p[k]) if state.result is not None else None
        if state.blocking[k]:
            code, status, sentence = ReasonCode.DROP, BLOCKED, reason_text.drop(effect, metric)
        # Such a hypothesis can block, but approval doesn't need it.
        elif not h.certifies:
            continue
        elif not h.cases:
            code, status, sentence = ReasonCode.NO_CASES, INCONCLUSIVE, reason_text.no_cases(h.slice)
        elif state.certified[k]:
            code, status, sentence = ReasonCode.NO_DROP, APPROVED, reason_text.no_drop(effect, metric)
        elif fall is not None and fall <= -h.margin:
            code, status, sentence = ReasonCode.ESTIMATED_DROP, NEEDS_REVIEW, reason_text.estimated_drop(effect, metric)
        else:
            code, status, sentence = ReasonCode.INCONCLUSIVE, INCONCLUSIVE, reason_text.inconclusive(effect, metric)
        found.append(
            Reason(
                code=code,
                status=status,
                sentence=sentence,
                slice=h.slice,
                metric=effect.metric,
                estimate=effect.change,
                interval=effect.interval,
                margin=h.margin,
                p=p,
                look=state.look,
                cases=_evidence(state, k) if status in (BLOCKED, NEEDS_REVIEW) else (),
            )
        )
    return found


def of_chance(state: ComparisonState, shown: Sequence[Effect]) -> list[Reason]:
    """Returns drops that the block test would call harm if there were nothing else to test.

    More tested slices mean a stricter test for each. Without this check, one more broken case elsewhere could turn a
    block into a pass. If fresh runs have already answered the signal, there are none.
    """
    if state.result is None or state.confirmed_runs:
        return []
    return [
        Reason(
            code=ReasonCode.ESTIMATED_DROP,
            status=NEEDS_REVIEW,
            sentence=reason_text.lone_drop(effect, effect.metric if h.metric else None, state.alpha),
            slice=h.slice,
            metric=effect.metric,
            estimate=effect.change,
            interval=effect.interval,
            margin=h.margin,
            p=float(state.result.alone[k]),
            look=state.look,
            cases=_evidence(state, k),
        )
        for k, (h, effect) in enumerate(zip(state.design.hypotheses, shown, strict=True))
        if state.result.alone[k] <= state.alpha
    ]


def of_failure(state: ComparisonState, shown: Sequence[Effect]) -> list[Reason]:
    """Returns a reason for review if the candidate scores at most the margin.

    If the baseline does too, the comparison can't show a drop.
    """
    overall = next((effect for effect in shown if effect.slice is None), None)
    if overall is None or not scores_nothing(state, CANDIDATE):
        return []
    both = scores_nothing(state, BASELINE)
    some = overall.candidate or (both and overall.baseline)
    sentence = reason_text.always_fails(both=both, nearly=bool(some))
    return [Reason(code=ReasonCode.ALWAYS_FAILS, status=NEEDS_REVIEW, sentence=sentence, metric=overall.metric)]


def of_absence(state: ComparisonState) -> list[Reason]:
    """Returns a reason for each slice that the policy names and that has no case. It was not judged, so it doesn't
    pass."""
    return [
        Reason(code=ReasonCode.NO_CASES, status=INCONCLUSIVE, sentence=reason_text.no_cases(h.slice), slice=h.slice)
        for h in state.design.hypotheses
        # Slices that must be certified report their absence with the other effects.
        if not h.cases and not h.certifies and h.metric == 0 and h.slice is not None
    ]


def broken_slices(state: ComparisonState) -> frozenset[str | None]:
    """Returns the must-pass and guarded slices that block."""
    must_pass = {h.slice for h in state.design.of_policy(SlicePolicy.MUST_PASS)}
    listed = {name for name, breaks in state.breaks.items() if name in must_pass and breaks.p <= state.case_level}
    return frozenset(listed | {guard.slice for guard in state.guards if guard.result is GuardResult.BREAKS})


def doubted_slices(state: ComparisonState) -> frozenset[str | None]:
    """Returns the slices judged by case that need review or were not decided."""
    listed = {h.slice for h in state.design.of_policy(SlicePolicy.MUST_PASS, SlicePolicy.WATCH)}
    guards = {
        guard.slice
        for guard in state.guards
        if guard.result in (GuardResult.MAY_BREAK, GuardResult.UNSURE, GuardResult.OPEN)
    }
    doubted = {reason.slice for reason in state.found if reason.code is ReasonCode.WATCH}
    return frozenset(guards | (listed & (doubted | {n for n, b in state.breaks.items() if b.possible})))


def of_must_pass(state: ComparisonState, shown: Sequence[Effect]) -> list[Reason]:
    """Returns reasons of must-pass slices: those that block, those that depend on missing cells, and those with too few
    confirmed breaks to block."""
    found = []
    for h in state.design.of_policy(SlicePolicy.MUST_PASS):
        breaks, name = state.breaks.get(h.slice), str(h.slice)
        if breaks is None:
            continue
        worse, broken = _ids(state, breaks.worse), _ids(state, breaks.broken)
        if breaks.p <= state.case_level:
            status, sentence = BLOCKED, reason_text.must_pass(name, h.cases, worse, broken)
        # Only the missing cells would block. That is an error to repeat, not a block and not a pass.
        elif breaks.worst_p <= state.case_level:
            found.append(of_doubt(state, reason_text.subject(h.slice)))
            continue
        elif broken:
            status, sentence = NEEDS_REVIEW, reason_text.must_pass_doubt(name, len(broken))
        else:
            continue
        reason = Reason(
            code=ReasonCode.MUST_PASS, status=status, sentence=sentence, slice=name, p=breaks.p, cases=broken or worse
        )
        found.append(_with_effect(reason, state, shown))
    return found


def of_guards(state: ComparisonState, shown: Sequence[Effect]) -> list[Reason]:
    """Returns reasons of guarded slices: those that break more often than the other cases, may do so, or depend on
    missing cells."""
    found = []
    for guard in state.guards:
        if guard.result is GuardResult.UNSURE:
            found.append(of_doubt(state, reason_text.subject(guard.slice)))
        elif guard.result in (GuardResult.BREAKS, GuardResult.MAY_BREAK) and guard.broken:
            found.append(
                _of_guard(state, shown, guard, BLOCKED if guard.result is GuardResult.BREAKS else NEEDS_REVIEW)
            )
    return found


def of_held_guards(state: ComparisonState, shown: Sequence[Effect]) -> list[Reason]:
    """Returns reasons of guarded slices that hold in spite of breaks. They name every broken case, whatever the
    verdict."""
    return [_of_guard(state, shown, g, APPROVED) for g in state.guards if g.result is GuardResult.HOLDS and g.broken]


def _of_guard(state: ComparisonState, shown: Sequence[Effect], guard: GuardEffect, status: VerdictStatus) -> Reason:
    cases = next(h.cases for h in state.design.of_policy(SlicePolicy.GUARD) if h.slice == guard.slice)
    ids = _ids(state, guard.broken)
    sentence = reason_text.guard(guard.slice, cases, ids, guard.changed, status)
    reason = Reason(code=ReasonCode.GUARD, status=status, sentence=sentence, slice=guard.slice, p=guard.p, cases=ids)
    return _with_effect(reason, state, shown)


def of_forbidden(state: ComparisonState) -> list[Reason]:
    """Returns a reason for review if confirmed breaks contain text that their case forbids."""
    broken = sorted({i for breaks in state.breaks.values() for i in breaks.broken if state.ledger.forbidden[i]})
    if not broken:
        return []
    ids = _ids(state, broken)
    sentence = reason_text.forbidden(ids)
    return [Reason(code=ReasonCode.FORBIDDEN, status=NEEDS_REVIEW, sentence=sentence, look=state.look, cases=ids)]


def _with_effect(reason: Reason, state: ComparisonState, shown: Sequence[Effect]) -> Reason:
    """Returns the reason with the measured effect of its slice."""
    effect = next(e for e in shown if e.slice == reason.slice)
    measured = {"metric": effect.metric, "estimate": effect.change, "interval": effect.interval, "look": state.look}
    return reason.model_copy(update=measured)


def of_protected(state: ComparisonState, broken: Sequence[int], possible: Sequence[int]) -> list[Reason]:
    """Returns reasons of protected cases that fail, or that may fail if missing cells were known."""
    ids = _ids(state, broken)
    if ids:
        sentence = reason_text.protected(ids)
        return [Reason(code=ReasonCode.PROTECTED, status=BLOCKED, sentence=sentence, look=state.look, cases=ids)]
    return [of_doubt(state, "a protected case")] if possible else []


def of_smoke(state: ComparisonState, failed: Sequence[int]) -> list[Reason]:
    """Returns the reason of a candidate that fails its first cases."""
    sentence = reason_text.smoke(len(failed))
    return (
        [Reason(code=ReasonCode.SMOKE, status=BLOCKED, sentence=sentence, cases=_ids(state, failed))] if failed else []
    )


def of_watch(state: ComparisonState, hits: Mapping[str | None, Sequence[int]]) -> list[Reason]:
    """Returns a reason for each watched slice with confirmed breaks, and for broken cases that the head adds."""
    return [
        Reason(
            code=ReasonCode.WATCH,
            status=NEEDS_REVIEW,
            sentence=reason_text.watch(name, len(broken)),
            slice=name,
            look=state.look,
            cases=_ids(state, broken),
        )
        for name, broken in hits.items()
    ]


def of_cost(effect: CostEffect) -> list[Reason]:
    """Returns the reason of a cost limit that is broken or undecided."""
    # A limit that holds needs no sentence: the table shows the figure.
    if effect.limit is None or effect.result in (LimitResult.PASSES, LimitResult.NOT_GATED):
        return []
    estimate = {"estimate": effect.increase, "interval": effect.interval, "margin": effect.limit}
    if effect.result is LimitResult.FAILS:
        sentence = reason_text.cost(effect.increase, effect.limit)
        return [Reason(code=ReasonCode.COST, status=BLOCKED, sentence=sentence).model_copy(update=estimate)]
    measured = effect.result is LimitResult.TOO_FEW_CASES
    sentence = reason_text.cost_uncertain(effect.increase, effect.limit, measured=measured)
    reason = Reason(code=ReasonCode.COST_UNCERTAIN, status=INCONCLUSIVE, sentence=sentence)
    return [reason.model_copy(update=estimate)]


def of_latency(effect: LatencyEffect, limit: float, *, gating: bool) -> list[Reason]:
    """Returns the reason of a latency limit that is broken or undecided, if latency gates."""
    if not gating or effect.result is LimitResult.PASSES:
        return []
    # A limit that the data can't decide is inconclusive. Whether that passes is the policy's choice.
    certain = effect.result is LimitResult.FAILS
    sentence = reason_text.latency(effect.baseline_s, effect.candidate_s, limit, certain=certain)
    status = BLOCKED if certain else INCONCLUSIVE
    return [Reason(code=ReasonCode.LATENCY, status=status, sentence=sentence, p=effect.p, margin=limit)]


def of_floors(state: ComparisonState, shown: Sequence[Effect] = ()) -> list[Reason]:
    """Returns a reason for each floor. Its sentence names the slice's score in ``shown``."""
    scores = {effect.slice: effect.candidate for effect in reversed(shown)}  # the first metric wins
    return [_of_floor(effect, scores.get(effect.slice)) for effect in floors(state)]


def _of_floor(effect: FloorEffect, shown: float | None) -> Reason:
    estimate = effect.estimate if shown is None else shown
    if effect.estimate is None or estimate is None:
        status, sentence = INCONCLUSIVE, reason_text.no_cases(effect.slice)
    elif effect.result in (FloorResult.FAILS, FloorResult.BELOW):
        certain = effect.result is FloorResult.FAILS
        status = BLOCKED if certain else NEEDS_REVIEW
        sentence = reason_text.floor(effect.slice, estimate, effect.floor, certain=certain)
    elif effect.result is FloorResult.UNPROVEN:
        status, sentence = INCONCLUSIVE, reason_text.floor_unproven(effect.slice, effect.cases, effect.floor)
    else:
        status, sentence = APPROVED, reason_text.floor_holds(effect.slice, estimate, effect.floor)
    about = {"slice": effect.slice, "estimate": estimate, "margin": effect.floor}
    return Reason(code=ReasonCode.FLOOR, status=status, sentence=sentence).model_copy(update=about)


def _evidence(state: ComparisonState, k: int) -> tuple[str, ...]:
    h = state.design.hypotheses[k]
    worse = state.ledger.differences()[:, h.metric] < 0
    return _ids(state, np.flatnonzero(worse & state.design.inside(h.slice)).tolist())


def _ids(state: ComparisonState, cases: Sequence[int]) -> tuple[str, ...]:
    return tuple(state.design.ids[i] for i in sorted(cases))
