"""The design of one comparison: everything that is fixed and hashed before the first call."""

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
"""Share of a large slice that has been seen at each look."""


@dataclass(frozen=True)
class History:
    """Statistics of stored runs of the same baseline requests, by case. They are shown and decide nothing."""

    means: Floats
    """``[cases, metrics]``; NaN without runs."""
    variances: Floats
    """``[cases, metrics]``: variance between runs of one request; NaN below two runs."""


@dataclass(frozen=True)
class Design:
    """A comparison before its first call. Arrays are by case, in the order given to ``design``."""

    ids: tuple[str, ...]
    slices: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    """All slices, sorted. A class with a margin of its own appears as ``class <label>``."""
    members: Bools
    """``[slices, cases]``."""
    units: Ints
    """Index of each case's cluster in ``unit_names``."""
    unit_names: tuple[str, ...]
    strata: Ints
    """Stratum of each case. Cases with the same slices and protection share one. Cases with identical requests have
    strata of their own: they are never sampled and can't represent cases that are."""
    protected: Bools
    identical: Bools
    forbids: Bools
    """Cases that forbid some text in the answer."""
    added: Bools
    """Cases that only the head has. They may tighten the verdict, never loosen it."""
    metrics: tuple[MetricSpec, ...]
    """Metrics that gate. The first is the overall score."""
    columns: tuple[int, ...]
    """Columns of ``metrics`` in ``Observations.scores``."""
    hypotheses: tuple[Hypothesis, ...]
    repetitions: Ints
    looks: tuple[Ints, ...]
    """Cases that each look adds, in order."""
    history: History | None
    gate: GateConfig
    alpha: float
    """Error rate of the block test."""
    alpha_cases: float
    """Error rate of the tests of single cases."""
    alpha_guard: float
    """Error rate of the tests of guarded slices."""
    lineages: int
    seed: str
    paired: bool
    """Whether there is a baseline. Without one, the candidate is judged by its floors."""
    new: bool
    """Whether the base has no version of this prompt. Then only floors that are shown to hold approve it, even if it is
    compared with a reference."""
    flips: int
    digest: str

    @cached_property
    def counted(self) -> Bools:
        """Cases that count for the verdict: those that the base has."""
        return ~self.added

    @cached_property
    def case_metric(self) -> int:
        """Index of the metric by which single cases are tested: the first one, unless versions are compared.

        A preference belongs to a pair of runs. Tests that permute the runs of both versions would be wrong for it, so
        they use whether each answer is usable.
        """
        return next((k for k, metric in enumerate(self.metrics) if metric.kind == "usable"), 0)

    @cached_property
    def fresh_from(self) -> int:
        """The first repetition reserved for this design."""
        return 1_000 + 1_000 * (int(self.digest[:8], 16) % 1_000_000)

    def of_policy(self, *policies: SlicePolicy) -> list[Hypothesis]:
        """Returns the slices with one of these policies that have cases, on the first metric."""
        return [h for h in self.hypotheses if h.slice is not None and not h.metric and h.cases and h.policy in policies]

    def inside(self, name: str | None) -> Bools:
        """Returns the gating cases of a slice, or all for ``None``. Callers must not modify the array."""
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
    """Plans one comparison. The same input gives the same design.

    ``digest`` is the content digest of the requests of both arms, the gating tests and the policy. It seeds the order
    of cases and the signs. ``identical`` marks cases for which both arms send the same request: they can't differ and
    are not called. ``labels`` holds the expected class of each case, for margins by class. ``lineages`` is the number
    of comparisons of this pull request. ``new`` says that the base has no version of this prompt; the baseline, if
    ``paired``, is then a reference.
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
    # A fixed plan repeats every case as configured. Otherwise repetitions are added where they help.
    repetitions = np.full(n, gate.repetitions if fixed else 1, dtype=np.int64)
    # Error rates are divided before the first call, because a division that depends on the data would exceed α.
    alpha = _error_rates(tested, protects=bool((shielded & ~extra).any()))
    # A floor needs the candidate's own score, even if both arms send the same request.
    floored = np.logical_or.reduce(
        [members[names.index(name)] for name in gate.floor.slices],
        initial=gate.floor.overall is not None,
    )
    # The seed follows from the content, so re-running a pull request never gives a luckier draw.
    seed = hashlib.sha256(f"gate {digest}".encode()).hexdigest()
    # A fixed plan is one look, so nothing can stop it early.
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
        # Identical cases are called only if a floor needs their scores.
        looks=_looks(case_ids, strata, np.asarray(~same | (floored & (~same).any())), complete, seed),
        history=history,
        gate=gate,
        # Several prompts in one pull request share one error rate (Bonferroni).
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
                # Sorted, so that the digest doesn't depend on the order of cases in the file.
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
    """Returns the slices of each case, including its class if that class has a margin of its own."""
    groups = [set(of_case) for of_case in slices]
    for group, label in zip(groups, labels or (), strict=False):
        if label in gate.margin.classes:
            group.add(f"{CLASS_PREFIX}{label}")
    return groups


def _slice_names(groups: Sequence[set[str]], extra: Bools, gate: GateConfig) -> tuple[str, ...]:
    """Returns the slices of all gating cases and those that the configuration names, sorted."""
    # Slices without cases are kept: the policy names them, so their absence must be reported.
    written = {*gate.margin.slices, *gate.slices, *gate.floor.slices}
    written |= {CLASS_PREFIX + label for label in gate.margin.classes}
    return tuple(sorted(written.union(*(group for group, added in zip(groups, extra, strict=True) if not added))))


class _Clusters(NamedTuple):
    """Groups of cases that may depend on each other and are treated as one draw."""

    of_case: list[str]
    names: tuple[str, ...]
    units: Ints
    """Index into ``names``, by case."""


def _clusters(case_ids: Sequence[str], clusters: Sequence[str | None]) -> _Clusters:
    """Returns the clusters. A case without one forms its own."""
    # The prefixes keep a case's id from colliding with a cluster of the same name.
    of_case = [f"cluster {c}" if c is not None else f"case {i}" for i, c in zip(case_ids, clusters, strict=True)]
    names = tuple(sorted(set(of_case)))
    index = {name: k for k, name in enumerate(names)}
    return _Clusters(of_case, names, np.array([index[name] for name in of_case], dtype=np.int64))


class _ErrorRates(NamedTuple):
    """The chance of a false block, divided among the tests of this design."""

    means: float
    cases: float
    guards: float


def _error_rates(tested: Sequence[Hypothesis], *, protects: bool) -> _ErrorRates:
    """Returns the error rates. Rates that no slice needs go to the tests of means. ``protects``: there are protected
    cases."""
    policies = {h.policy for h in tested if h.cases}
    guarded = SlicePolicy.GUARD in policies
    cases = ALPHA_CASES if protects or guarded or SlicePolicy.MUST_PASS in policies else 0.0
    guards = ALPHA_GUARD if guarded else 0.0
    # The parts overlap: a guarded slice must pass both its tests, so only the larger part is deducted.
    return _ErrorRates(ALPHA - max(cases, guards), cases, guards)


def _strata(members: Bools, *traits: Bools) -> Ints:
    if members.shape[1] == 0:
        return np.zeros(0, dtype=np.int64)
    keys = np.vstack([members, *traits]).T
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _complete_at_once(
    names: Sequence[str], members: Bools, shielded: Bools, extra: Bools, tested: Sequence[Hypothesis]
) -> Bools:
    """Returns the cases that the first look runs completely.

    These are cases of small slices, cases that are judged one by one, protected cases and added ones.
    """
    result = np.asarray(shielded | extra)
    if (~extra).sum() < SMALL:
        result = np.ones_like(result)
    for h in tested:
        if h.slice is not None and (h.cases < SMALL or h.policy in (SlicePolicy.MUST_PASS, SlicePolicy.GUARD)):
            result = result | members[names.index(h.slice)]
    return result


def _looks(ids: Sequence[str], strata: Ints, called: Bools, complete: bool | Bools, seed: str) -> tuple[Ints, ...]:
    """Returns the cases of each look. The order within a stratum is by hash, never by an expected outcome."""
    everything = np.broadcast_to(np.asarray(complete), called.shape)
    rank = [hashlib.sha256(f"{seed}\0{i}".encode()).digest() for i in ids]
    looks: list[list[int]] = [[] for _ in SHARES]
    for stratum in np.unique(strata):
        cases = [int(i) for i in np.flatnonzero((strata == stratum) & called)]
        cases.sort(key=lambda i: rank[i])
        # Small slices gain nothing from stopping early, and tests by case need all of their cases at once.
        looks[0] += [i for i in cases if everything[i]]
        waiting = [i for i in cases if not everything[i]]
        start = 0
        for k, share in enumerate(SHARES):
            # Rounded up, so that each stratum with waiting cases is seen at every look.
            end = -(-len(waiting) * int(share * 100) // 100)
            looks[k] += waiting[start:end]
            # Each look continues where the last one ended, so a case is planned exactly once.
            start = end
    ordered = [np.array(sorted(look, key=lambda i: rank[i]), dtype=np.int64) for look in looks]
    return tuple(look for look in ordered if len(look))
