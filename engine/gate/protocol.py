"""The gate as a conversation: it asks for cells, is told what they gave, and in the end decides."""

from __future__ import annotations

from collections.abc import Generator
from decimal import Decimal

import numpy as np

from engine.gate import words
from engine.gate.cells import BASELINE, CANDIDATE, Batch, Observations
from engine.gate.cost import finite, ratio, reading
from engine.gate.course import Course
from engine.gate.decision import Decision, Reading
from engine.gate.design import Design
from engine.gate.effects import effects
from engine.gate.weights import by_unit, weights
from engine.verdict import combine
from schemas.scorecard import CostEffect, Interval, LatencyEffect, Reason, ReasonCode, Sureness, VerdictStatus

COST_TAIL = 0.05


def protocol(design: Design) -> Generator[Batch, Observations, Decision]:
    """Decides one comparison. Yields batches of cells, is sent their observations, returns the decision.

    The same design and the same answers give the same decision, byte for byte.
    """
    course = Course(design)
    if not design.counted.any():
        return conclude(course, [_reason(ReasonCode.NO_CASES, VerdictStatus.ERROR, words.no_cases(None))])
    if not design.looks:
        return conclude(course, [_reason(ReasonCode.IDENTICAL, VerdictStatus.APPROVED, words.identical())])
    for look in range(len(design.looks)):
        asked = course.ledger.planned_batch(course.new_cases(look), "look")
        if len(asked):
            course.ledger.record(asked, (yield asked))
        course.look = look + 1
        if course.too_much_missing():
            break
        if course.test_harm().rejected.any():
            course.certify()
            break
        course.certify()
        if all(course.certified[k] for k, h in enumerate(design.hypotheses) if h.certifies):
            break
    return conclude(course, [])


def conclude(course: Course, reasons: list[Reason]) -> Decision:
    """Puts the decision together from what is known now."""
    design, ledger = course.design, course.ledger
    shown = effects(course)
    cost = cost_effect(course)
    found = reasons or _find(course, shown, cost)
    status = combine(r.status for r in found)
    changes = course.block_differences()[:, 0] if design.metrics else np.full(len(design.ids), np.nan)
    several = len(design.metrics) > 1
    asked = int(ledger.asked.sum())
    seen = max(int(ledger.seen.sum()), 1)
    return Decision(
        status=status,
        reasons=tuple(sorted(found, key=lambda r: list(VerdictStatus).index(r.status))),
        overall=shown[0] if shown else None,
        slices=tuple(e for e, h in zip(shown, design.hypotheses, strict=True) if h.slice is not None and h.metric == 0),
        metrics=tuple(e for e, h in zip(shown, design.hypotheses, strict=True) if h.slice is None) if several else (),
        cost=cost,
        latency=LatencyEffect(baseline_s=None, candidate_s=None, pairs=0, p=None, reading="no_data"),
        readings=tuple(
            Reading(None, "missing", False) if np.isnan(d) else Reading(float(d), "same" if d == 0 else "flaky", False)
            for d in changes
        ),
        sureness=Sureness(
            looks=course.look,
            repetitions=asked / 2 / seen,
            can_rule_out=finite(float(course.bounds[0])) if len(course.bounds) else None,
            hypotheses=len(design.hypotheses),
            alpha=design.alpha,
        ),
        cells=ledger.cells,
        planned=2 * int(design.repetitions[~design.identical].sum()),
        digest=design.digest,
    )


def _find(course: Course, shown, cost: CostEffect) -> list[Reason]:  # type: ignore[no-untyped-def]
    design, ledger = course.design, course.ledger
    found: list[Reason] = []
    if course.too_much_missing():
        missing = [ledger.missing(arm) for arm in (BASELINE, CANDIDATE)]
        asked = [ledger.requested(arm) for arm in (BASELINE, CANDIDATE)]
        return [_reason(ReasonCode.MISSING_CELLS, VerdictStatus.ERROR, words.missing_cells(missing, asked))]
    for k, (h, effect) in enumerate(zip(design.hypotheses, shown, strict=True)):
        metric = effect.metric if h.metric else None
        about = {
            "slice": h.slice,
            "metric": effect.metric,
            "estimate": effect.change,
            "interval": effect.interval,
            "margin": h.margin,
        }
        if course.result is not None and course.result.rejected[k]:
            p = float(course.result.p[k])
            sentence = words.drop(effect, metric)
            found.append(_reason(ReasonCode.DROP, VerdictStatus.BLOCKED, sentence, **about, p=p, look=course.look))
        elif not h.certifies:
            continue
        elif course.certified[k]:
            found.append(_reason(ReasonCode.NO_DROP, VerdictStatus.APPROVED, words.no_drop(effect, metric), **about))
        elif effect.change is not None and effect.change <= -h.margin:
            sentence = words.estimated_drop(effect, metric)
            found.append(_reason(ReasonCode.ESTIMATED_DROP, VerdictStatus.SUSPICIOUS, sentence, **about))
        else:
            sentence = words.underpowered(effect, metric) if h.cases else words.no_cases(h.slice)
            found.append(_reason(ReasonCode.UNDERPOWERED, VerdictStatus.UNDERPOWERED, sentence, **about))
    limit = float(design.gate.max_cost_increase or 0)
    if cost.reading == "fails":
        found.append(_reason(ReasonCode.COST, VerdictStatus.BLOCKED, words.cost_rise(cost.increase or 0.0, limit)))
    if cost.reading == "cant_tell":
        sentence = words.cost_uncertain(cost.increase, limit)
        found.append(_reason(ReasonCode.COST_UNCERTAIN, VerdictStatus.UNDERPOWERED, sentence))
    return found


def cost_effect(course: Course) -> CostEffect:
    """Cost per 1,000 cases and its ratio with the bounds that decide."""
    design, ledger = course.design, course.ledger
    billed = np.asarray((ledger.cost > 0).any(axis=0))
    limit = design.gate.max_cost_increase
    if not billed.any():
        none: dict[str, None] = dict.fromkeys(("baseline_per_1000", "candidate_per_1000", "increase", "interval"))
        return CostEffect(**none, limit=float(limit) if limit is not None else None, reading="no_data")
    share = weights(design, None, billed)
    runs = design.repetitions
    means = [by_unit(design, share * ledger.cost[arm] / runs) for arm in (BASELINE, CANDIDATE)]
    bounds = ratio(means[0], means[1], by_unit(design, share), COST_TAIL)
    per_1000 = [Decimal(repr(round(float(m.sum()) * 1000, 9))) for m in means]
    said = reading(bounds, float(limit)) if limit is not None else "not_gated"
    return CostEffect(
        baseline_per_1000=per_1000[0],
        candidate_per_1000=per_1000[1],
        increase=bounds.estimate - 1 if bounds else None,
        interval=Interval(low=bounds.low - 1, high=finite(bounds.high - 1)) if bounds else None,
        limit=float(limit) if limit is not None else None,
        reading=said,
    )


def _reason(code: ReasonCode, status: VerdictStatus, sentence: str, **about) -> Reason:  # type: ignore[no-untyped-def]
    return Reason(code=code, status=status, sentence=sentence, **about)
