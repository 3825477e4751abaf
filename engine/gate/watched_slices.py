"""Watched slices and cases that the head adds. They are too few to block, but a confirmed break needs a review."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np

from engine.gate.bounds import CASE_MARGIN
from engine.gate.cells import BASELINE, CANDIDATE, Batch, Bools, Observations
from engine.gate.guard import broken_p
from engine.gate.hypotheses import Hypothesis
from engine.gate.state import ComparisonState
from schemas.gate_config import SlicePolicy
from schemas.testsets import CHANGED_REQUESTS

PAIRS = 6
GIVE_UP = 2
"""Pairs without the break after which a case is given up."""
CONFIRMED = PAIRS - GIVE_UP + 1
SHARE = 0.10
REVIEW = 0.20
"""Chance of asking for a review of the watched slices of a prompt that is no worse."""


def threshold(cases: int) -> int:
    """Returns the fewest breaks among this many cases of a slice that need a review."""
    return max(2, -(-cases * int(SHARE * 100) // 100))


def watch(state: ComparisonState) -> Generator[Batch, Observations, dict[str | None, tuple[int, ...]]]:
    """Confirms apparent breaks in watched slices by fresh pairs.

    A slice is reported if enough of its cases break, and more often than cases elsewhere. Returns the confirmed breaks
    by slice. ``None`` groups cases that the head adds; one break is enough there.
    """
    groups = _suspects(state)
    suspects = sorted({i for worse, better, _ in groups.values() for i in (*worse, *better)})
    if not suspects:
        return {}
    confirmed = yield from _confirm(state, suspects)
    # Several prompts and slices share the chance of a needless review.
    level = REVIEW / state.design.lineages / max(len(state.design.of_policy(SlicePolicy.WATCH)), 1)
    hits: dict[str | None, tuple[int, ...]] = {}
    for name, (worse, better, least) in groups.items():
        broken = tuple(i for i in worse if i in confirmed)
        # Net of confirmed improvements: a reword that swaps cases is no harm to the slice.
        enough = len(broken) - sum(i in confirmed for i in better) >= least
        if enough and (name is None or broken_p(state, name, broken) <= level):
            hits[name] = broken
    return hits


def _suspects(state: ComparisonState) -> dict[str | None, tuple[list[int], list[int], int]]:
    """Returns the cases that look worse, those that look better, and the net breaks needed, by group with enough
    suspects."""
    design = state.design
    differences = np.nan_to_num(state.ledger.imputed()[:, 0])
    groups: dict[str | None, tuple[list[int], list[int], int]] = {}
    watched = {h.slice: design.inside(h.slice) for h in design.hypotheses if _is_watched(h)}
    known = state.ledger.seen | design.identical  # a run may end before a large slice was seen completely
    places: list[tuple[str | None, Bools, int]] = [
        (name, inside, _least(name, int((inside & known).sum()))) for name, inside in watched.items()
    ]
    if design.added.any():
        places.append((None, design.added, 1))
    for name, inside, least in places:
        worse, better = (np.flatnonzero(inside & (s * differences >= CASE_MARGIN)).tolist() for s in (-1, 1))
        if len(worse) >= least:
            groups[name] = (worse, better, least)
    return groups


def _least(name: str | None, cases: int) -> int:
    """Returns the fewest net breaks. One is enough if a change affects a single case: no other case can show its
    effect."""
    return min(threshold(cases), max(cases, 1)) if name == CHANGED_REQUESTS else threshold(cases)


def _is_watched(h: Hypothesis) -> bool:
    return h.policy is SlicePolicy.WATCH and h.metric == 0 and h.slice is not None


def _confirm(state: ComparisonState, suspects: Sequence[int]) -> Generator[Batch, Observations, frozenset[int]]:
    """Returns the cases whose fresh pairs differ in the same direction as the first runs: at least 5 of 6.

    A missing cell counts against the candidate.
    """
    direction = np.sign(state.ledger.imputed()[:, 0])
    agreed, failed = dict.fromkeys(suspects, 0), dict.fromkeys(suspects, 0)
    # Two pairs at a time: most flukes are given up after the first two, at a third of the cost.
    while running := [i for i in suspects if failed[i] < GIVE_UP and agreed[i] + failed[i] < PAIRS]:
        asked = state.ledger.fresh_batch(dict.fromkeys(running, (GIVE_UP, GIVE_UP)), "watch")
        given = state.ledger.record_fresh(asked, (yield asked))
        for i in running:
            fall = np.nan_to_num(given[i][BASELINE][:, 0], nan=1.0) - np.nan_to_num(given[i][CANDIDATE][:, 0], nan=0.0)
            same = int((np.sign(fall) == -direction[i]).sum())
            agreed[i] += same
            failed[i] += GIVE_UP - same
    return frozenset(i for i in suspects if agreed[i] >= CONFIRMED)
