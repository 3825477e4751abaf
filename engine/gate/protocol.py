"""The gate as a conversation: it asks for cells, is told what they gave, and in the end decides."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from engine.gate import findings, words
from engine.gate.bounds import CASE_MARGIN
from engine.gate.breaks import confirm_breaks, listed_breaks, worse_cases
from engine.gate.cells import Batch, Observations
from engine.gate.conclude import conclude, new_lineage, nothing_measured
from engine.gate.cost import careful_cost
from engine.gate.course import Course
from engine.gate.decision import Conversation
from engine.gate.design import Design
from engine.gate.gaps import with_gaps
from engine.gate.guard import guards
from engine.gate.latency import latency_effect, latency_gates
from engine.gate.ledger import REPLICATES, Ledger
from engine.gate.lock import lock
from engine.gate.protected import protected
from engine.gate.smoke import smoke
from engine.gate.watch import watch
from schemas.config import SlicePolicy
from schemas.scorecard import ReasonCode, VerdictStatus

REPLICATE_AT = 0.3
"""Cases that disagree are run again only where the block test is this close: elsewhere it can't block at this look.
Where it blocks already, replication would only cost: the lock follows anyway."""

Stage = Generator[Batch, Observations, bool]
"""A part of the conversation; true when the verdict is certain."""


def protocol(design: Design) -> Conversation:
    """Decides one comparison. Yields batches of cells, is sent their observations, returns the decision.

    The same design and the same answers give the same decision, byte for byte. Missing cells make it stricter, if
    anything.
    """
    return with_gaps(design, lambda observed: _comparison(design, observed))


def _comparison(design: Design, observed: Ledger | None) -> Conversation:
    course = Course(design, observed)
    if not design.counted.any():
        return nothing_measured(course, ReasonCode.NO_CASES, VerdictStatus.ERROR, words.no_cases(None))
    if not design.looks:
        course.certify()
        return nothing_measured(course, ReasonCode.IDENTICAL, VerdictStatus.APPROVED, words.identical())
    if not design.metrics:
        return nothing_measured(course, ReasonCode.NOTHING_MEASURED, VerdictStatus.NEEDS_REVIEW, words.no_metric())
    if not design.paired:
        return (yield from _alone(course))
    failed, doubtful = yield from smoke(course)
    course.smoked = failed
    course.found += findings.of_smoke(course, failed)
    if doubtful:
        course.found.append(findings.of_doubt(course, "its first cases"))
    if not course.found:
        for _ in design.looks:
            if (yield from _look(course)):
                break
    return conclude(course)


def _alone(course: Course) -> Conversation:
    """A prompt without a baseline: everything once, one look."""
    asked = course.ledger.first(np.concatenate(course.design.looks), "look")
    course.ledger.record(asked, (yield asked))
    course.take_look()
    return new_lineage(course)


def _look(course: Course) -> Stage:
    ledger = course.ledger
    cases = course.new_cases()
    if len(cases):
        asked = ledger.first(cases, "look")
        ledger.record(asked, (yield asked))
    course.take_look()
    if course.too_much_missing():
        return True
    if course.look == 1 and (yield from _by_case(course)):
        return True
    last = course.look == len(course.design.looks)
    course.guards = guards(course, last=last)
    if any(guard.reading in ("breaks", "unsure") for guard in course.guards):
        return True
    course.certify()
    if last and not course.plain and course.undecided():
        yield from _steady(course)
        course.certify()
    if (yield from _harm(course)) or course.too_much_missing():
        return True
    return (yield from _settled(course, last=last))


def _by_case(course: Course) -> Stage:
    """Must-pass, guarded and protected cases, which the first look runs completely."""
    course.breaks = yield from confirm_breaks(course, listed_breaks(course))
    broken, possible = yield from protected(course)
    course.found += findings.of_protected(course, broken, possible)
    return bool(course.found) or any(
        course.breaks[h.slice].worst_p <= course.case_level
        for h in course.design.of_policy(SlicePolicy.MUST_PASS)
        if h.slice in course.breaks
    )


def _steady(course: Course) -> Generator[Batch, Observations, None]:
    """Two more runs, for both tests, of the cases in slices that are still undecided. Not where a drop is estimated
    anyway: more runs would hardly certify it."""
    design, ledger = course.design, course.ledger
    open_slices = [h.slice for h in course.undecided() if course.may_hold(h)]
    if not open_slices or course.suspicion() <= course.alpha:
        return
    wanted = np.logical_or.reduce([design.inside(name) for name in open_slices])
    cases = np.flatnonzero(wanted & ledger.seen & ~design.identical)
    ledger.planned[cases] += REPLICATES
    asked = ledger.first(cases, "look")
    if len(asked):
        ledger.record(asked, (yield asked))


def _harm(course: Course) -> Stage:
    """The block test, with replication of what disagrees and the fresh lock."""
    ledger, design = course.ledger, course.design
    if not course.plain and course.alpha < course.suspicion() <= REPLICATE_AT:
        apart = (np.abs(np.nan_to_num(ledger.differences())) >= CASE_MARGIN).any(axis=1) & (
            ledger.runs == ledger.planned
        )
        asked = ledger.more(np.flatnonzero(apart & ~design.identical), "replication")
        if len(asked):
            ledger.record(asked, (yield asked))
    feared = course.worst_suspicion() if ledger.gaps().any() else 1.0
    result = course.test_harm()
    if not result.rejected.any():
        if feared <= course.alpha:
            course.found.append(findings.of_doubt(course, "the comparison"))
        return bool(course.found)
    held = True if course.plain else (yield from lock(course))
    if held:
        course.blocking = result.rejected
    elif held is None:
        course.found.append(findings.of_doubt(course, "the confirmation"))
    return held is not False


def _settled(course: Course, *, last: bool) -> Stage:
    """Whether limits are broken, or everything is certified and nothing that is watched broke."""
    minima = findings.of_floors(course)
    course.open_floors = {reason.slice for reason in minima if reason.status is VerdictStatus.UNDERPOWERED}
    limits = [*findings.of_cost(careful_cost(course)), *minima]
    if latency_gates(course):
        limit = course.design.gate.max_latency_increase
        limits += findings.of_latency(latency_effect(course), limit, gating=True)
    if any(r.status in (VerdictStatus.BLOCKED, VerdictStatus.ERROR) for r in limits):
        return True
    held = all(guard.reading != "open" for guard in course.guards)
    holds = held and not course.undecided() and all(r.status is VerdictStatus.APPROVED for r in limits)
    if holds or last:
        leaks = [i for i in worse_cases(course, None) if course.ledger.forbidden[i] and i not in course.ledger.fresh]
        if leaks:
            course.breaks |= yield from confirm_breaks(course, {None: leaks})
        course.found += findings.of_watch(course, (yield from watch(course)))
        return True
    return False
