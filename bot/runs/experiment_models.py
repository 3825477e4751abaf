"""What an experiment measures: the chosen models and cases of one prompt, and what they cost. Pure."""

from __future__ import annotations

from decimal import Decimal
from statistics import fmean, median
from typing import TYPE_CHECKING

from schemas.detection import ModelPair
from schemas.effects import CostEffect, LatencyEffect, LimitResult
from schemas.errors import ConfigError

if TYPE_CHECKING:
    from bot.store.values import ExperimentRequest
    from schemas.detection import Detection
    from schemas.experiments import ExperimentRecord
    from schemas.scorecard import LineageCard


def on_models(detection: Detection, request: ExperimentRequest) -> Detection:
    """Returns the detection with the requested models and cases.

    Raises ConfigError for a model that the configuration doesn't name, and for a slice without cases.
    """
    (change,) = (one for one in detection.lineages if one.name == request.lineage)
    known = dict(detection.config.models) if detection.config else {}
    known |= {pair.name: pair.candidate for pair in change.models}
    missing = [name for name in request.models if name not in known]
    if missing:
        raise ConfigError(f"the configuration names no model {missing[0]}", hint="add it under models:")
    tests = change.tests
    if tests is not None and request.slice is not None:
        cases = tuple(case for case in tests.cases if request.slice in case.slices)
        if not cases:
            raise ConfigError(f"no case is in the slice {request.slice}")
        tests = tests.model_copy(update={"cases": cases})
    models = tuple(
        ModelPair(name=name, candidate=known[name], baseline_name=None, baseline=None) for name in request.models
    )
    chosen = change.model_copy(update={"models": models, "tests": tests})
    return detection.model_copy(update={"lineages": (chosen,)})


def with_figures(card: LineageCard, record: ExperimentRecord) -> LineageCard:
    """Returns the card with the cost and the latency of the prompt by itself. The gate compares only pairs."""
    answered = [cell for cell in record.outcomes if cell.arm == 1 and cell.scores is not None]
    costs = [cell.cost_usd for cell in answered if cell.cost_usd is not None]
    if not answered or not costs:
        return card
    per_1000 = Decimal(str(round(fmean(costs) * 1_000, 6)))
    cost = CostEffect(
        baseline_per_1000=None, candidate_per_1000=per_1000, increase=None, interval=None, limit=None,
        result=LimitResult.NOT_GATED,
    )  # fmt: skip
    latency = LatencyEffect(
        baseline_s=None, candidate_s=median(cell.latency_s for cell in answered), pairs=0, p=None,
        result=LimitResult.NO_DATA,
    )  # fmt: skip
    return card.model_copy(update={"cost": cost, "latency": latency})
