"""Simulates judges: comparing against grading, and juries against single judges.

    python -m benchmarks.judging               about a minute and a half
    python -m benchmarks.judging --pulls 2000  more simulated pull requests

The tables are kept in ``benchmarks/results/judging.md``.

An answer has a latent quality on the scale of the grades: that of its case, plus chance. The candidate's is lower by a
small difference on average, which varies between cases. A judge sees quality with noise. A grade is rounded to 1 … 5,
in two calls whose grades are averaged. A comparison sees the difference with the noise of two looks, and prefers the
place A a little; both orders must agree. Every figure about verdicts comes from the real gate.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.gate.cells import Batch, Floats, Ints, Observations
from engine.gate.design import Design, design
from engine.gate.protocol import protocol
from engine.records.replay import converse
from schemas.gate_config import GateConfig
from schemas.outcomes import MetricSpec
from schemas.verdicts import VerdictStatus

RESULTS = Path(__file__).parent / "results" / "judging.md"
PREFACE = """# Judges, simulated

{pulls} pull requests per figure, and {more} where nothing changed, each through the real gate. No figure comes from a
real model. Qualities are in grades (1 to 5). A case's quality is normal, with a mean of {level} (good answers: 4.7) and
a deviation of {cases}. An answer's chance has a deviation of {answers}, and the difference between the versions varies
between cases with a deviation of {churn}. A judge notices a difference from {noticed} grades. The noise of a look is
0.1 grades (exact), 0.5 (noisy, and all juries) or 0.3 (the rest). Standards that vary between calls have a deviation of
0.6 grades. The first place is worth 0.4 grades.

"""
LEVEL, CASES, ANSWERS, CHURN, NOTICED = 3.5, 0.8, 0.3, 0.3, 0.1
Z_ALPHA, Z_POWER = 1.81, 0.84
"""Normal quantiles of the block test's error rate of 3.5%, and of a power of 80%."""
SAMPLE = 200_000
MORE = 8
"""Times as many pull requests where nothing changed: these shares are small."""
FLIPS = 999


@dataclass(frozen=True)
class World:
    """One pull request's versions, and how judges see them."""

    drop: float
    """How much worse the candidate is on average, in grades."""
    noise: float
    """Deviation of one look of a judge at one answer, in grades."""
    mood: float = 0.0
    """Deviation of a judge's standard between its calls, in grades. The two answers of one comparison share it."""
    level: float = LEVEL
    """Mean quality, in grades."""
    place: float = 0.0
    """How much better the answer shown first seems, in grades."""
    judges: int = 1
    apart: float = 0.0
    """Deviation of the judges' strictness, in grades."""
    wild: float = 0.0
    """Share of looks that see something else."""
    fooled: int = 0
    """Judges who give the candidate the best grade."""


class Versions:
    """The cases of one pull request."""

    def __init__(self, world: World, cases: int, rng: np.random.Generator) -> None:
        self.world = world
        self.rng = rng
        self.quality = rng.normal(world.level, CASES, cases)
        self.change = rng.normal(-world.drop, CHURN, cases)
        self.strictness = rng.normal(0, world.apart, world.judges)

    def answers(self, cases: Ints, arms: Ints) -> Floats:
        """Returns the qualities of new answers."""
        return self.quality[cases] + self.change[cases] * arms + self.rng.normal(0, ANSWERS, len(cases))

    def votes(self, cases: Ints, arms: Ints) -> Floats:
        """Returns each judge's averaged grade of new answers: ``[judges, cells]`` from 1 to 5."""
        quality, world = self.answers(cases, arms), self.world
        found = np.empty((world.judges, len(cases)))
        for judge in range(world.judges):
            seen = (
                quality
                + self.strictness[judge]
                + self.rng.normal(0, np.hypot(world.noise, world.mood), (2, len(cases)))
            )
            other = self.rng.random(seen.shape) < world.wild
            grades = np.where(other, self.rng.integers(1, 6, seen.shape), np.clip(np.round(seen), 1, 5))
            found[judge] = grades.mean(axis=0)
            if judge < world.fooled:
                found[judge] = np.where(arms == 1, 5, found[judge])
        return found

    def grades(self, cases: Ints, arms: Ints) -> Floats:
        """Returns the scores of a judge that grades, or of a jury."""
        return (np.median(self.votes(cases, arms), axis=0) - 1) / 4

    def preferences(self, cases: Ints, arms: Ints) -> Floats:
        """Returns the scores of a judge that compares: the candidate's, and one half for the baseline."""
        old, new = self.answers(cases, np.zeros_like(arms)), self.answers(cases, np.ones_like(arms))
        orders = [
            new - old + sign * self.world.place + self.rng.normal(0, self.world.noise * np.sqrt(2), len(cases))
            for sign in (1, -1)
        ]
        first, second = (np.where(np.abs(seen) < NOTICED, 0, np.sign(seen)) for seen in orders)
        preferred = np.where(first == second, first, 0)
        return np.where(arms == 1, (1 + preferred) / 2, 0.5)


Scores = Callable[[Versions, Ints, Ints], Floats]
WAYS: dict[str, Scores] = {"grades": Versions.grades, "pairs": Versions.preferences}
METRICS = {
    "grades": [MetricSpec(name="overall")],
    "pairs": [MetricSpec(name="preference", kind="preference"), MetricSpec(name="usable answer", kind="usable")],
}


def planned(way: str, cases: int, name: str) -> Design:
    return design(
        [f"c{i}" for i in range(cases)],
        [[] for _ in range(cases)],
        clusters=[None] * cases,
        protected=[False] * cases,
        metrics=METRICS[way],
        identical=[False] * cases,
        gate=GateConfig(max_cost_increase=None),
        digest=hashlib.sha256(name.encode()).hexdigest(),
        flips=FLIPS,
    )


def observed(versions: Versions, way: str, batch: Batch) -> Observations:
    size, arms = len(batch), batch.arms.astype(np.int64)
    first = WAYS[way](versions, batch.cases, arms)
    return Observations(
        scores=np.column_stack([first, *([np.ones(size)] * (len(METRICS[way]) - 1))]),
        missing=np.zeros(size, dtype=np.bool_),
        forbidden=np.zeros(size, dtype=np.bool_),
        input_tokens=np.full(size, 400.0),
        output_tokens=np.full(size, 100.0),
        cost_usd=np.full(size, 0.001),
        latency_s=np.ones(size),
        made_at=np.zeros(size),
    )


def verdicts(world: World, way: str, cases: int, pulls: int) -> dict[VerdictStatus, float]:
    """Returns the share of each verdict."""
    counts = dict.fromkeys(VerdictStatus, 0)
    for number in range(pulls):
        versions = Versions(world, cases, np.random.default_rng([number, cases]))
        plan = planned(way, cases, f"{way} {world} {cases} {number}")
        found = converse(protocol(plan), lambda batch, of=versions: observed(of, way, batch))
        counts[found.status] += 1
    return {status: count / pulls for status, count in counts.items()}


def needed(world: World, way: str) -> float | None:
    """Returns about how many cases block the drop with a power of 80% in one look; ``None`` if no number does."""
    versions = Versions(world, SAMPLE, np.random.default_rng(7))
    cases = np.arange(SAMPLE)
    old, new = (WAYS[way](versions, cases, np.full(SAMPLE, arm)) for arm in (0, 1))
    apart = new - old
    return float(((Z_ALPHA + Z_POWER) / apart.mean()) ** 2 * apart.var()) if apart.mean() < 0 else None


def percent(share: float) -> str:
    return f"{100 * share:.1f}%"


SITUATIONS = {
    "exact": World(drop=0.2, noise=0.1),
    "noisy": World(drop=0.2, noise=0.5),
    "standards vary between calls": World(drop=0.2, noise=0.3, mood=0.6),
    "good answers, many at grade 5": World(drop=0.2, noise=0.3, level=4.7),
    "good answers, varying standards": World(drop=0.2, noise=0.3, mood=0.6, level=4.7),
    "prefers the first place": World(drop=0.2, noise=0.3, mood=0.6, place=0.4),
}


def comparing(pulls: int, cases: int) -> Iterator[str]:
    yield "## Grades against pairs\n"
    yield (
        f"A drop of 0.2 grades: cases for a power of 80%, and what the gate blocks with {cases} cases. Grading takes "
        "four judge calls a case, a comparison two. With grades, this drop is 5 points, which the default margin of 11 "
        "points allows: the gate may approve it before it is proven. A comparison can't tell small losses from large "
        "ones.\n"
    )
    yield "| judge | cases, grades | cases, pairs | ratio | judge calls, ratio | blocked, grades | blocked, pairs |"
    yield "|---|---|---|---|---|---|---|"
    for name, world in SITUATIONS.items():
        grades, pairs = (needed(world, way) or np.nan for way in WAYS)
        blocked = [percent(verdicts(world, way, cases, pulls)[VerdictStatus.BLOCKED]) for way in WAYS]
        ratio = pairs / grades
        yield f"| {name} | {grades:,.0f} | {pairs:,.0f} | {ratio:.2f} | {ratio / 2:.2f} | {' | '.join(blocked)} |"
    yield "\n## Nothing changed\n"
    yield "Verdicts on versions that are equally good on average.\n"
    yield "| way | cases | first place | blocked | needs review | approved | too few cases |"
    yield "|---|---|---|---|---|---|---|"
    for way in WAYS:
        for size in (40, cases):
            for place in (0.0, 0.4) if way == "pairs" else (0.0,):
                found = verdicts(World(drop=0, noise=0.3, place=place), way, size, MORE * pulls)
                order = ("BLOCKED", "NEEDS_REVIEW", "APPROVED", "INCONCLUSIVE")
                shares = " | ".join(percent(found[VerdictStatus[name]]) for name in order)
                yield f"| {way} | {size} | +{place} | {shares} |"


def juries(pulls: int, cases: int) -> Iterator[str]:
    base = World(drop=0.2, noise=0.5, apart=0.4, wild=0.1)
    yield "\n## Juries\n"
    yield (
        f"A drop of {base.drop} grades and {cases} cases. One look in ten of a judge sees something else, and the "
        f"judges' strictness varies by {base.apart} grades. A fooled judge gives the candidate the best grade.\n"
    )
    yield "| judges | fooled | agree within half a grade | mean spread, grades | cases for 80% | blocked | approved |"
    yield "|---|---|---|---|---|---|---|"
    for judges in (1, 3, 5):
        for fooled in (0, 1):
            world = replace(base, judges=judges, fooled=fooled)
            spread = _spread(world)
            alike, mean = ("–", "–") if judges == 1 else (percent((spread <= 0.5).mean()), f"{spread.mean():.2f}")
            found = verdicts(world, "grades", cases, pulls)
            count = needed(world, "grades")
            size = "–" if count is None else f"{count:,.0f}"
            shares = " | ".join(percent(found[status]) for status in (VerdictStatus.BLOCKED, VerdictStatus.APPROVED))
            yield f"| {judges} | {fooled} | {alike} | {mean} | {size} | {shares} |"


def _spread(world: World) -> Floats:
    """Returns, by answer of many pull requests, the grades between the lowest and the highest judge."""
    found = []
    for number in range(200):
        votes = Versions(world, 100, np.random.default_rng([number, 11])).votes(np.arange(100), np.ones(100, dtype=int))
        found.append(np.ptp(votes, axis=0))
    return np.concatenate(found)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pulls", type=int, default=60)
    options.add_argument("--cases", type=int, default=120)
    options.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    chosen = options.parse_args()
    text = PREFACE.format(
        pulls=chosen.pulls,
        more=MORE * chosen.pulls,
        level=LEVEL,
        cases=CASES,
        answers=ANSWERS,
        churn=CHURN,
        noticed=NOTICED,
    )
    for lines in (comparing(chosen.pulls, chosen.cases), juries(chosen.pulls, chosen.cases)):
        for line in lines:
            text += line + "\n"
            print(line, flush=True)
    if chosen.write:
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
