"""Guarded and watched slices: do their passing cases break more often than those elsewhere?

Every rewording breaks some cases for good and fixes others. A guarded slice is therefore compared with the other cases
of the same run. If the breaks fell on the passing cases at random, the number that falls into the slice would follow a
hypergeometric distribution (Fisher's exact test, one-sided). For a few cases its true level is about half of the
nominal one, so what blocks is Boschloo's test (engine/gate/two_by_two.py): the same order of tables, with their exact
chance. Breaks of the slice count only if they repeat in fresh runs. Those elsewhere count as they are first seen, so
that both tests err towards passing.

A change may reach hardly any other case: all others send the same request as before. What a rewording breaks then has
to be assumed: 25 cases of which ``CHURN`` broke join the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.gate.bounds import CASE_MARGIN, CHURN, GUARD_REVIEW
from engine.gate.breaks import LISTED
from engine.gate.cells import BASELINE, CANDIDATE, Bools
from engine.gate.state import ComparisonState, GuardEffect, GuardReading
from engine.gate.two_by_two import boschloo_p, fisher_p
from schemas.gate_config import SlicePolicy

EARLY = 0.0005
"""What each look but the last may spend. The other cases are seen little by little, and a clear break need not wait."""
ASSUMED = 25
"""Cases that join the others where there are fewer of them; ``CHURN`` of these broke."""
FUTILE = 0.5
"""From this p on a slice holds without waiting for more of the other cases."""


@dataclass(frozen=True)
class Elsewhere:
    """A slice's passing cases, and the cases it is compared with. Counts are of clusters."""

    passing: int
    """Of the slice."""
    others: int
    """That passed and were measured, and those that are assumed."""
    broken: int
    """Of ``others``."""
    unseen: int
    """Others that were asked for and gave nothing."""
    changed: float | None
    """Share of the other cases whose result changed either way; ``None`` without others."""


def guards(state: ComparisonState, *, last: bool) -> tuple[GuardEffect, ...]:
    """Returns every guarded slice in which a break was confirmed, or may have been."""
    slices = state.design.of_policy(SlicePolicy.GUARD)
    share = 1 / max(len(slices), 1)
    # Several guarded slices and several prompts share one error rate. What earlier looks may have spent is subtracted
    # from the last one.
    early = EARLY * share / state.design.lineages
    spend = state.design.alpha_guard * share - early * (state.look - 1) if last else early
    review = GUARD_REVIEW * share / state.design.lineages
    found = (_guard(state, h.slice, spend, review, last=last) for h in slices if h.slice in state.breaks)
    return tuple(guard for guard in found if guard is not None)


def _guard(state: ComparisonState, name: str | None, spend: float, review: float, *, last: bool) -> GuardEffect | None:
    breaks, level = state.breaks[name], state.case_level
    broken = breaks.worse if breaks.p <= level else breaks.broken
    possible = breaks.worst if breaks.worst_p <= level else breaks.possible
    if name is None or not (broken or possible):
        return None
    rest = elsewhere(state, name, possible)
    table = (_clusters(state, broken), rest.passing, rest.broken, rest.others)
    worst = (_clusters(state, possible), rest.passing, rest.broken, rest.others + rest.unseen)
    # Boschloo's test blocks, as the more powerful one. Fisher's is cheaper and never smaller: it may wait or ask.
    p, feared = boschloo_p(*table), fisher_p(*worst)
    reading: GuardReading = GuardReading.HOLDS
    if breaks.p <= level and p <= spend:
        reading = GuardReading.BREAKS
    elif breaks.worst_p <= level and boschloo_p(*worst) <= spend:
        reading = GuardReading.UNSURE
    elif not last and feared < FUTILE:
        reading = GuardReading.OPEN
    elif feared <= review:
        reading = GuardReading.MAY_BREAK
    return GuardEffect(slice=name, broken=broken, changed=rest.changed, p=p, reading=reading)


def elsewhere(state: ComparisonState, name: str | None, broken: tuple[int, ...]) -> Elsewhere:
    """Returns what a slice is compared with: cases of no listed slice where there are any, else all others. ``broken``
    cases of the slice passed, whether or not their planned runs say so. Clusters that reach into the slice belong to
    it."""
    design, ledger = state.design, state.ledger
    baseline, candidate = (ledger.levels(arm)[:, 0] for arm in (BASELINE, CANDIDATE))
    change = candidate - baseline
    inside, called = design.inside(name), design.counted & ~design.identical & ledger.seen
    listed = np.logical_or.reduce([inside, *(design.inside(h.slice) for h in design.of_policy(*LISTED))])
    others = called & ~listed if (called & ~listed).any() else called & ~inside
    # A cluster with one case inside would be on both sides of the comparison.
    others &= ~np.isin(design.units, design.units[inside])
    known, passes = others & ~np.isnan(change), baseline >= CASE_MARGIN  # NaN doesn't pass
    measured, unseen = _clusters(state, known & passes), _clusters(state, others & np.isnan(change))
    assumed = ASSUMED if measured + unseen < ASSUMED else 0
    return Elsewhere(
        passing=_clusters(state, (*np.flatnonzero(inside & called & passes).tolist(), *broken)),
        others=measured + assumed,
        broken=_clusters(state, known & (change <= -CASE_MARGIN)) + round(CHURN * assumed),
        unseen=unseen,
        changed=float((np.abs(change[known]) >= CASE_MARGIN).mean()) if known.any() else None,
    )


def _clusters(state: ComparisonState, cases: Bools | tuple[int, ...]) -> int:
    chosen = cases if isinstance(cases, np.ndarray) else list(cases)
    return len(np.unique(state.design.units[chosen]))


def broken_p(state: ComparisonState, name: str | None, broken: tuple[int, ...]) -> float:
    """Fisher's p of so many breaks in a slice, had every missing cell gone against the candidate."""
    rest = elsewhere(state, name, broken)
    return fisher_p(_clusters(state, broken), rest.passing, rest.broken, rest.others + rest.unseen)
