"""Simulated pull requests: what a case's chance to pass is under the old and under the new prompt.

The base model: p ~ Beta by slice (means .90 / .75 / .40 / .70 for typical / edge / known_failure / adversarial,
which are 60 / 20 / 10 / 10% of the cases), a + b = 0.3: most cases nearly always pass or nearly always fail, and about
6% differ between two runs of the same request. A rewording changes the result of 8% of the cases for good, as many to
the better as to the worse. Both figures are what recorded answers of real models showed (between 0.06 and 1.1, and
between 5 and 14% for one model). Nothing here knows how the gate decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import numpy as np

SLICES = (("typical", 0.60, 0.90), ("edge", 0.20, 0.75), ("known_failure", 0.10, 0.40), ("adversarial", 0.10, 0.70))
MEANS = {name: mean for name, _, mean in SLICES}
STORED_RUNS = 8
CONCENTRATION = 0.3
CHURN = 0.08


@dataclass
class World:
    """One simulated pull request."""

    slices: list[str]
    old: np.ndarray
    """``[cases, metrics]``: chance to pass (or mean score) under the baseline."""
    new: np.ndarray
    clusters: list[str | None]
    metrics: int = 1
    spread: float | None = None
    """Standard deviation of a judge's score; ``None``: pass or fail."""
    drift: float = 0.0
    """What today's provider loses against the stored baseline, in both arms."""
    cost: float = 0.0
    """Share by which the candidate's output is longer."""
    rng: np.random.Generator = field(default_factory=np.random.default_rng)

    def scores(self, cases: np.ndarray, arms: np.ndarray, repetitions: np.ndarray) -> np.ndarray:  # noqa: ARG002
        """Draws one answer for each cell, ``[cells, metrics]``. ``arms``: 1 behaves as the candidate."""
        return self.draw(np.where((arms == 1)[:, None], self.new[cases], self.old[cases]))

    def draw(self, chance: np.ndarray) -> np.ndarray:
        """Draws one run of every row."""
        if self.spread is None:
            return (self.rng.random(chance.shape) < chance).astype(float)
        stars = np.clip(np.round(1 + 4 * chance + self.rng.normal(0, self.spread, chance.shape)), 1, 5)
        return (stars - 1) / 4


Model = Callable[[int, np.random.Generator], World]


def base(n: int, rng: np.random.Generator, concentration: float = CONCENTRATION) -> World:
    """Draws a test set under the base model without a change."""
    names: list[str] = []
    for name, share, _ in SLICES:
        names += [name] * round(share * n)
    chance = np.array([fresh_chance(MEANS[name], rng, concentration) for name in names])[:, None]
    return World(names, chance, chance.copy(), [None] * len(names), rng=rng)


def fresh_chance(mean: float, rng: np.random.Generator, concentration: float = CONCENTRATION) -> float:
    return float(rng.beta(mean * concentration, (1 - mean) * concentration))


def reword(world: World, churn: float = CHURN, icc: float = 0.0, concentration: float = CONCENTRATION) -> None:
    """Changes the result of a share ``churn`` of each slice's cases for good: p becomes 1 − p. No slice's mean moves.

    ``icc``: correlation, within a cluster, of whether a case changes in one direction: each cluster draws its own rate.
    """
    names = np.array(world.slices)
    hit = np.zeros(len(names), dtype=bool)
    for name, mean in MEANS.items():
        for passes, rate in zip((True, False), _rates(mean, concentration, churn), strict=True):
            inside = np.flatnonzero((names == name) & ((world.old[:, 0] > 0.5) == passes))
            hit[inside] = world.rng.random(len(inside)) < _by_cluster(world, inside, rate, icc)
    world.new[hit] = 1 - world.new[hit]


def _by_cluster(world: World, cases: np.ndarray, rate: float, icc: float) -> np.ndarray:
    if not icc:
        return np.full(len(cases), rate)
    spread = 1 / icc - 1
    names = sorted({str(world.clusters[i]) for i in cases})
    drawn = dict(zip(names, world.rng.beta(rate * spread, (1 - rate) * spread, len(names)), strict=True))
    return np.array([drawn[str(world.clusters[i])] for i in cases])


@cache
def _rates(mean: float, concentration: float, churn: float) -> tuple[float, float]:
    """Returns the shares of mostly passing and mostly failing cases that change, so that the mean stays."""
    p = np.random.default_rng(1).beta(mean * concentration, (1 - mean) * concentration, 200_000)
    down, up = np.maximum(2 * p - 1, 0).mean(), np.maximum(1 - 2 * p, 0).mean()
    breaks = churn / float((p > 0.5).mean() + (p <= 0.5).mean() * down / up)
    fixes = min(breaks * float(down / up), 1.0)
    return fixes * float(up / down), fixes


def lose(world: World, drop: float, only: str | None = None) -> None:
    """Lowers each slice by ``drop`` on average. Of the affected cases, half break and half pass half as often."""
    for name, _, mean in SLICES:
        if only not in (None, name):
            continue
        inside = [i for i, s in enumerate(world.slices) if s == name]
        hit = world.rng.random(len(inside)) < drop / (0.75 * mean)
        full = world.rng.random(len(inside)) < 0.5
        for i, is_hit, is_full in zip(inside, hit, full, strict=True):
            if is_hit:
                world.new[i] *= 0.0 if is_full else 0.5


def gain(world: World, rise: float, but: str) -> None:
    """Raises all slices but one by ``rise`` on average: some cases are fixed completely."""
    others = [i for i, s in enumerate(world.slices) if s != but]
    room = float(np.mean([1 - MEANS[world.slices[i]] for i in others]))
    for i in others:
        if world.rng.random() < rise / room:
            world.new[i] = 1.0


def identical(n: int, rng: np.random.Generator) -> World:
    return base(n, rng)


def neutral(n: int, rng: np.random.Generator) -> World:
    return rewording()(n, rng)


def rewording(churn: float = CHURN, concentration: float = CONCENTRATION, icc: float = 0.0) -> Model:
    """Returns another wording of the same quality. ``icc``: cases of one source (five each, declared as clusters)
    change together."""

    def model(n: int, rng: np.random.Generator) -> World:
        world = base(n, rng, concentration)
        if icc:
            world.clusters = [f"k{i}" for i in rng.permutation(np.arange(len(world.slices)) // 5)]
        reword(world, churn, icc, concentration)
        return world

    return model


def falls(drop: float) -> Model:
    def model(n: int, rng: np.random.Generator) -> World:
        world = base(n, rng)
        reword(world)
        lose(world, drop)
        return world

    return model


def slice_falls(n: int, rng: np.random.Generator) -> World:
    """Returns a rewording in which adversarial loses 30 points for good, while the average gains 3."""
    return slice_breaks(partly=False)(n, rng)


def slice_breaks(*, partly: bool) -> Model:
    """Breaks cases of one slice. ``partly``: half of the affected cases pass half as often; else all of them fail."""

    def model(n: int, rng: np.random.Generator) -> World:
        world = base(n, rng)
        reword(world)
        if partly:
            lose(world, 0.30, "adversarial")
        else:
            inside = [i for i, name in enumerate(world.slices) if name == "adversarial" and world.new[i, 0] > 0.5]
            world.new[
                rng.permutation(np.array(inside, dtype=int))[: round(0.30 * world.slices.count("adversarial"))]
            ] = 0.0
        gain(world, (0.03 + 0.10 * 0.30) / 0.90, "adversarial")
        return world

    return model


def at_margin(margin: float, name: str) -> Model:
    """Lowers one slice by exactly ``margin``. The others don't change."""

    def model(n: int, rng: np.random.Generator) -> World:
        world = base(n, rng)
        lose(world, margin, name)
        return world

    return model


def with_concentration(concentration: float, drop: float = 0.0) -> Model:
    """Returns quiet (0.1) and noisy (1.0) models."""

    def model(n: int, rng: np.random.Generator) -> World:
        world = base(n, rng, concentration)
        if drop:
            reword(world, concentration=concentration)
            lose(world, drop)
        return world

    return model


def clustered(drop: float = 0.0) -> Model:
    """Gives the five cases of a cluster the same pass rate and the same change."""

    def model(n: int, rng: np.random.Generator) -> World:
        small = falls(drop)(n // 5, rng) if drop else base(n // 5, rng)
        names = [s for s in small.slices for _ in range(5)]
        groups: list[str | None] = [f"k{i}" for i in range(len(small.slices)) for _ in range(5)]
        return World(names, small.old.repeat(5, axis=0), small.new.repeat(5, axis=0), groups, rng=rng)

    return model


def several_metrics(drop: float = 0.0) -> Model:
    """Returns three metrics with the same pass rates case by case, and five slices (the fifth crosses the others)."""

    def model(n: int, rng: np.random.Generator) -> World:
        world = falls(drop)(n, rng) if drop else base(n, rng)
        world.old, world.new = world.old.repeat(3, axis=1), world.new.repeat(3, axis=1)
        world.metrics = 3
        world.slices = [f"{s},long" if i % 3 == 0 else s for i, s in enumerate(world.slices)]
        return world

    return model


def judged(drop: float = 0.0) -> Model:
    """Returns a judge's grades 1-5: case means around 3.9, runs differ by 0.6 stars, and the candidate loses ``drop``
    of the scale."""

    def model(n: int, rng: np.random.Generator) -> World:
        world = base(n, rng)
        means = np.clip(rng.normal(0.72, 0.18, (len(world.slices), 1)), 0, 1)
        return World(world.slices, means, np.clip(means - drop, 0, 1), world.clusters, spread=0.6, rng=rng)

    return model


def drifted(n: int, rng: np.random.Generator) -> World:
    """Changes only the provider, which lost 5 points in both arms since the baseline was stored."""
    world = base(n, rng)
    today = base(n, rng)
    today.old, today.new = world.old.copy(), world.old.copy()
    lose(today, 0.05)
    return World(world.slices, world.old, today.new, world.clusters, drift=1.0, rng=rng)


def costs(increase: float) -> Model:
    def model(n: int, rng: np.random.Generator) -> World:
        world = base(n, rng)
        world.cost = increase
        return world

    return model
