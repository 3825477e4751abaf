"""The gate as a generator: it yields the cells it needs, receives their observations, and returns the decision."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from engine.gate import findings, reason_text
from engine.gate.bounds import CASE_MARGIN
from engine.gate.breaks import confirm_breaks, listed_breaks, worse_cases
from engine.gate.cells import Batch, Observations
from engine.gate.conclude import conclude, new_lineage, nothing_measured
from engine.gate.confirmation import confirm_harm
from engine.gate.cost import careful_cost
from engine.gate.decision import Conversation
from engine.gate.design import Design
from engine.gate.gaps import with_gaps
from engine.gate.guard import guards
from engine.gate.latency import latency_effect, latency_gates
from engine.gate.ledger import REPLICATES, Ledger
from engine.gate.protected import protected
from engine.gate.smoke import smoke
from engine.gate.state import ComparisonState, GuardResult
from engine.gate.watched_slices import watch
from schemas.gate_config import SlicePolicy
from schemas.verdicts import ReasonCode, VerdictStatus

REPLICATE_AT = 0.3
"""Largest p-value of the block test at which cases that disagree are run again. Above it, the test can't block at this
look. At or below α it blocks already, and confirmation re-runs the cases anyway."""

Stage = Generator[Batch, Observations, bool]
"""A part of the conversation. Returns True when the verdict is certain."""


def protocol(design: Design) -> Conversation:
    """Decides one comparison. Yields batches of cells, receives their observations, and returns the decision.

    The same design and the same answers give the same decision, byte for byte. Missing cells never make it
    less strict.
    """
    # Gaps wrap the whole comparison and not single tests, because an answer also decides what runs next.
    return with_gaps(design, lambda observed: _comparison(design, observed))


def _comparison(design: Design, observed: Ledger | None) -> Conversation:
    state = ComparisonState(design, observed)
    if not design.counted.any():
        return nothing_measured(state, ReasonCode.NO_CASES, VerdictStatus.ERROR, reason_text.no_cases(None))
    # Identical requests in both arms: nothing can differ, so approving needs no call.
    if not design.looks:
        state.certify()
        return nothing_measured(state, ReasonCode.IDENTICAL, VerdictStatus.APPROVED, reason_text.identical())
    # Reached only with differing requests: a change that no metric sees needs a person.
    if not design.metrics:
        return nothing_measured(state, ReasonCode.NOTHING_MEASURED, VerdictStatus.NEEDS_REVIEW, reason_text.no_metric())
    # Without a baseline there is no difference to test: floors decide, in one look.
    if not design.paired:
        return (yield from _alone(state))
    # A candidate that fails its first cases is blocked before the other cases are paid for.
    failed, doubtful = yield from smoke(state)
    state.smoked = failed
    state.found += findings.of_smoke(state, failed)
    if doubtful:
        state.found.append(findings.of_doubt(state, "its first cases"))
    # A failed smoke test, or one that only missing cells decide, ends the run before its looks.
    if not state.found:
        for _ in design.looks:
            if (yield from _look(state)):
                break
    return conclude(state)


def _alone(state: ComparisonState) -> Conversation:
    """Measures a prompt that has no baseline: runs every case once, in one look."""
    asked = state.ledger.first(np.concatenate(state.design.looks), "look")
    state.ledger.record(asked, (yield asked))
    state.take_look()
    return new_lineage(state)


def _look(state: ComparisonState) -> Stage:
    ledger = state.ledger
    cases = state.new_cases()
    if len(cases):
        asked = ledger.first(cases, "look")
        ledger.record(asked, (yield asked))
    state.take_look()
    # Averaging over the cells that came back would let a provider's failures decide.
    if state.too_much_missing():
        return True
    if state.look == 1 and (yield from _by_case(state)):
        return True
    last = state.look == len(state.design.looks)
    state.guards = guards(state, last=last)
    if any(guard.result in (GuardResult.BREAKS, GuardResult.UNSURE) for guard in state.guards):
        return True
    state.certify()
    # Only at the last look: earlier, new cases tell more for the same calls than repetitions of old ones.
    if last and not state.plain and state.undecided():
        yield from _steady(state)
        state.certify()
    # Asked again, because the runs that the block test added may have failed too.
    if (yield from _harm(state)) or state.too_much_missing():
        return True
    return (yield from _settled(state, last=last))


def _by_case(state: ComparisonState) -> Stage:
    """Tests must-pass, guarded and protected cases. The first look runs all of them."""
    state.breaks = yield from confirm_breaks(state, listed_breaks(state))
    broken, possible = yield from protected(state)
    state.found += findings.of_protected(state, broken, possible)
    return bool(state.found) or any(
        state.breaks[h.slice].worst_p <= state.case_level
        for h in state.design.of_policy(SlicePolicy.MUST_PASS)
        if h.slice in state.breaks
    )


def _steady(state: ComparisonState) -> Generator[Batch, Observations, None]:
    """Runs the cases of undecided slices two more times; both tests use the runs. Skips slices with an estimated drop:
    more runs would hardly certify them."""
    design, ledger = state.design, state.ledger
    open_slices = [h.slice for h in state.undecided() if state.may_hold(h)]
    # A block is about to be tested, and a certificate would not stop it.
    if not open_slices or state.suspicion() <= state.alpha:
        return
    wanted = np.logical_or.reduce([design.inside(name) for name in open_slices])
    cases = np.flatnonzero(wanted & ledger.seen & ~design.identical)
    # Counted as planned, so that the approve bound uses these runs too.
    ledger.planned[cases] += REPLICATES
    asked = ledger.first(cases, "look")
    if len(asked):
        ledger.record(asked, (yield asked))


def _harm(state: ComparisonState) -> Stage:
    """Runs the block test: first replicates cases that disagree, and at the end confirms a block."""
    ledger, design = state.ledger, state.design
    # Replication is chosen by disagreement, never by direction: both signs are equally likely to be run again, so the
    # sign-flip test stays exact.
    if not state.plain and state.alpha < state.suspicion() <= REPLICATE_AT:
        apart = (np.abs(np.nan_to_num(ledger.differences())) >= CASE_MARGIN).any(axis=1) & (
            ledger.runs == ledger.planned
        )
        asked = ledger.more(np.flatnonzero(apart & ~design.identical), "replication")
        if len(asked):
            ledger.record(asked, (yield asked))
    # Read before the test spends its α, so that a missing cell can't hide a block.
    feared = state.worst_suspicion() if ledger.gaps().any() else 1.0
    result = state.test_harm()
    if not result.rejected.any():
        if feared <= state.alpha:
            state.found.append(findings.of_doubt(state, "the comparison"))
        return bool(state.found)
    held = True if state.plain else (yield from confirm_harm(state))
    if held:
        state.blocking = result.rejected
    elif held is None:
        state.found.append(findings.of_doubt(state, "the confirmation"))
    # A failed confirmation refutes this signal only, so the looks go on.
    return held is not False


def _settled(state: ComparisonState, *, last: bool) -> Stage:
    """Returns whether the comparison ends: a limit is broken, everything holds, or this is the last look."""
    minima = findings.of_floors(state)
    # The next look keeps asking for the cases of floors that are still open.
    state.open_floors = {reason.slice for reason in minima if reason.status is VerdictStatus.INCONCLUSIVE}
    limits = [*findings.of_cost(careful_cost(state)), *minima]
    if latency_gates(state):
        limit = state.design.gate.max_latency_increase
        limits += findings.of_latency(latency_effect(state), limit, gating=True)
    # A broken limit decides by itself: more cases would only cost money.
    if any(r.status in (VerdictStatus.BLOCKED, VerdictStatus.ERROR) for r in limits):
        return True
    held = all(guard.result is not GuardResult.OPEN for guard in state.guards)
    holds = held and not state.undecided() and all(r.status is VerdictStatus.APPROVED for r in limits)
    if not (holds or last):
        return False
    # Only at the end: watched slices never block, so an early look need not pay for their re-runs.
    yield from _last_checks(state)
    return True


def _last_checks(state: ComparisonState) -> Generator[Batch, Observations, None]:
    """Confirms answers with forbidden text, in cases that no other test has run again, and looks at watched slices."""
    leaks = [i for i in worse_cases(state, None) if state.ledger.forbidden[i] and i not in state.ledger.fresh]
    # A forbidden text that was seen once may be chance, so it is confirmed like any other break.
    if leaks:
        state.breaks |= yield from confirm_breaks(state, {None: leaks})
    state.found += findings.of_watch(state, (yield from watch(state)))
