"""The settings of one lineage: the configuration's defaults, overridden by its own."""

from __future__ import annotations

from typing import TypeVar

from schemas.config import Budget, Config, LineageConfig, RunConfig
from schemas.gate_config import GateConfig
from schemas.values import Value

V = TypeVar("V", bound=Value)


def settings_of(config: Config, lineage: LineageConfig) -> tuple[GateConfig, RunConfig, Budget]:
    """Returns gate, run settings and budget of a lineage. It can lower the budget, not raise it."""
    gate = overlaid(folded(config.gate), folded(lineage.gate) if lineage.gate else None)
    budget = min(config.budget, lineage.budget or config.budget, key=lambda budget: budget.per_run_usd)
    return gate, overlaid(config.run, lineage.run), budget


def folded(gate: GateConfig) -> GateConfig:
    """Returns the gate with the policy of the adversarial slice in both of its places.

    ``adversarial: …`` and ``slices: {adversarial: …}`` mean the same. ``slices`` wins.
    """
    policy = gate.slices.get("adversarial", gate.adversarial)
    if policy is None:
        return gate
    return gate.model_copy(update={"adversarial": policy, "slices": {**gate.slices, "adversarial": policy}})


def overlaid(default: V, own: V | None) -> V:
    """Returns ``default``, overridden by everything that ``own`` sets. Maps and nested settings are merged key by
    key."""
    if own is None:
        return default
    merged: dict[str, object] = {}
    # Only fields that the lineage wrote override the default. Unset ones would reset it.
    for name in own.model_fields_set:
        ours, theirs = getattr(own, name), getattr(default, name)
        if isinstance(ours, Value) and isinstance(theirs, Value):
            merged[name] = overlaid(theirs, ours)
        elif isinstance(ours, dict) and isinstance(theirs, dict):
            merged[name] = {**theirs, **ours}
        else:
            merged[name] = ours
    return default.model_copy(update=merged)
