"""The design of one comparison: everything that is fixed, and hashed, before the first call."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.gate.bounds import ALPHA, ALPHA_CONTRACTS, ALPHA_POPULATIONS, PLANNING_VARIANCE
from engine.gate.cells import Bools, Floats, Ints
from engine.gate.hypotheses import CLASS_PREFIX, SMALL, Hypothesis, hypotheses
from engine.gate.signflip import FLIPS
from schemas.config import GateConfig, GateMode, SlicePolicy
from schemas.outcomes import MetricSpec
from schemas.values import digest_of

SHARES = (0.10, 0.25, 0.50, 1.0)
"""How much of a big slice each look has seen."""
ENOUGH_RUNS = 8
"""So many stored runs of the identical baseline request say whether a case is stable."""
FLAKY_REPETITIONS = 3
FLAKY_VARIANCE = 0.03
"""Variance between runs from which on a case is flaky: one flip in 30 runs, or a judge that wavers by 0.7 of 5."""


@dataclass(frozen=True)
class History:
    """What earlier runs of the identical baseline requests say, by case. It never enters a difference."""

    runs: Ints
    """How many stored runs there are."""
    means: Floats
    """``[cases, metrics]``; NaN without runs."""
    variances: Floats
    """``[cases, metrics]``: variance between runs of one request; NaN below two runs."""
    lowest: Floats
    """The lowest score of the first metric on record; NaN without runs."""

    def known(self) -> Bools:
        """Cases with enough runs on record to tell."""
        return np.asarray(self.runs >= ENOUGH_RUNS)

    def flaky(self) -> Bools:
        """Cases known to give different scores to the same request."""
        return np.asarray(self.known() & (np.nan_to_num(self.variances).max(axis=1, initial=0) > FLAKY_VARIANCE))

    def stable(self) -> Bools:
        """Cases known to pass every time."""
        return np.asarray(self.known() & ~self.flaky() & (self.lowest >= 1.0))


@dataclass(frozen=True)
class Design:
    """A comparison before its first call. Arrays are by case, in the order that ``design`` was given."""

    ids: tuple[str, ...]
    slices: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    """All slices, sorted; classes with a margin of their own come as ``class <label>``."""
    members: Bools
    """``[slices, cases]``."""
    units: Ints
    """Which cluster a case belongs to."""
    unit_names: tuple[str, ...]
    strata: Ints
    """Cases with exactly the same slices (and protection) share a stratum; those with identical requests are never
    sampled, so they don't stand for those that are."""
    protected: Bools
    identical: Bools
    added: Bools
    """Cases that only the head has: they may tighten the verdict, never loosen it."""
    metrics: tuple[MetricSpec, ...]
    """Those that gate; the first is the overall score."""
    columns: tuple[int, ...]
    """Their columns in ``Observations.scores``."""
    hypotheses: tuple[Hypothesis, ...]
    repetitions: Ints
    looks: tuple[Ints, ...]
    """Cases that each look adds, in order."""
    history: History | None
    gate: GateConfig
    alpha: float
    alpha_contracts: float
    lineages: int
    seed: str
    paired: bool
    """False: there is no baseline; the candidate is judged against floors."""
    new: bool
    """Base has no version of this prompt: only floors that are shown to hold approve it, whatever it is paired with."""
    flips: int
    digest: str

    @cached_property
    def counted(self) -> Bools:
        """Cases of the gating test set."""
        return ~self.added

    @cached_property
    def fresh_from(self) -> int:
        """The first repetition that belongs to this design alone."""
        return 1_000 + 1_000 * (int(self.digest[:8], 16) % 1_000_000)

    def inside(self, name: str | None) -> Bools:
        """Gating cases of a slice; all for ``None``."""
        return self.counted if name is None else self.counted & self.members[self.names.index(name)]


def design(
    case_ids: Sequence[str],
    slices: Sequence[Sequence[str]],
    *,
    clusters: Sequence[str | None],
    protected: Sequence[bool] | Bools,
    metrics: Sequence[MetricSpec],
    identical: Sequence[bool] | Bools,
    gate: GateConfig,
    digest: str,
    lineages: int = 1,
    history: History | None = None,
    added: Sequence[bool] | Bools | None = None,
    labels: Sequence[str | None] | None = None,
    paired: bool = True,
    new: bool = False,
    flips: int = FLIPS,
) -> Design:
    """Plans one comparison.

    ``digest`` is the content digest: requests of both arms, gating tests, policy; it seeds order and signs.
    ``identical``: both arms send the same request, so nothing can differ and nothing is called. ``labels``: the
    expected class by case, for margins by class. ``lineages``: how many comparisons this pull request makes. ``new``:
    base has no version of this prompt, and the baseline, if ``paired``, is a reference. Pure; same input, same design.
    """
    n = len(case_ids)
    extra = np.zeros(n, dtype=np.bool_) if added is None else np.asarray(added, dtype=np.bool_)
    guarded = np.asarray(protected, dtype=np.bool_)
    same = np.asarray(identical, dtype=np.bool_)
    groups = [set(of_case) for of_case in slices]
    for label in sorted(gate.margin.classes):
        for case, given in enumerate(labels or ()):
            if given == label:
                groups[case].add(CLASS_PREFIX + label)
    demanded = {*gate.margin.slices, *gate.slices, *gate.floor.slices, *(CLASS_PREFIX + c for c in gate.margin.classes)}
    gating_groups = [group for group, only_head in zip(groups, extra, strict=True) if not only_head]
    names = tuple(sorted(set().union(*gating_groups, demanded)))
    members = np.array([[name in group for group in groups] for name in names], dtype=np.bool_).reshape(len(names), n)
    cluster_of = [f"cluster {c}" if c is not None else f"case {i}" for i, c in zip(case_ids, clusters, strict=True)]
    unit_names = tuple(sorted(set(cluster_of)))
    index = {name: k for k, name in enumerate(unit_names)}
    units = np.array([index[c] for c in cluster_of], dtype=np.int64)
    gating = [(k, m) for k, m in enumerate(metrics) if m.gates]
    specs = tuple(m for _, m in gating)
    columns = tuple(k for k, _ in gating)
    tested = hypotheses(
        names,
        members=members,
        counted=~extra,
        clusters=units,
        variances=_variances(n, history, columns),
        metrics=specs,
        gate=gate,
    )
    strata = _strata(members, guarded, extra, same)
    fixed = gate.mode is GateMode.FIXED
    repetitions = np.full(n, gate.repetitions if fixed else 1, dtype=np.int64)
    if history is not None and not fixed:
        repetitions[history.flaky()] = FLAKY_REPETITIONS
    strict = (guarded & ~extra).any() or any(h.policy is SlicePolicy.CONTRACT and h.cases for h in tested)
    seed = hashlib.sha256(f"gate {digest}".encode()).hexdigest()
    complete = fixed or _complete_at_once(names, members, guarded, extra, tested)
    return Design(
        ids=tuple(case_ids),
        slices=tuple(tuple(s) for s in slices),
        names=names,
        members=members,
        units=units,
        unit_names=unit_names,
        strata=strata,
        protected=guarded,
        identical=same,
        added=extra,
        metrics=specs,
        columns=columns,
        hypotheses=tested,
        repetitions=repetitions,
        looks=_looks(case_ids, strata, ~same, complete, seed),
        history=history,
        gate=gate,
        alpha=(ALPHA_POPULATIONS if strict else ALPHA) / lineages,
        alpha_contracts=ALPHA_CONTRACTS / lineages if strict else 0.0,
        lineages=lineages,
        seed=seed,
        paired=paired,
        new=new or not paired,
        flips=flips,
        digest=digest_of(
            [
                digest,
                sorted(
                    [i, sorted(g), c, bool(p), bool(s), bool(a), int(r)]
                    for i, g, c, p, s, a, r in zip(
                        case_ids, groups, cluster_of, guarded, same, extra, repetitions, strict=True
                    )
                ),
                [m.model_dump() for m in metrics],
                gate.model_dump(mode="json"),
                [[h.slice, h.metric, h.policy, round(h.margin, 12)] for h in tested],
                lineages,
                paired,
                new,
                flips,
            ]
        ),
    )


def _variances(n: int, history: History | None, columns: Sequence[int]) -> Floats:
    """Planning variance of a difference of two single runs: twice the variance within a case."""
    if history is None:
        return np.full((n, len(columns)), PLANNING_VARIANCE)
    known = 2 * history.variances[:, list(columns)]
    return np.where(np.isnan(known), PLANNING_VARIANCE, known)


def _strata(members: Bools, *traits: Bools) -> Ints:
    if members.shape[1] == 0:
        return np.zeros(0, dtype=np.int64)
    keys = np.vstack([members, *traits]).T
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _complete_at_once(
    names: Sequence[str], members: Bools, guarded: Bools, extra: Bools, tested: Sequence[Hypothesis]
) -> Bools:
    """Cases that the first look runs without waiting: of small slices, of contracts, protected and added ones."""
    result = np.asarray(guarded | extra)
    if (~extra).sum() < SMALL:
        result = np.ones_like(result)
    for h in tested:
        if h.slice is not None and (h.cases < SMALL or h.policy is SlicePolicy.CONTRACT):
            result = result | members[names.index(h.slice)]
    return result


def _looks(ids: Sequence[str], strata: Ints, called: Bools, complete: bool | Bools, seed: str) -> tuple[Ints, ...]:
    """Cases by look. Within a stratum the order is by hash, never by an expected outcome."""
    everything = np.broadcast_to(np.asarray(complete), called.shape)
    rank = [hashlib.sha256(f"{seed}\0{i}".encode()).digest() for i in ids]
    looks: list[list[int]] = [[] for _ in SHARES]
    for stratum in np.unique(strata):
        cases = [int(i) for i in np.flatnonzero((strata == stratum) & called)]
        cases.sort(key=lambda i: rank[i])
        looks[0] += [i for i in cases if everything[i]]
        waiting = [i for i in cases if not everything[i]]
        start = 0
        for k, share in enumerate(SHARES):
            end = -(-len(waiting) * int(share * 100) // 100)
            looks[k] += waiting[start:end]
            start = end
    ordered = [np.array(sorted(look, key=lambda i: rank[i]), dtype=np.int64) for look in looks]
    return tuple(look for look in ordered if len(look))
