"""Compares production's decisions with those on the version's test set, whose slices are weighted as in production."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from engine.drift.counts import OTHER, DayCounts, Floats, table
from engine.drift.evidence import log_evidence, shift
from engine.drift.reading import Level, Question, Reading, level_of
from engine.drift.sentences import moved, points, visible_sentence
from engine.drift.shares import moves_of
from engine.drift.visible import sees_from

LEAST_CASES = 30
"""Fewest cases with a decision."""
LEAST_GROUP = 5
"""Smallest group of cases with a weight of its own. Cases of smaller groups count together."""
LEAST_DECISIONS = 100
ROUNDS = 200
"""Steps of the expectation-maximization."""


@dataclass(frozen=True)
class StagedCase:
    """One case of the test set, as the version answered it."""

    slices: tuple[str, ...]
    decision: str


def against_staging(
    cases: Sequence[StagedCase], days: Sequence[DayCounts], today: date, dispersion: float | None
) -> Reading:
    """Returns the reading of ``today`` for one version.

    ``days`` are those on which production ran the version. ``dispersion`` is that of its own past; ``None``: not known
    yet. A test set's mix of slices differs from production's, which by itself is not drift. So the weights of the
    slices are those with which the test set comes closest to production, and what remains is the difference.
    """
    seen = [one for one in days if one.total and one.day <= today]
    decided = [case for case in cases if case.decision]
    total = sum(one.total for one in seen)
    why = _missing(len(decided), total, dispersion)
    if why or dispersion is None:
        return Reading(question=Question.STAGING, level=Level.NO_DATA, day=today, why=why)
    labels = (*sorted({case.decision for case in decided} - {OTHER}), OTHER)
    now = table(seen, labels).sum(axis=0)
    groups = _groups(decided, labels)
    weights = _weights(groups, now)
    before = _weighted(groups, weights)
    scaled = now / dispersion
    evidence, size = log_evidence(before, scaled), shift(before, scaled)
    level = level_of(evidence, size)
    per_day = total / len(seen)
    smallest = sees_from(before, per_day, dispersion)
    moves = moves_of(labels, before, scaled) if level is not Level.OK else ()
    if level is Level.OK:
        sentence = f"The decisions match the test set's. {visible_sentence(smallest)}"
    else:
        how = "differ" if level is Level.ALERT else "may differ"
        sentence = f"The decisions {how} from the test set's by {points(size)} points: {moved(moves)}"
    return Reading(
        question=Question.STAGING,
        level=level,
        day=today,
        why=sentence,
        shift=size,
        log_evidence=evidence,
        sees_from=smallest,
        per_day=per_day,
        moves=moves,
    )


def _missing(cases: int, decisions: int, dispersion: float | None) -> str:
    if cases < LEAST_CASES:
        return f"the version's measurement has {cases} cases with a decision, and {LEAST_CASES} are needed"
    if decisions < LEAST_DECISIONS:
        return f"the version has made {decisions} decisions in production, and {LEAST_DECISIONS} are needed"
    if dispersion is None:
        return "the day-to-day variation is not known yet: it needs a baseline of the prompt's own past"
    return ""


def _groups(cases: Sequence[StagedCase], labels: Sequence[str]) -> Floats:
    """Returns ``[groups, labels]``: the decisions of cases in the same slices."""
    sizes = Counter(case.slices for case in cases)
    names = sorted(name for name, size in sizes.items() if size >= LEAST_GROUP)
    rows: list[tuple[str, ...] | None] = [*names]
    if any(size < LEAST_GROUP for size in sizes.values()):
        rows.append(None)
    index, at = {name: k for k, name in enumerate(labels)}, {name: k for k, name in enumerate(rows)}
    result = np.zeros((len(rows), len(labels)))
    for case in cases:
        result[at[case.slices if case.slices in at else None], index[case.decision]] += 1
    return result


def _weights(groups: Floats, now: Floats) -> Floats:
    """Returns the weight of each group with which the groups' mix is closest to production (maximum likelihood).

    Expectation-maximization for the proportions of a mixture with known components (Dempster, Laird & Rubin 1977).
    """
    # Half a case everywhere: a label that a small group happens not to have isn't impossible there.
    shares = groups + 0.5 / groups.shape[1]
    shares /= shares.sum(axis=1, keepdims=True)
    weights: Floats = groups.sum(axis=1) / groups.sum()
    for _ in range(ROUNDS):
        joint = weights[:, None] * shares
        weights = (joint / joint.sum(axis=0) * now).sum(axis=1) / now.sum()
    return weights


def _weighted(groups: Floats, weights: Floats) -> Floats:
    """Returns the weighted counts, scaled to as many cases as they are worth (Kish 1965: 1 / Σ w² / n)."""
    sizes = groups.sum(axis=1)
    worth = 1.0 / float((weights**2 / sizes).sum())
    result: Floats = (weights[:, None] * groups / sizes[:, None]).sum(axis=0) * worth
    return result
