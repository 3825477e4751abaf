"""The settings that hold for one lineage: its configuration's defaults, with its own laid over them."""

from __future__ import annotations

from typing import TypeVar

from schemas.config import Budget, Config, LineageConfig, RunConfig
from schemas.gate_config import GateConfig
from schemas.values import Value

V = TypeVar("V", bound=Value)


def settings_of(config: Config, lineage: LineageConfig) -> tuple[GateConfig, RunConfig, Budget]:
    """Gate, run and budget of a lineage. It can't raise the budget, only lower it."""
    gate = overlaid(folded(config.gate), folded(lineage.gate) if lineage.gate else None)
    budget = min(config.budget, lineage.budget or config.budget, key=lambda budget: budget.per_run_usd)
    return gate, overlaid(config.run, lineage.run), budget


def folded(gate: GateConfig) -> GateConfig:
    """``adversarial: …`` and ``slices: {adversarial: …}`` say the same: here both do. ``slices`` wins."""
    policy = gate.slices.get("adversarial", gate.adversarial)
    if policy is None:
        return gate
    return gate.model_copy(update={"adversarial": policy, "slices": {**gate.slices, "adversarial": policy}})


def overlaid(default: V, own: V | None) -> V:
    """``default`` with everything that ``own`` says itself; maps and nested settings key by key."""
    if own is None:
        return default
    merged: dict[str, object] = {}
    for name in own.model_fields_set:
        ours, theirs = getattr(own, name), getattr(default, name)
        if isinstance(ours, Value) and isinstance(theirs, Value):
            merged[name] = overlaid(theirs, ours)
        elif isinstance(ours, dict) and isinstance(theirs, dict):
            merged[name] = {**theirs, **ours}
        else:
            merged[name] = ours
    return default.model_copy(update=merged)
