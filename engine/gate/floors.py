"""Floors: absolute minima of the candidate's score. They keep many small approved drops from adding up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from engine.gate.bounds import BETA, hidden_drop, largest_drop
from engine.gate.cells import CANDIDATE
from engine.gate.state import ComparisonState
from engine.gate.weights import by_unit, weights


class FloorResult(StrEnum):
    """Whether the candidate's score meets a floor."""

    FAILS = "fails"
    BELOW = "below"
    """The estimate is below the floor, but chance is not ruled out."""
    HOLDS = "holds"
    UNPROVEN = "unproven"
    NO_DATA = "no_data"


@dataclass(frozen=True)
class FloorEffect:
    """The candidate's score of one slice against its floor."""

    slice: str | None
    floor: float
    estimate: float | None
    result: FloorResult
    """``fails``: below the floor beyond chance. ``below``: the estimate over all cases is below it. ``holds``: it
    isn't. ``unproven``: some cases have no score (such as unchanged requests without stored answers), or, without a
    baseline, a shortfall of more than the margin isn't ruled out."""
    cases: int


def floors(state: ComparisonState) -> tuple[FloorEffect, ...]:
    """Returns every floor of the policy, judged by what is known now on the first metric.

    A missing candidate cell counts 0 in the estimate, and is left out when a failure is to be proven. The bounds are
    those of the gate, with the floor in place of the baseline.
    """
    gate = state.design.gate.floor
    wanted: list[tuple[str | None, float]] = [(None, gate.overall)] if gate.overall is not None else []
    wanted += sorted(gate.slices.items())
    return tuple(_floor(state, name, floor) for name, floor in wanted)


def _floor(state: ComparisonState, name: str | None, floor: float) -> FloorEffect:
    design, ledger = state.design, state.ledger
    scores, cautious = ledger.levels(CANDIDATE)[:, 0], ledger.levels(CANDIDATE, missing=0.0)[:, 0]
    cases = int(design.inside(name).sum())
    asked = ~np.isnan(cautious)
    share, careful = weights(design, name, ~np.isnan(scores)), weights(design, name, asked)
    if not careful.any():
        return FloorEffect(name, floor, None, FloorResult.NO_DATA, cases)
    estimate = float((careful * np.nan_to_num(cautious)).sum())
    # Failing must be proven by answers that came. A missing answer proves nothing.
    above = by_unit(design, share * (np.nan_to_num(scores) - floor))
    sampled = state.sampled(name, asked)
    # The bound with the sign turned: if even the most favorable score is below the floor, it fails for certain.
    if share.any() and largest_drop(-above, by_unit(design, share), state.critical(design.alpha), sampled) < 0:
        return FloorEffect(name, floor, estimate, FloorResult.FAILS, cases)
    # Holding must be shown with every missing answer counted 0.
    short = by_unit(design, careful * (np.nan_to_num(cautious) - floor))
    lacking = largest_drop(short, by_unit(design, careful), state.critical(BETA), sampled)
    complete = bool(asked[design.inside(name)].all())
    margin = next(h.margin for h in design.hypotheses if h.slice == name and h.metric == 0)
    if complete:
        held = int((short[by_unit(design, careful) > 0] >= 0).sum())
        # With a baseline, the comparison tests for a drop anyway. Without one, only the floor stands between a bad
        # prompt and a merge.
        proven = design.paired or max(lacking, hidden_drop(held, BETA)) <= margin
        # The tolerance absorbs the rounding of the weighted sum, so a score that equals its floor holds.
        return FloorEffect(name, floor, estimate, _sides(estimate >= floor - 1e-9, proven=proven), cases)
    return FloorEffect(name, floor, estimate, FloorResult.HOLDS if lacking <= 0 else FloorResult.UNPROVEN, cases)


def _sides(above: bool, *, proven: bool) -> FloorResult:
    if not above:
        return FloorResult.BELOW
    return FloorResult.HOLDS if proven else FloorResult.UNPROVEN
