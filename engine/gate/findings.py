"""What speaks for and against a candidate, as reasons in data with their sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from engine.gate import words
from engine.gate.course import Course, GuardEffect
from engine.gate.effects import fails_everywhere, planned_changes
from engine.gate.floors import FloorEffect, floors
from schemas.config import SlicePolicy
from schemas.scorecard import CostEffect, Effect, LatencyEffect, Reason, ReasonCode, VerdictStatus

BLOCKED, ERROR = VerdictStatus.BLOCKED, VerdictStatus.ERROR
NEEDS_REVIEW, UNDERPOWERED = VerdictStatus.NEEDS_REVIEW, VerdictStatus.UNDERPOWERED
APPROVED = VerdictStatus.APPROVED


def of_cells(course: Course) -> list[Reason]:
    """An error where too many cells are missing."""
    if not course.too_much_missing():
        return []
    gaps, asked = course.ledger.gaps().sum(axis=(1, 2)), course.ledger.asked.sum(axis=(1, 2))
    sentence = words.missing_cells([int(g) for g in gaps], [int(a) for a in asked])
    cases = np.flatnonzero(course.ledger.gaps().any(axis=(0, 2)))
    return [Reason(code=ReasonCode.MISSING_CELLS, status=ERROR, sentence=sentence, cases=_ids(course, cases.tolist()))]


def of_doubt(course: Course, test: str) -> Reason:
    """An error where the few cells that are missing could hide a block."""
    sentence = words.missing_doubt(course.ledger.missing(), test)
    return Reason(code=ReasonCode.MISSING_CELLS, status=ERROR, sentence=sentence, look=course.look)


def of_effects(course: Course, shown: Sequence[Effect]) -> list[Reason]:
    """What the block test and the approve bounds say about each hypothesis."""
    found = []
    planned = planned_changes(course)
    for k, (h, effect) in enumerate(zip(course.design.hypotheses, shown, strict=True)):
        fall = planned[k]
        metric = effect.metric if h.metric else None
        p = float(course.result.p[k]) if course.result is not None else None
        if course.blocking[k]:
            code, status, sentence = ReasonCode.DROP, BLOCKED, words.drop(effect, metric)
        elif not h.certifies:
            continue
        elif not h.cases:
            code, status, sentence = ReasonCode.NO_CASES, UNDERPOWERED, words.no_cases(h.slice)
        elif course.certified[k]:
            code, status, sentence = ReasonCode.NO_DROP, APPROVED, words.no_drop(effect, metric)
        elif fall is not None and fall <= -h.margin:
            code, status, sentence = ReasonCode.ESTIMATED_DROP, NEEDS_REVIEW, words.estimated_drop(effect, metric)
        else:
            code, status, sentence = ReasonCode.UNDERPOWERED, UNDERPOWERED, words.underpowered(effect, metric)
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
                look=course.look,
                cases=_evidence(course, k) if status in (BLOCKED, NEEDS_REVIEW) else (),
            )
        )
    return found


def of_chance(course: Course, shown: Sequence[Effect]) -> list[Reason]:
    """Falls that the block test would have called harm, had there been nothing else to test. With more cases elsewhere
    there is more to answer for; without this a broken case more could make a block pass. Not where fresh runs have
    answered the signal."""
    if course.result is None or course.locked:
        return []
    return [
        Reason(
            code=ReasonCode.ESTIMATED_DROP,
            status=NEEDS_REVIEW,
            sentence=words.lone_drop(effect, effect.metric if h.metric else None, course.alpha),
            slice=h.slice,
            metric=effect.metric,
            estimate=effect.change,
            interval=effect.interval,
            margin=h.margin,
            p=float(course.result.alone[k]),
            look=course.look,
            cases=_evidence(course, k),
        )
        for k, (h, effect) in enumerate(zip(course.design.hypotheses, shown, strict=True))
        if course.result.alone[k] <= course.alpha
    ]


def of_failure(course: Course, shown: Sequence[Effect]) -> list[Reason]:
    """Both arms score nothing at all in planned runs: what can't fall says nothing about the candidate."""
    overall = next((effect for effect in shown if effect.slice is None), None)
    if overall is None or not fails_everywhere(course):
        return []
    sentence = words.always_fails(nearly=bool(overall.baseline or overall.candidate))
    return [Reason(code=ReasonCode.ALWAYS_FAILS, status=UNDERPOWERED, sentence=sentence, metric=overall.metric)]


def of_absence(course: Course) -> list[Reason]:
    """Slices that the policy names and that have no case: not judged, so not passed."""
    return [
        Reason(code=ReasonCode.NO_CASES, status=UNDERPOWERED, sentence=words.no_cases(h.slice), slice=h.slice)
        for h in course.design.hypotheses
        if not h.cases and not h.certifies and h.metric == 0 and h.slice is not None
    ]


def broken_slices(course: Course) -> frozenset[str | None]:
    """Must-pass and guarded slices that block."""
    must_pass = {h.slice for h in course.design.of_policy(SlicePolicy.MUST_PASS)}
    listed = {name for name, breaks in course.breaks.items() if name in must_pass and breaks.p <= course.case_level}
    return frozenset(listed | {guard.slice for guard in course.guards if guard.reading == "breaks"})


def doubted_slices(course: Course) -> frozenset[str | None]:
    """Slices judged by case that a person should look at, or that were not decided."""
    listed = {h.slice for h in course.design.of_policy(SlicePolicy.MUST_PASS, SlicePolicy.WATCH)}
    guards = {guard.slice for guard in course.guards if guard.reading in ("may_break", "unsure", "open")}
    doubted = {reason.slice for reason in course.found if reason.code is ReasonCode.WATCH}
    return frozenset(guards | (listed & (doubted | {n for n, b in course.breaks.items() if b.possible})))


def of_must_pass(course: Course, shown: Sequence[Effect]) -> list[Reason]:
    """Must-pass slices that block, that missing cells leave open, or whose confirmed breaks are too few to block."""
    found = []
    for h in course.design.of_policy(SlicePolicy.MUST_PASS):
        breaks, name = course.breaks.get(h.slice), str(h.slice)
        if breaks is None:
            continue
        worse, broken = _ids(course, breaks.worse), _ids(course, breaks.broken)
        if breaks.p <= course.case_level:
            status, sentence = BLOCKED, words.must_pass(name, h.cases, worse, broken)
        elif breaks.worst_p <= course.case_level:
            found.append(of_doubt(course, words.subject(h.slice)))
            continue
        elif broken:
            status, sentence = NEEDS_REVIEW, words.must_pass_doubt(name, len(broken))
        else:
            continue
        reason = Reason(
            code=ReasonCode.MUST_PASS, status=status, sentence=sentence, slice=name, p=breaks.p, cases=broken or worse
        )
        found.append(_with_effect(reason, course, shown))
    return found


def of_guards(course: Course, shown: Sequence[Effect]) -> list[Reason]:
    """Guarded slices whose cases break more often than the others, that may, or that missing cells leave open."""
    found = []
    for guard in course.guards:
        if guard.reading == "unsure":
            found.append(of_doubt(course, words.subject(guard.slice)))
        elif guard.reading in ("breaks", "may_break") and guard.broken:
            found.append(_of_guard(course, shown, guard, BLOCKED if guard.reading == "breaks" else NEEDS_REVIEW))
    return found


def of_held_guards(course: Course, shown: Sequence[Effect]) -> list[Reason]:
    """Guarded slices that hold in spite of breaks: every one of these cases is named, whatever the verdict is."""
    return [_of_guard(course, shown, g, APPROVED) for g in course.guards if g.reading == "holds" and g.broken]


def _of_guard(course: Course, shown: Sequence[Effect], guard: GuardEffect, status: VerdictStatus) -> Reason:
    cases = next(h.cases for h in course.design.of_policy(SlicePolicy.GUARD) if h.slice == guard.slice)
    ids = _ids(course, guard.broken)
    sentence = words.guard(guard.slice, cases, ids, guard.changed, status)
    reason = Reason(code=ReasonCode.GUARD, status=status, sentence=sentence, slice=guard.slice, p=guard.p, cases=ids)
    return _with_effect(reason, course, shown)


def of_forbidden(course: Course) -> list[Reason]:
    """Cases that broke for good, with an answer that they forbid: a person should look, whatever else changed."""
    broken = sorted({i for breaks in course.breaks.values() for i in breaks.broken if course.ledger.forbidden[i]})
    if not broken:
        return []
    ids = _ids(course, broken)
    sentence = words.forbidden(ids)
    return [Reason(code=ReasonCode.FORBIDDEN, status=NEEDS_REVIEW, sentence=sentence, look=course.look, cases=ids)]


def _with_effect(reason: Reason, course: Course, shown: Sequence[Effect]) -> Reason:
    """The reason with what was measured of its slice."""
    effect = next(e for e in shown if e.slice == reason.slice)
    measured = {"metric": effect.metric, "estimate": effect.change, "interval": effect.interval, "look": course.look}
    return reason.model_copy(update=measured)


def of_protected(course: Course, broken: Sequence[int], possible: Sequence[int]) -> list[Reason]:
    """Protected cases that fail, or that may."""
    ids = _ids(course, broken)
    if ids:
        sentence = words.protected(ids)
        return [Reason(code=ReasonCode.PROTECTED, status=BLOCKED, sentence=sentence, look=course.look, cases=ids)]
    return [of_doubt(course, "a protected case")] if possible else []


def of_smoke(course: Course, failed: Sequence[int]) -> list[Reason]:
    """The candidate is broken outright."""
    sentence = words.smoke(len(failed))
    return (
        [Reason(code=ReasonCode.SMOKE, status=BLOCKED, sentence=sentence, cases=_ids(course, failed))] if failed else []
    )


def of_watch(course: Course, hits: Mapping[str | None, Sequence[int]]) -> list[Reason]:
    """Confirmed breaks in watched slices and among the cases that the head adds."""
    return [
        Reason(
            code=ReasonCode.WATCH,
            status=NEEDS_REVIEW,
            sentence=words.watch(name, len(broken)),
            slice=name,
            look=course.look,
            cases=_ids(course, broken),
        )
        for name, broken in hits.items()
    ]


def of_cost(effect: CostEffect) -> list[Reason]:
    """The cost limit."""
    if effect.limit is None or effect.reading in ("passes", "not_gated"):
        return []
    estimate = {"estimate": effect.increase, "interval": effect.interval, "margin": effect.limit}
    if effect.reading == "fails":
        sentence = words.cost(effect.increase, effect.limit)
        return [Reason(code=ReasonCode.COST, status=BLOCKED, sentence=sentence).model_copy(update=estimate)]
    sentence = words.cost_uncertain(effect.increase, effect.limit, measured=effect.reading == "cant_tell")
    reason = Reason(code=ReasonCode.COST_UNCERTAIN, status=UNDERPOWERED, sentence=sentence)
    return [reason.model_copy(update=estimate)]


def of_latency(effect: LatencyEffect, limit: float, *, gating: bool) -> list[Reason]:
    """The latency limit, where it gates."""
    if not gating or effect.reading == "passes":
        return []
    certain = effect.reading == "fails"
    sentence = words.latency(effect.baseline_s, effect.candidate_s, limit, certain=certain)
    status = BLOCKED if certain else UNDERPOWERED
    return [Reason(code=ReasonCode.LATENCY, status=status, sentence=sentence, p=effect.p, margin=limit)]


def of_floors(course: Course, shown: Sequence[Effect] = ()) -> list[Reason]:
    """The absolute minima. Sentences name the score that is ``shown`` of the slice."""
    scores = {effect.slice: effect.candidate for effect in reversed(shown)}  # the first metric's stands
    return [_of_floor(effect, scores.get(effect.slice)) for effect in floors(course)]


def _of_floor(effect: FloorEffect, shown: float | None) -> Reason:
    estimate = effect.estimate if shown is None else shown
    if effect.estimate is None or estimate is None:
        status, sentence = UNDERPOWERED, words.no_cases(effect.slice)
    elif effect.reading in ("fails", "below"):
        certain = effect.reading == "fails"
        status = BLOCKED if certain else NEEDS_REVIEW
        sentence = words.floor(effect.slice, estimate, effect.floor, certain=certain)
    elif effect.reading == "unproven":
        status, sentence = UNDERPOWERED, words.floor_unproven(effect.slice, effect.cases, effect.floor)
    else:
        status, sentence = APPROVED, words.floor_holds(effect.slice, estimate, effect.floor)
    about = {"slice": effect.slice, "estimate": estimate, "margin": effect.floor}
    return Reason(code=ReasonCode.FLOOR, status=status, sentence=sentence).model_copy(update=about)


def _evidence(course: Course, k: int) -> tuple[str, ...]:
    h = course.design.hypotheses[k]
    worse = course.ledger.differences()[:, h.metric] < 0
    return _ids(course, np.flatnonzero(worse & course.design.inside(h.slice)).tolist())


def _ids(course: Course, cases: Sequence[int]) -> tuple[str, ...]:
    return tuple(course.design.ids[i] for i in sorted(cases))
