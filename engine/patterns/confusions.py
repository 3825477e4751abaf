"""Finds the pairs of labels that are confused more often than before."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from engine.readers.bounded import shown
from schemas.blame import Pattern
from schemas.effects import Answer, CaseEffect

FEWEST = 3
"""The fewest cases of which anything is said."""

Pair = tuple[str, str]
"""The expected label and the given one."""


def confusions(
    effects: Sequence[CaseEffect], labels: Sequence[str], clusters: Sequence[str | None], level: float
) -> list[tuple[Pattern, list[int]]]:
    """Returns the pairs of labels that are confused more often than before, with the cases that are new.

    A sign test over the clusters that changed, adjusted for all pairs.
    """
    said = {
        n: (effect.expected, _said(effect.baseline), _said(effect.candidate))
        for n, effect in enumerate(effects)
        if effect.change is not None and isinstance(effect.expected, str) and not effect.added
    }
    new, gone = _changed(said)
    pairs = sorted(pair for pair in new.keys() | gone.keys() if pair[0] != pair[1] and pair[1] in labels)
    now = Counter((expected, given) for expected, _, given in said.values())
    result = []
    for pair in pairs:
        more, fewer = ({clusters[n] or n for n in changed[pair]} for changed in (new, gone))
        p = min(1.0, len(pairs) * _sign_p(len(more), len(more) + len(fewer)))
        if p <= level and len(more) >= FEWEST:
            before, after = now[pair] - len(new[pair]) + len(gone[pair]), now[pair]
            sentence = f"“{shown(pair[0])}” read as “{shown(pair[1])}”: {before} → {after} cases."
            pattern = Pattern(
                kind="labels", sentence=sentence, broken=after, of=len(said), others=before, of_others=len(said), p=p
            )
            result.append((pattern, new[pair]))
    return sorted(result, key=lambda each: each[0].p)


def _changed(said: Mapping[int, tuple[str, str, str]]) -> tuple[dict[Pair, list[int]], dict[Pair, list[int]]]:
    """Returns, by pair, the cases that have come to it and those that have left it."""
    new: dict[Pair, list[int]] = defaultdict(list)
    gone: dict[Pair, list[int]] = defaultdict(list)
    for n, (expected, was, given) in said.items():
        if was != given:
            new[expected, given].append(n)
            gone[expected, was].append(n)
    return new, gone


def _said(answers: Sequence[Answer]) -> str:
    """Returns the most frequent answer."""
    counts: Counter[str] = Counter()
    for answer in answers:
        counts[answer.text] += answer.count
    return counts.most_common(1)[0][0] if counts else ""


def _sign_p(more: int, all_changed: int) -> float:
    return float(sum(math.comb(all_changed, k) for k in range(more, all_changed + 1)) / 2**all_changed)
