"""Simulated pull requests: what a case's chance to pass is under the old and under the new prompt.

The base model: p ~ Beta by slice (means .90 / .75 / .40 / .70 for typical / edge / known_failure / adversarial,
which are 60 / 20 / 10 / 10% of the cases), a + b = 0.5: most cases nearly always pass or nearly always fail, and about
9% differ between two runs of the same request. Nothing here knows how the gate decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

SLICES = (("typical", 0.60, 0.90), ("edge", 0.20, 0.75), ("known_failure", 0.10, 0.40), ("adversarial", 0.10, 0.70))
MEANS = {name: mean for name, _, mean in SLICES}
STORED_RUNS = 8
CHURN = 0.05


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

    def draw(self, chance: np.ndarray) -> np.ndarray:
        """One run of every row."""
        if self.spread is None:
            return (self.rng.random(chance.shape) < chance).astype(float)
        stars = np.clip(np.round(1 + 4 * chance + self.rng.normal(0, self.spread, chance.shape)), 1, 5)
        return (stars - 1) / 4


def base(n: int, rng: np.random.Generator, concentration: float = 0.5) -> World:
    """A test set under the base model; nothing changes."""
    names: list[str] = []
    for name, share, _ in SLICES:
        names += [name] * round(share * n)
    chance = np.array([fresh_chance(MEANS[name], rng, concentration) for name in names])[:, None]
    return World(names, chance, chance.copy(), [None] * len(names), rng=rng)


def fresh_chance(mean: float, rng: np.random.Generator, concentration: float = 0.5) -> float:
    return float(rng.beta(mean * concentration, (1 - mean) * concentration))


def renew(world: World, share: float, concentration: float = 0.5) -> None:
    """Gives a share of the cases a new chance from their slice's distribution: the population stays as it is."""
    for i in np.flatnonzero(world.rng.random(len(world.slices)) < share):
        world.new[i] = fresh_chance(MEANS[world.slices[i]], world.rng, concentration)


def lose(world: World, drop: float, only: str | None = None) -> None:
    """Each slice loses ``drop`` on average: of the cases that are hit half break, half pass half as often."""
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
    """All slices but one gain ``rise`` on average: some cases are fixed outright."""
    others = [i for i, s in enumerate(world.slices) if s != but]
    room = float(np.mean([1 - MEANS[world.slices[i]] for i in others]))
    for i in others:
        if world.rng.random() < rise / room:
            world.new[i] = 1.0


def identical(n: int, rng: np.random.Generator) -> World:
    return base(n, rng)


def neutral(n: int, rng: np.random.Generator) -> World:
    world = base(n, rng)
    renew(world, 0.10)
    return world


def falls(drop: float) -> Callable[[int, np.random.Generator], World]:
    def model(n: int, rng: np.random.Generator) -> World:
        world = base(n, rng)
        renew(world, CHURN)
        lose(world, drop)
        return world

    return model


def slice_falls(n: int, rng: np.random.Generator) -> World:
    """Adversarial loses 30 points while the average gains 3."""
    world = base(n, rng)
    lose(world, 0.30, "adversarial")
    gain(world, (0.03 + 0.10 * 0.30) / 0.90, "adversarial")
    return world


def at_margin(margin: float, name: str) -> Callable[[int, np.random.Generator], World]:
    """One slice stands at a drop of ``margin``; the others don't change."""

    def model(n: int, rng: np.random.Generator) -> World:
        world = base(n, rng)
        lose(world, margin, name)
        return world

    return model


def with_concentration(concentration: float, drop: float = 0.0) -> Callable[[int, np.random.Generator], World]:
    """Quiet (0.1) and noisy (1.0) models."""

    def model(n: int, rng: np.random.Generator) -> World:
        world = base(n, rng, concentration)
        if drop:
            renew(world, CHURN, concentration)
            lose(world, drop)
        return world

    return model


def clustered(drop: float = 0.0) -> Callable[[int, np.random.Generator], World]:
    """Five cases of one cluster have the same chance and the same fate."""

    def model(n: int, rng: np.random.Generator) -> World:
        small = falls(drop)(n // 5, rng) if drop else base(n // 5, rng)
        names = [s for s in small.slices for _ in range(5)]
        groups: list[str | None] = [f"k{i}" for i in range(len(small.slices)) for _ in range(5)]
        return World(names, small.old.repeat(5, axis=0), small.new.repeat(5, axis=0), groups, rng=rng)

    return model


def several_metrics(drop: float = 0.0) -> Callable[[int, np.random.Generator], World]:
    """Three metrics whose chances are the same case by case, and five slices (the fifth crosses the others)."""

    def model(n: int, rng: np.random.Generator) -> World:
        world = falls(drop)(n, rng) if drop else base(n, rng)
        world.old, world.new = world.old.repeat(3, axis=1), world.new.repeat(3, axis=1)
        world.metrics = 3
        world.slices = [f"{s},long" if i % 3 == 0 else s for i, s in enumerate(world.slices)]
        return world

    return model


def judged(drop: float = 0.0) -> Callable[[int, np.random.Generator], World]:
    """A judge's 1-5: case means around 3.9, runs differ by 0.6 stars; the candidate loses ``drop`` of the scale."""

    def model(n: int, rng: np.random.Generator) -> World:
        world = base(n, rng)
        means = np.clip(rng.normal(0.72, 0.18, (len(world.slices), 1)), 0, 1)
        return World(world.slices, means, np.clip(means - drop, 0, 1), world.clusters, spread=0.6, rng=rng)

    return model


def drifted(n: int, rng: np.random.Generator) -> World:
    """Nothing changed but the provider, which lost 5 points since the baseline was stored, for both arms."""
    world = base(n, rng)
    today = base(n, rng)
    today.old, today.new = world.old.copy(), world.old.copy()
    lose(today, 0.05)
    return World(world.slices, world.old, today.new, world.clusters, drift=1.0, rng=rng)


def costs(increase: float) -> Callable[[int, np.random.Generator], World]:
    def model(n: int, rng: np.random.Generator) -> World:
        world = base(n, rng)
        world.cost = increase
        return world

    return model
