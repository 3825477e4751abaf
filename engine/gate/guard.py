"""Guarded and watched slices: do their passing cases break more often than the other cases?

Every rewording breaks some cases for good and fixes others. A guarded slice is therefore compared with the other cases
of the same run. If breaks fell on the passing cases at random, the number in the slice would follow a hypergeometric
distribution (Fisher's exact test, one-sided). With few cases, the true level of that test is about half its nominal
one. So Boschloo's test blocks (engine/gate/two_by_two.py): it orders tables in the same way and computes their exact
chance. Breaks in the slice count only if they repeat in fresh runs. Breaks elsewhere count as first seen, so both tests
err toward passing.

A change may affect hardly any other case, if all others send the same request as before. The effect of a rewording then
has to be assumed: 25 cases, of which a share of ``CHURN`` broke, are added to the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.gate.bounds import CASE_MARGIN, CHURN, GUARD_REVIEW
from engine.gate.breaks import LISTED
from engine.gate.cells import BASELINE, CANDIDATE, Bools
from engine.gate.state import ComparisonState, GuardEffect, GuardResult
from engine.gate.two_by_two import boschloo_p, fisher_p
from schemas.gate_config import SlicePolicy

EARLY = 0.0005
"""Error rate of each look but the last. The other cases are seen gradually, and a clear break need not wait for all of
them."""
ASSUMED = 25
"""Assumed cases that are added if fewer others were seen. A share of ``CHURN`` of them broke."""
FUTILE = 0.5
"""From this p, a slice holds without waiting for more of the other cases."""


@dataclass(frozen=True)
class Elsewhere:
    """A slice's passing cases and the cases it is compared with, counted in clusters."""

    passing: int
    """Passing clusters of the slice."""
    others: int
    """Other clusters that passed and were measured, and assumed ones."""
    broken: int
    """Broken clusters among ``others``."""
    unseen: int
    """Other clusters that were asked for and gave no score."""
    changed: float | None
    """Share of the other cases whose result changed in either direction. ``None`` without others."""


def guards(state: ComparisonState, *, last: bool) -> tuple[GuardEffect, ...]:
    """Returns every guarded slice with a confirmed or possible break."""
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
    # If the slice as a whole broke for certain, all cases that got worse count. Otherwise only the certain ones.
    broken = breaks.worse if breaks.p <= level else breaks.broken
    possible = breaks.worst if breaks.worst_p <= level else breaks.possible
    if name is None or not (broken or possible):
        return None
    rest = elsewhere(state, name, possible, state.design.case_metric)
    table = (_clusters(state, broken), rest.passing, rest.broken, rest.others)
    # Missing cells elsewhere count as passing there, which makes the slice look worse: the cautious side.
    worst = (_clusters(state, possible), rest.passing, rest.broken, rest.others + rest.unseen)
    # Boschloo's test blocks, as the more powerful one. Fisher's is cheaper and never smaller, enough to wait or
    # to ask for a review.
    p, feared = boschloo_p(*table), fisher_p(*worst)
    result: GuardResult = GuardResult.HOLDS
    # Both tests must agree: the slice broke for certain, and more often than the rest.
    if breaks.p <= level and p <= spend:
        result = GuardResult.BREAKS
    elif breaks.worst_p <= level and boschloo_p(*worst) <= spend:
        result = GuardResult.UNSURE
    elif not last and feared < FUTILE:
        result = GuardResult.OPEN
    elif feared <= review:
        result = GuardResult.MAY_BREAK
    return GuardEffect(slice=name, broken=broken, changed=rest.changed, p=p, result=result)


def elsewhere(state: ComparisonState, name: str | None, broken: tuple[int, ...], metric: int) -> Elsewhere:
    """Returns the cases that a slice is compared with.

    These are cases outside all listed slices if there are any, else all other cases. ``broken`` cases of the slice
    count as having passed, whatever their planned runs say. A cluster with a case in the slice belongs to the slice.
    """
    design, ledger = state.design, state.ledger
    baseline, candidate = (ledger.levels(arm)[:, metric] for arm in (BASELINE, CANDIDATE))
    change = candidate - baseline
    inside, called = design.inside(name), design.counted & ~design.identical & ledger.seen
    listed = np.logical_or.reduce([inside, *(design.inside(h.slice) for h in design.of_policy(*LISTED))])
    others = called & ~listed if (called & ~listed).any() else called & ~inside
    # A cluster with one case inside would be on both sides of the comparison.
    others &= ~np.isin(design.units, design.units[inside])
    known, passes = others & ~np.isnan(change), baseline >= CASE_MARGIN  # NaN counts as not passing
    measured, unseen = _clusters(state, known & passes), _clusters(state, others & np.isnan(change))
    # With a handful of others, any break in the slice would look like more than elsewhere.
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
    """Returns Fisher's p of this many breaks in a slice, with every missing cell counted against the candidate."""
    rest = elsewhere(state, name, broken, 0)
    return fisher_p(_clusters(state, broken), rest.passing, rest.broken, rest.others + rest.unseen)
