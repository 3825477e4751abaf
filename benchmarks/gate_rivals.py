"""What others do, and plain designs, for comparison: written here from their descriptions, on one or three runs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from benchmarks.gate_drive import Tally
from benchmarks.gate_models import SLICES, World
from engine.gate.bounds import ALPHA, ALPHA_GUARD, PLANNING_VARIANCE, certifiable
from schemas.margins import WIDEST

Z95 = 1.645
RAW_MEAN, RAW_SLICE = 0.25 / 4, 0.10
"""A dimension may lose 0.25 of 1-5, a slice 10 points."""
PASS_RATE = 0.75
"""The model's overall mean is 0.80."""


def runs(world: World, repetitions: int) -> np.ndarray:
    """Returns ``[2, cases]``: the mean score of each arm on the first metric."""
    n = len(world.slices)
    arms = (world.old, world.new)
    return np.stack([np.mean([world.draw(a)[:, 0] for _ in range(repetitions)], axis=0).reshape(n) for a in arms])


def masks(world: World) -> list[np.ndarray]:
    names = sorted({name for s in world.slices for name in s.split(",")})
    return [
        np.ones(len(world.slices), bool),
        *(np.array([name in s.split(",") for s in world.slices]) for name in names),
    ]


def fixed(repetitions: int) -> Callable[[World, str], Tally]:
    """Decides by the fixed design: one look, a max-T sign-flip test at 5%, a 96% bound against margins adapted like
    ours."""

    def rule(world: World, _: str) -> Tally:
        baseline, candidate = runs(world, repetitions)
        difference, groups = candidate - baseline, masks(world)
        shares = np.stack([difference * g for g in groups])
        scale = np.sqrt((shares**2).sum(axis=1))
        live = scale > 0
        outcome = "too few cases"
        if live.any():
            signs = world.rng.choice((-1.0, 1.0), (999, len(difference)))
            flipped = (-(signs @ shares[live].T) / scale[live]).max(axis=1)
            observed = (-shares[live].sum(axis=1) / scale[live]).max()
            if (1 + (flipped >= observed - 1e-9).sum()) / 1000 <= 0.05:
                outcome = "blocked"
        if outcome != "blocked" and all(_certified(difference[g], k) for k, g in enumerate(groups)):
            outcome = "approved"
        return Tally(outcome, repetitions, repetitions)

    return rule


def _certified(difference: np.ndarray, k: int) -> bool:
    n, variance = len(difference), PLANNING_VARIANCE
    reach = math.sqrt((1.75 + Z95) ** 2 * (n * variance + 2) / (n + 2) ** 2)
    if k and reach > 0.25:
        return True
    padded = np.concatenate([difference, [1.0, -1.0]])
    return bool(-padded.mean() + 1.75 * padded.std() / math.sqrt(n + 2) <= max(0.10 if k else 0.05, reach))


def raw_thresholds(world: World, _: str) -> Tally:
    """Blocks when the mean loses over 0.25 of 1-5, a slice over 10 points, or cost rises by over 20%: one run."""
    baseline, candidate = runs(world, 1)
    drops = [(baseline[g] - candidate[g]).mean() for g in masks(world)]
    noise = np.exp(world.rng.normal(0, 0.35, (2, len(baseline)))).mean(axis=1)
    dearer = noise[1] * (1 + world.cost) / noise[0] > 1.20
    blocked = drops[0] > RAW_MEAN + 1e-9 or max(drops[1:]) > RAW_SLICE + 1e-9 or dearer
    return Tally("blocked" if blocked else "approved", 1, 1)


def any_drop(world: World, _: str) -> Tally:
    baseline, candidate = runs(world, 1)
    return Tally("blocked" if candidate.mean() < baseline.mean() - 1e-9 else "approved", 1, 1)


def any_slice_drop(world: World, _: str) -> Tally:
    baseline, candidate = runs(world, 1)
    fell = any(candidate[g].mean() < baseline[g].mean() - 1e-9 for g in masks(world))
    return Tally("blocked" if fell else "approved", 1, 1)


def pass_rate(world: World, _: str) -> Tally:
    """Blocks when the candidate alone passes fewer than 75% of the cases."""
    return Tally("blocked" if runs(world, 1)[1].mean() < PASS_RATE else "approved", 1, 1)


def mcnemar_holm(world: World, _: str) -> Tally:
    """Decides by an exact one-sided McNemar test by slice and overall, with Holm's correction at 5%. Otherwise
    approves."""
    baseline, candidate = runs(world, 1)
    tests = []
    for g in masks(world):
        worse = int((candidate[g] < baseline[g]).sum())
        total = worse + int((candidate[g] > baseline[g]).sum())
        tests.append(sum(math.comb(total, k) for k in range(worse, total + 1)) / 2**total)
    return Tally("blocked" if min(tests) <= 0.05 / len(tests) else "approved", 1, 1)


def oracle(world: World, _: str) -> Tally:
    """Knows every case's chance to pass: the sign-flip test on the true differences, over the means that ours tests."""
    difference, n = (world.new - world.old)[:, 0], len(world.slices)
    names = np.array(world.slices)
    means = [name for name, share, _ in SLICES if name != "adversarial" and _judged_by_mean(share * n)]
    shares = np.stack([difference, *(difference * (names == name) for name in means)])
    scale = np.sqrt((shares**2).sum(axis=1))
    live = scale > 0
    if not live.any():
        return Tally("approved", 0, 0)
    signs = world.rng.choice((-1.0, 1.0), (999, n))
    flipped = (-(signs @ shares[live].T) / scale[live]).max(axis=1)
    p = (1 + (flipped >= (-shares[live].sum(axis=1) / scale[live]).max() - 1e-9).sum()) / 1000
    return Tally("blocked" if p <= ALPHA - ALPHA_GUARD else "approved", 0, 0)


def _judged_by_mean(cases: float) -> bool:
    return certifiable(round(cases), PLANNING_VARIANCE) <= WIDEST


RIVALS: dict[str, Callable[[World, str], Tally]] = {
    "oracle": oracle,
    "fixed, 3 runs": fixed(3),
    "fixed, 1 run": fixed(1),
    "McNemar + Holm": mcnemar_holm,
    "raw thresholds": raw_thresholds,
    "any drop": any_drop,
    "any drop of a slice": any_slice_drop,
    "pass rate ≥ 75%": pass_rate,
}
