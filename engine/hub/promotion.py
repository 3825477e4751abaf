"""The verdict of a promotion: what a tag points to now against a candidate, on today's cases and policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.detection.models import model_of
from engine.detection.prompt_diff import diff_prompts
from engine.detection.settings import settings_of
from engine.hub.versions import address_of, prompt_of, served
from schemas.detection import Detection, LineageChange, ModelPair
from schemas.errors import ConfigError, UsageError
from schemas.scorecard import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.config import Config, ModelConfig
    from schemas.hub import HubModel, HubPrompt
    from schemas.prompts import PromptFile


def promotion(today: Detection, before: HubPrompt, after: HubPrompt) -> Detection:
    """Returns what a promotion changes. ``today`` is the default branch, read alone: it gives cases and policy.

    Raises UsageError if the branch no longer has the prompt, and ConfigError for a version whose model is no longer
    configured: neither can be measured.
    """
    found = next((one for one in today.lineages if one.name == after.lineage), None)
    config = None if found is None else today.config_of(found)
    if found is None or config is None:
        raise UsageError(
            f"the default branch has no prompt {after.lineage} any more",
            hint="a rollback needs no test set; promote what the branch has",
        )
    return today.model_copy(update={"lineages": (_change(found, config, before, after),)})


def _change(found: LineageChange, config: Config, before: HubPrompt, after: HubPrompt) -> LineageChange:
    gate, run, budget = settings_of(config, found.config)
    inputs = {name for case in (found.tests.cases if found.tests else ()) for name in case.inputs}
    old, new = prompt_of(before, inputs), prompt_of(after, inputs)
    pairs = _pairs(config, before, after)
    return found.model_copy(
        update={
            "gate": gate,
            "run": run,
            "budget": budget,
            "baseline": old,
            "candidate": new,
            "unreadable": None,
            "reference": None,
            "models": pairs,
            "changes": _changes(old, new, pairs),
            "endings": (),
            "diff": diff_prompts(old, new),
            "texts": {},
            "measured": True,
        }
    )


def _changes(old: PromptFile, new: PromptFile, pairs: Sequence[ModelPair]) -> tuple[Change, ...]:
    changed = [Change(kind="prompt", detail=new.path)] if old.text != new.text else []
    for one in pairs:
        if one.swapped:
            changed.append(Change(kind="model", detail=f"{one.baseline_name} → {one.name}"))
        elif one.baseline != one.candidate:
            changed.append(Change(kind="parameters", detail=f"parameters of the model {one.name}"))
    return tuple(changed)


def _pairs(config: Config, before: HubPrompt, after: HubPrompt) -> tuple[ModelPair, ...]:
    """Pairs each model of the candidate with the one of the same name, else with the first that production runs."""
    olds = {model.name: model for model in before.models}
    pairs = []
    for new in after.models:
        old = olds.get(new.name, before.models[0])
        pairs.append(
            ModelPair(
                name=new.name,
                candidate=served(new, _configured(config, new)),
                baseline_name=old.name,
                baseline=served(old, _configured(config, old)),
            )
        )
    return tuple(pairs)


def _configured(config: Config, model: HubModel) -> ModelConfig:
    """Returns today's configuration of a version's model: addresses, keys and prices are always today's."""
    named = [model_of(model.name, config), *config.models.values(), model_of(model.model, config)]
    # A name may mean another model today. Another address is another model too, and must not get today's key.
    there = [
        one for one in named if one is not None and (one.provider, address_of(one)) == (model.provider, model.base_url)
    ]
    found = next((one for one in there if one.model == model.model), there[0] if there else None)
    if found is None:
        at = f", at {model.base_url}" if model.base_url else ""
        raise ConfigError(
            f"the configuration no longer has the model {model.name} ({model.provider}, {model.model}{at})",
            where="models",
            hint="add it under models: to measure this version",
        )
    return found
