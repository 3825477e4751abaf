"""Breaks, case by case: cases that look worse are run again, and the labels of their runs permuted exactly."""

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
"""p of a single case from which on its break is confirmed by itself."""
FLIPS = 9_999

Groups = Mapping[str | None, Sequence[int]]
"""Cases by slice; ``None``: cases of no such slice."""


def listed_breaks(state: ComparisonState) -> Groups:
    """Cases of must-pass and guarded slices that look worse on the first metric, by slice with such cases."""
    found = {h.slice: worse_cases(state, h.slice) for h in state.design.of_policy(*LISTED)}
    return {name: cases for name, cases in found.items() if cases}


LISTED = (SlicePolicy.MUST_PASS, SlicePolicy.GUARD)
"""Policies that look at each case."""


def worse_cases(state: ComparisonState, name: str | None) -> list[int]:
    """Cases of a slice that look worse on the first metric; a missing cell counts against the candidate."""
    differences = state.ledger.imputed()[:, 0]
    inside = state.design.inside(name)
    return [int(i) for i in np.flatnonzero(inside & (np.nan_to_num(differences) <= -CASE_MARGIN))]


def confirm_breaks(state: ComparisonState, groups: Groups) -> Generator[Batch, Observations, dict[str | None, Breaks]]:
    """Runs these cases 6 more times in each arm; what that gave, by group."""
    wanted = sorted({i for cases in groups.values() for i in cases})
    if not wanted:
        return {}
    asked = state.ledger.fresh_batch(dict.fromkeys(wanted, (RUNS, RUNS)), "breaks")
    given = state.ledger.record_fresh(asked, (yield asked))
    return {name: _judged(state, cases, given) for name, cases in groups.items()}


def _judged(state: ComparisonState, cases: Sequence[int], given: Pairs) -> Breaks:
    arms = {i: (given[i][BASELINE][:, 0], given[i][CANDIDATE][:, 0]) for i in cases}
    known = {i: (_known(b), _known(c)) for i, (b, c) in arms.items()}
    imputed = {i: (np.nan_to_num(b, nan=1.0), np.nan_to_num(c, nan=0.0)) for i, (b, c) in arms.items()}
    seed = int(state.design.seed[:16], 16)
    return Breaks(
        p=label_p([(_known(b), _known(c)) for b, c in _by_cluster(state, arms)], seed),
        worst_p=label_p(_by_cluster(state, imputed), seed),
        worse=tuple(i for i, (b, c) in known.items() if len(b) and len(c) and c.mean() < b.mean()),
        worst=tuple(i for i, (b, c) in imputed.items() if c.mean() < b.mean()),
        broken=tuple(i for i, both in known.items() if label_p([both], seed) <= CERTAIN),
        possible=tuple(i for i, both in imputed.items() if label_p([both], seed) <= CERTAIN),
    )


def _by_cluster(state: ComparisonState, arms: Mapping[int, tuple[Floats, Floats]]) -> list[tuple[Floats, Floats]]:
    """Returns both arms' runs, added up over the cases of each cluster: they may be one draw, so one label goes for
    all."""
    groups: dict[int, list[tuple[Floats, Floats]]] = {}
    for i, both in arms.items():
        groups.setdefault(int(state.design.units[i]), []).append(both)
    return [(np.sum([b for b, _ in group], axis=0), np.sum([c for _, c in group], axis=0)) for group in groups.values()]


def _known(scores: Floats) -> Floats:
    return scores[~np.isnan(scores)]


def label_p(cases: Sequence[tuple[Floats, Floats]], seed: int) -> float:
    """Returns one-sided p of «the candidate's runs are worse», permuting the labels of each case's (or cluster's) runs.

    ``cases`` hold the baseline's and the candidate's scores. Exact where all scores are 0 or 1 (the candidate's passes
    are a sum of hypergeometric counts) or there is one case; else by 9,999 random permutations. 1 without any runs in
    both arms.
    """
    usable = [(b, c) for b, c in cases if len(b) and len(c)]
    usable.sort(key=lambda arms: (arms[0].tolist(), arms[1].tolist()))  # the order of cases changes nothing
    if not usable:
        return 1.0
    if all(np.isin(np.concatenate(arms), (0.0, 1.0)).all() for arms in usable):
        return _hypergeometric_p(usable)
    if len(usable) == 1:
        return _every_label_p(*usable[0])
    generator = np.random.default_rng(seed)
    totals = np.zeros(FLIPS)
    observed = 0.0
    for b, c in usable:
        scores = np.concatenate([b, c])
        order = np.argsort(generator.random((FLIPS, len(scores))), axis=1)
        shuffled = scores[order]
        totals += shuffled[:, : len(b)].mean(axis=1) - shuffled[:, len(b) :].mean(axis=1)
        observed += b.mean() - c.mean()
    return float((1 + (totals >= observed - 1e-9).sum()) / (FLIPS + 1))


def _every_label_p(baseline: Floats, candidate: Floats) -> float:
    """By every way to label the runs of one case."""
    scores = np.concatenate([baseline, candidate])
    chosen = np.array(list(itertools.combinations(range(len(scores)), len(candidate))))
    return float((scores[chosen].sum(axis=1) <= candidate.sum() + 1e-9).mean())


def _hypergeometric_p(cases: Sequence[tuple[Floats, Floats]]) -> float:
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
