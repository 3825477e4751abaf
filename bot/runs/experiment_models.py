"""What an experiment measures: the chosen models and cases of one prompt. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.detection import ModelPair
from schemas.errors import ConfigError

if TYPE_CHECKING:
    from bot.store.values import ExperimentRequest
    from schemas.detection import Detection


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
