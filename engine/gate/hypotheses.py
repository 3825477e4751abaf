"""The hypotheses: overall and every slice, on every gating metric, each with its margin and policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.gate.bounds import certifiable, planning_sample
from engine.gate.cells import Bools
from schemas.gate_config import GateConfig, Margins, SlicePolicy
from schemas.margins import WIDEST, default_margin
from schemas.outcomes import MetricSpec

ADVERSARIAL = "adversarial"
SMALL = 40
"""Slices with fewer cases run completely in the first look."""
CLASS_PREFIX = "class "


@dataclass(frozen=True)
class Hypothesis:
    """The null hypothesis "this slice is not worse on this metric"."""

    slice: str | None
    """``None``: all cases."""
    metric: int
    """Index among the gating metrics."""
    cases: int
    policy: SlicePolicy
    margin: float
    """The margin that the decision uses."""
    written: bool
    """Whether the configuration sets the margin. Such a margin is never widened."""
    certifies: bool
    """Whether approval requires the bound of the drop to be within the margin."""

    @property
    def tests_harm(self) -> bool:
        """Whether the block test includes it: overall, and slices judged by their mean."""
        return self.policy is SlicePolicy.AVERAGE


def written_margin(margins: Margins, name: str | None, metric: MetricSpec, primary: bool) -> float | None:
    """Returns the margin that the configuration sets for a hypothesis, or ``None``."""
    of_metric = margins.fields if metric.kind == "field" else margins.metrics
    if name is None:
        if metric.name in of_metric:
            return of_metric[metric.name]
        return margins.metrics.get(metric.name, margins.overall)
    if not primary:
        return None
    if name.startswith(CLASS_PREFIX):
        return margins.classes.get(name.removeprefix(CLASS_PREFIX))
    return margins.slices.get(name, margins.slice)


def policy_of(name: str | None, gate: GateConfig, narrowest: float, margin: float | None) -> SlicePolicy:
    """Returns how a slice is judged.

    The configuration comes first. By default ``adversarial`` is guarded; other slices are judged by their mean if they
    are large enough, else watched. ``narrowest`` is the certifiable margin, ``margin`` the configured one.
    """
    written = gate.slices.get(name) if name is not None else None
    if name == ADVERSARIAL and written is None:
        written = gate.adversarial
    if written is not None:
        return written
    named = name is not None and (name in gate.margin.slices or name.startswith(CLASS_PREFIX))
    if name is None or (named and margin is not None):
        return SlicePolicy.AVERAGE
    if name == ADVERSARIAL:
        return SlicePolicy.GUARD
    return SlicePolicy.AVERAGE if narrowest <= WIDEST else SlicePolicy.WATCH


def hypotheses(
    names: Sequence[str],
    *,
    members: Bools,
    counted: Bools,
    clusters: NDArray[np.int64],
    metrics: Sequence[MetricSpec],
    gate: GateConfig,
) -> tuple[Hypothesis, ...]:
    """Returns all hypotheses, metric by metric: overall first, then slices by name.

    ``members[slices, cases]`` says which cases a slice has; ``counted`` marks cases of the gating test set. Approval
    certifies the first metric everywhere and the others overall only. Margins depend only on the test set and a prior
    (``planning_sample``).
    """
    result = []
    for m, metric in enumerate(metrics):
        for s, name in [(-1, None), *enumerate(names)]:
            inside = counted & members[s] if s >= 0 else counted
            size = int(inside.sum())
            narrowest = certifiable(*planning_sample(np.unique(clusters[inside], return_counts=True)[1].tolist()))
            written = written_margin(gate.margin, name, metric, m == 0)
            policy = policy_of(name, gate, narrowest, written)
            default = default_margin(name)
            # A default margin that no unchanged prompt could pass would make every verdict inconclusive, so it is
            # widened.
            margin = written if written is not None else min(max(default, narrowest), max(WIDEST, default))
            # Certifying every metric in every slice would need far more cases than test sets have.
            certifies = policy is SlicePolicy.AVERAGE and (m == 0 or name is None)
            result.append(Hypothesis(name, m, size, policy, margin, written is not None, certifies))
    return tuple(result)
