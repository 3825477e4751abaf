"""Says what the broken cases have in common, if it is more than chance."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence

import numpy as np

from engine.gate.cells import Bools, Ints
from engine.patterns.confusions import FEWEST, confusions
from engine.patterns.features import features
from engine.patterns.overlap import adjusted_ps
from schemas.blame import Pattern
from schemas.effects import Answer, CaseEffect, CaseOutcome
from schemas.outcomes import MetricSpec, Outcome
from schemas.testsets import TestCase

LEVEL = 0.025
"""The largest adjusted p of a feature, and of a confusion. Together, a false pattern has a chance of at most 5%."""
SHARE = 0.3
"""The smallest share of the broken cases that has it."""
SAME = 0.75
"""Share of common broken cases from which two features say the same."""
MOST = 3
MOST_CASES = 1_500
"""The most cases that broken ones are compared with."""


def patterns(
    cases: Sequence[TestCase],
    effects: Sequence[CaseEffect],
    outcomes: Sequence[Outcome],
    *,
    metrics: Sequence[MetricSpec],
    clusters: Sequence[str | None],
    labels: Sequence[str],
    seed: int,
) -> tuple[Pattern, ...]:
    """Returns at most three patterns, the clearest first.

    Broken cases are compared with those that could have broken too: they ran in both arms, and passed in the baseline.
    ``labels`` are those of a classification with one label by case.
    """
    broken = frozenset(n for n, effect in enumerate(effects) if effect.result is CaseOutcome.REGRESSED)
    if len(broken) < FEWEST:
        return ()
    # A label that is read as another says more than any feature of the cases.
    confused = confusions(effects, labels, clusters, LEVEL) if labels else []
    chosen = np.array(sorted([*broken, *_compared(effects, broken)]))
    has = features([cases[n] for n in chosen], _of(chosen, outcomes), metrics)
    is_broken: Bools = np.isin(chosen, list(broken))
    ps = adjusted_ps(has, is_broken, [clusters[n] or n for n in chosen.tolist()], seed)
    clear = [(ps[said], said, of) for said, of in has.items() if ps[said] <= LEVEL]
    taken = [is_broken & np.isin(chosen, members) for _, members in confused]
    return (*(pattern for pattern, _ in confused), *_distinct(clear, is_broken, taken))[:MOST]


def failing_patterns(
    cases: Sequence[TestCase], failing: Collection[int], *, clusters: Sequence[Hashable], seed: int
) -> tuple[Pattern, ...]:
    """Returns at most three patterns of the cases that fail with one version, the clearest first."""
    if len(failing) < FEWEST:
        return ()
    has = features(cases, (), ())
    fails: Bools = np.isin(np.arange(len(cases)), list(failing))
    ps = adjusted_ps(has, fails, clusters, seed)
    clear = [(ps[said], said, of) for said, of in has.items() if ps[said] <= LEVEL]
    return tuple(_distinct(clear, fails, [], "failing", "other cases"))[:MOST]


def _compared(effects: Sequence[CaseEffect], broken: frozenset[int]) -> list[int]:
    """Returns the cases that could have broken too, or a part of them if they are many."""
    others = [n for n, effect in enumerate(effects) if n not in broken and _passed(effect)]
    return others[:: max(1, -(-len(others) // MOST_CASES))]


def _of(chosen: Ints, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Returns the outcomes of the chosen cases, numbered by their place among them."""
    places = {n: place for place, n in enumerate(chosen.tolist())}
    return [
        outcome.model_copy(update={"cell": outcome.cell.model_copy(update={"case": places[outcome.cell.case]})})
        for outcome in outcomes
        if outcome.cell.case in places
    ]


def _passed(effect: CaseEffect) -> bool:
    return effect.change is not None and not effect.added and _mean(effect.baseline) >= 0.5


def _mean(answers: Sequence[Answer]) -> float:
    known = [(answer.score, answer.count) for answer in answers if answer.score is not None]
    return sum(score * count for score, count in known) / max(sum(count for _, count in known), 1)


def _distinct(
    clear: Sequence[tuple[float, str, Bools]],
    broken: Bools,
    taken: list[Bools],
    marked: str = "broken",
    unmarked: str = "other cases that passed before",
) -> list[Pattern]:
    """Returns the clearest features as patterns, without those that mark the same cases as a clearer one or as
    ``taken``. ``marked`` and ``unmarked`` name the two kinds of cases in a sentence."""
    total, result = int(broken.sum()), list[Pattern]()
    # Of features that are equally clear, the one with the fewest other cases, and of those the longest words.
    order = sorted(clear, key=lambda each: (each[0], -int((each[2] & broken).sum()), int(each[2].sum()), -len(each[1])))
    for p, said, of in order:
        inside = of & broken
        count, others = int(inside.sum()), int((of & ~broken).sum())
        if count < max(FEWEST, SHARE * total) or any((inside & t).sum() >= SAME * (inside | t).sum() for t in taken):
            continue
        taken.append(inside)
        rest = len(broken) - total
        compared = f", against {others or 'none'} of the {rest} {unmarked}" if rest else ""
        which = f"All {total}" if count == total else f"{count} of the {total}"
        sentence = f"{which} {marked} cases {said}{compared}."
        result.append(Pattern(sentence=sentence, broken=count, of=total, others=others, of_others=rest, p=p))
    return result
