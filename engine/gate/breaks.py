"""Tests single cases: re-runs those that look worse, and permutes the labels of their runs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Mapping, Sequence

import numpy as np

from engine.gate.bounds import CASE_MARGIN
from engine.gate.cells import BASELINE, CANDIDATE, Batch, Floats, Observations
from engine.gate.ledger import Pairs
from engine.gate.state import Breaks, ComparisonState
from schemas.gate_config import SlicePolicy

RUNS = 6
CERTAIN = 0.01
"""Largest p at which the break of a single case is confirmed."""
FLIPS = 9_999

Groups = Mapping[str | None, Sequence[int]]
"""Cases by slice. ``None`` groups cases outside must-pass and guarded slices."""


def listed_breaks(state: ComparisonState) -> Groups:
    """Returns the cases of must-pass and guarded slices that look worse, by slice. Slices without
    such cases are left out."""
    found = {h.slice: worse_cases(state, h.slice) for h in state.design.of_policy(*LISTED)}
    return {name: cases for name, cases in found.items() if cases}


LISTED = (SlicePolicy.MUST_PASS, SlicePolicy.GUARD)
"""Policies that judge each case by itself."""


def worse_cases(state: ComparisonState, name: str | None) -> list[int]:
    """Returns the cases of a slice that look worse. A missing cell counts against the candidate."""
    differences = state.ledger.imputed()[:, state.design.case_metric]
    inside = state.design.inside(name)
    return [int(i) for i in np.flatnonzero(inside & (np.nan_to_num(differences) <= -CASE_MARGIN))]


def confirm_breaks(state: ComparisonState, groups: Groups) -> Generator[Batch, Observations, dict[str | None, Breaks]]:
    """Runs each of these cases 6 more times in each arm and returns the breaks by group."""
    wanted = sorted({i for cases in groups.values() for i in cases})
    # A case may be in several slices. It runs once, and every slice uses the same runs.
    if not wanted:
        return {}
    # Six runs per arm: 6 passes against 1 gives p = 0.008 for a single case, just below CERTAIN.
    asked = state.ledger.fresh_batch(dict.fromkeys(wanted, (RUNS, RUNS)), "breaks")
    given = state.ledger.record_fresh(asked, (yield asked))
    return {name: _judged(state, cases, given) for name, cases in groups.items()}


def _judged(state: ComparisonState, cases: Sequence[int], given: Pairs) -> Breaks:
    metric = state.design.case_metric
    arms = {i: (given[i][BASELINE][:, metric], given[i][CANDIDATE][:, metric]) for i in cases}
    known = {i: (_known(b), _known(c)) for i, (b, c) in arms.items()}
    # The worst case for the candidate: a missing baseline passed, and a missing candidate failed.
    imputed = {i: (np.nan_to_num(b, nan=1.0), np.nan_to_num(c, nan=0.0)) for i, (b, c) in arms.items()}
    seed = int(state.design.seed[:16], 16)
    return Breaks(
        # The slice is judged by the sum over its cases, so many small breaks can block where none would by itself.
        p=label_p([(_known(b), _known(c)) for b, c in _by_cluster(state, arms)], seed),
        worst_p=label_p(_by_cluster(state, imputed), seed),
        worse=tuple(i for i, (b, c) in known.items() if len(b) and len(c) and c.mean() < b.mean()),
        worst=tuple(i for i, (b, c) in imputed.items() if c.mean() < b.mean()),
        broken=tuple(i for i, both in known.items() if label_p([both], seed) <= CERTAIN),
        possible=tuple(i for i, both in imputed.items() if label_p([both], seed) <= CERTAIN),
    )


def _by_cluster(state: ComparisonState, arms: Mapping[int, tuple[Floats, Floats]]) -> list[tuple[Floats, Floats]]:
    """Returns the runs of both arms, summed over the cases of each cluster.

    Cases of one cluster may depend on each other, so their labels are permuted together.
    """
    groups: dict[int, list[tuple[Floats, Floats]]] = {}
    for i, both in arms.items():
        groups.setdefault(int(state.design.units[i]), []).append(both)
    return [(np.sum([b for b, _ in group], axis=0), np.sum([c for _, c in group], axis=0)) for group in groups.values()]


def _known(scores: Floats) -> Floats:
    return scores[~np.isnan(scores)]


def label_p(cases: Sequence[tuple[Floats, Floats]], seed: int) -> float:
    """Returns the one-sided p of "the candidate's runs are worse", by permuting the labels of the runs.

    Each item of ``cases`` holds the baseline's and the candidate's scores of one case or cluster. The test is exact if
    all scores are 0 or 1, because the candidate's passes are then a sum of hypergeometric counts. It is also exact for
    a single case. Otherwise it uses 9,999 random permutations. Returns 1 if no case has runs in both arms.
    """
    usable = [(b, c) for b, c in cases if len(b) and len(c)]
    usable.sort(key=lambda arms: (arms[0].tolist(), arms[1].tolist()))  # the order of cases must not matter
    if not usable:
        return 1.0
    if all(np.isin(np.concatenate(arms), (0.0, 1.0)).all() for arms in usable):
        return _hypergeometric_p(usable)
    if len(usable) == 1:
        return _every_label_p(*usable[0])
    # Seeded by the design, so a replay draws the same permutations and reaches the same verdict.
    generator = np.random.default_rng(seed)
    # Only the labels within a case are exchangeable: cases differ in difficulty.
    totals = np.zeros(FLIPS)
    observed = 0.0
    for b, c in usable:
        scores = np.concatenate([b, c])
        # Sorting random numbers gives one random permutation of the runs in each row.
        order = np.argsort(generator.random((FLIPS, len(scores))), axis=1)
        shuffled = scores[order]
        # Means and not sums: the arms may have different numbers of runs after failed calls.
        totals += shuffled[:, : len(b)].mean(axis=1) - shuffled[:, len(b) :].mean(axis=1)
        observed += b.mean() - c.mean()
    # The observed labels count as one permutation, so p is never 0. The tolerance makes rounding errors ties.
    return float((1 + (totals >= observed - 1e-9).sum()) / (FLIPS + 1))


def _every_label_p(baseline: Floats, candidate: Floats) -> float:
    """Returns the exact p of one case, over every way to label its runs."""
    scores = np.concatenate([baseline, candidate])
    chosen = np.array(list(itertools.combinations(range(len(scores)), len(candidate))))
    # The tolerance makes equal sums ties, and ties count against a break.
    return float((scores[chosen].sum(axis=1) <= candidate.sum() + 1e-9).mean())


def _hypergeometric_p(cases: Sequence[tuple[Floats, Floats]]) -> float:
    # Convolving the counts of the cases gives the exact distribution of their sum.
    distribution = np.ones(1)
    observed = 0
    for b, c in cases:
        passes, runs = round(float(b.sum() + c.sum())), len(b) + len(c)
        counts = [
            math.comb(passes, k) * math.comb(runs - passes, len(c) - k) / math.comb(runs, len(c))
            for k in range(min(passes, len(c)) + 1)
        ]
        distribution = np.convolve(distribution, counts)
        observed += round(float(c.sum()))
    return float(min(distribution[: observed + 1].sum(), 1.0))
