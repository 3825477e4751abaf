"""What a watch measures: a version of a prompt by itself, with the watch's gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.watch.compare import watch_gate
from schemas.errors import UsageError
from schemas.outcomes import Arm
from schemas.values import digest_of

if TYPE_CHECKING:
    from engine.planning.prepared import Prepared
    from schemas.detection import Detection, LineageChange
    from schemas.gate_config import GateConfig


def alone(detection: Detection, lineage: str | None = None) -> Detection:
    """Returns the detection with the candidates only, to be run once each. ``lineage``: only this one.

    Raises UsageError if there is nothing to watch.
    """
    chosen = [one for one in detection.lineages if lineage in (None, one.name)]
    if not chosen:
        raise UsageError(f"the commit has no prompt {lineage}", hint="stop its watch, or name a prompt that is there")
    return detection.model_copy(update={"lineages": tuple(_alone(one) for one in chosen), "explain_usd": 0})


def _alone(change: LineageChange) -> LineageChange:
    models = tuple(pair.model_copy(update={"baseline_name": None, "baseline": None}) for pair in change.models)
    gate: GateConfig = watch_gate(
        frozenset(name for case in (change.tests.cases if change.tests else ()) for name in case.slices)
    )
    return change.model_copy(update={"baseline": None, "reference": None, "models": models, "gate": gate})


def asks_of(prepared: Prepared) -> dict[str, tuple[str, str]]:
    """Returns the digests of all requests, each with its lineage and model."""
    return {
        request.digest: (plan.lineage, plan.model)
        for _, plan in prepared.measured
        for request in plan.arms[Arm.CANDIDATE].requests
        if request is not None
    }


def baseline_key(repository: str, lineage: str, model: str, requests: str, generation: int) -> str:
    """Returns the name under which a store without a database keeps a watch's baseline.

    ``generation`` counts how often a person took the present for normal.
    """
    return digest_of(["watch baseline", repository, lineage, model, requests, generation])
