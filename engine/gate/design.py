"""The design of one comparison: everything that is fixed, and hashed, before the first call."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from engine.gate.bounds import ALPHA, ALPHA_CASES, ALPHA_GUARD
from engine.gate.cells import Bools, Floats, Ints
from engine.gate.hypotheses import CLASS_PREFIX, SMALL, Hypothesis, hypotheses
from engine.gate.signflip import FLIPS
from schemas.gate_config import GateConfig, GateMode, SlicePolicy
from schemas.outcomes import MetricSpec
from schemas.values import digest_of

SHARES = (0.10, 0.25, 0.50, 1.0)
"""How much of a big slice each look has seen."""


@dataclass(frozen=True)
class History:
    """What earlier runs of the identical baseline requests say, by case. It is shown, and decides nothing."""

    means: Floats
    """``[cases, metrics]``; NaN without runs."""
    variances: Floats
    """``[cases, metrics]``: variance between runs of one request; NaN below two runs."""


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
    forbids: Bools
    """Cases with texts that the answer must not hold."""
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
    """Of the block test."""
    alpha_cases: float
    """Of breaks of single cases."""
    alpha_guard: float
    """Of guarded slices that break more often than the rest."""
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

    def of_policy(self, *policies: SlicePolicy) -> list[Hypothesis]:
        """Slices with cases that are judged so, on the first metric."""
        return [h for h in self.hypotheses if h.slice is not None and not h.metric and h.cases and h.policy in policies]

    def inside(self, name: str | None) -> Bools:
        """Gating cases of a slice; all for ``None``. Not to be written to."""
        return self._inside[name]

    @cached_property
    def _inside(self) -> dict[str | None, Bools]:
        return {None: self.counted} | {name: self.counted & self.members[k] for k, name in enumerate(self.names)}


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
    forbids: Sequence[bool] | Bools | None = None,
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
    extra, shielded, same = _flags(added, n), _flags(protected, n), _flags(identical, n)
    groups = _groups(slices, labels, gate)
    names = _slice_names(groups, extra, gate)
    members = np.array([[name in group for group in groups] for name in names], dtype=np.bool_).reshape(len(names), n)
    clustered = _clusters(case_ids, clusters)
    gating = [(k, metric) for k, metric in enumerate(metrics) if metric.gates]
    specs = tuple(metric for _, metric in gating)
    tested = hypotheses(names, members=members, counted=~extra, clusters=clustered.units, metrics=specs, gate=gate)
    strata = _strata(members, shielded, extra, same)
    fixed = gate.mode is GateMode.FIXED
    repetitions = np.full(n, gate.repetitions if fixed else 1, dtype=np.int64)
    alpha = _error_rates(tested, protects=bool((shielded & ~extra).any()))
    floored = np.logical_or.reduce(
        [members[names.index(name)] for name in gate.floor.slices],
        initial=gate.floor.overall is not None,
    )
    seed = hashlib.sha256(f"gate {digest}".encode()).hexdigest()
    complete = fixed or _complete_at_once(names, members, shielded, extra, tested)
    return Design(
        ids=tuple(case_ids),
        slices=tuple(tuple(s) for s in slices),
        names=names,
        members=members,
        units=clustered.units,
        unit_names=clustered.names,
        strata=strata,
        protected=shielded,
        identical=same,
        forbids=_flags(forbids, n),
        added=extra,
        metrics=specs,
        columns=tuple(k for k, _ in gating),
        hypotheses=tested,
        repetitions=repetitions,
        looks=_looks(case_ids, strata, np.asarray(~same | (floored & (~same).any())), complete, seed),
        history=history,
        gate=gate,
        alpha=alpha.means / lineages,
        alpha_cases=alpha.cases / lineages,
        alpha_guard=alpha.guards / lineages,
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
                        case_ids, groups, clustered.of_case, shielded, same, extra, repetitions, strict=True
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


def _flags(values: Sequence[bool] | Bools | None, n: int) -> Bools:
    return np.zeros(n, dtype=np.bool_) if values is None else np.asarray(values, dtype=np.bool_)


def _groups(slices: Sequence[Sequence[str]], labels: Sequence[str | None] | None, gate: GateConfig) -> list[set[str]]:
    """Returns the slices of each case; a class with a margin of its own is one of them."""
    groups = [set(of_case) for of_case in slices]
    for group, label in zip(groups, labels or (), strict=False):
        if label in gate.margin.classes:
            group.add(f"{CLASS_PREFIX}{label}")
    return groups


def _slice_names(groups: Sequence[set[str]], extra: Bools, gate: GateConfig) -> tuple[str, ...]:
    """Returns all slices of gating cases, and those that the configuration names, sorted."""
    written = {*gate.margin.slices, *gate.slices, *gate.floor.slices}
    written |= {CLASS_PREFIX + label for label in gate.margin.classes}
    return tuple(sorted(written.union(*(group for group, added in zip(groups, extra, strict=True) if not added))))


class _Clusters(NamedTuple):
    """Which cases count as one."""

    of_case: list[str]
    names: tuple[str, ...]
    units: Ints
    """Index into ``names``, by case."""


def _clusters(case_ids: Sequence[str], clusters: Sequence[str | None]) -> _Clusters:
    """A case without a written cluster is one by itself."""
    of_case = [f"cluster {c}" if c is not None else f"case {i}" for i, c in zip(case_ids, clusters, strict=True)]
    names = tuple(sorted(set(of_case)))
    index = {name: k for k, name in enumerate(names)}
    return _Clusters(of_case, names, np.array([index[name] for name in of_case], dtype=np.int64))


class _ErrorRates(NamedTuple):
    """How the chance of a false block is divided among the tests of this design."""

    means: float
    cases: float
    guards: float


def _error_rates(tested: Sequence[Hypothesis], *, protects: bool) -> _ErrorRates:
    """Returns what no slice needs is spent on the means. ``protects``: there are protected cases."""
    policies = {h.policy for h in tested if h.cases}
    guarded = SlicePolicy.GUARD in policies
    cases = ALPHA_CASES if protects or guarded or SlicePolicy.MUST_PASS in policies else 0.0
    guards = ALPHA_GUARD if guarded else 0.0
    return _ErrorRates(ALPHA - max(cases, guards), cases, guards)


def _strata(members: Bools, *traits: Bools) -> Ints:
    if members.shape[1] == 0:
        return np.zeros(0, dtype=np.int64)
    keys = np.vstack([members, *traits]).T
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _complete_at_once(
    names: Sequence[str], members: Bools, shielded: Bools, extra: Bools, tested: Sequence[Hypothesis]
) -> Bools:
    """Cases that the first look runs without waiting: of small slices, of those that are judged case by case, protected
    and added ones."""
    result = np.asarray(shielded | extra)
    if (~extra).sum() < SMALL:
        result = np.ones_like(result)
    for h in tested:
        if h.slice is not None and (h.cases < SMALL or h.policy in (SlicePolicy.MUST_PASS, SlicePolicy.GUARD)):
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
