"""Chooses the models that ``promptverdict init`` writes: those that the prompts name, else one with a key."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from engine.commands.init_pairing import ProposedLineage
from schemas.providers import PROVIDERS, ProviderSpec

OFFLINE = "offline-small"
"""The model that needs no key."""
MOST = 8
"""Most models that are written."""


def chosen_models(
    lineages: Sequence[ProposedLineage], environment: Mapping[str, str], *, keyed: bool = False
) -> tuple[dict[str, list[str]], tuple[ProposedLineage, ...]]:
    """Returns the lines of each entry of ``models:``, the default first, and the lineages with the name of theirs.

    A lineage needs no name if its prompt file says the model itself, or if there is only one. ``keyed``: chooses no
    model whose key isn't in the environment.
    """
    known = {lineage.name: model for lineage in lineages if (model := _known(lineage.model))}
    if keyed:
        known = {name: model for name, model in known.items() if environment.get(PROVIDERS[model[0]].key or "")}
    ranked = [model for model, _ in Counter(known.values()).most_common(MOST)]
    names = {model: _slug(model[1]) for model in ranked}
    models = {name: [f"provider: {provider}", f"model: {bare}"] for (provider, bare), name in names.items()}
    models = models or _without_a_name(environment)
    default = next(iter(models))
    own = {lineage: names.get(model) for lineage, model in known.items()}
    return models, tuple(_named(lineage, own.get(lineage.name), default) for lineage in lineages)


def _named(lineage: ProposedLineage, own: str | None, default: str) -> ProposedLineage:
    if lineage.says_model:
        # A model that isn't known can't be asked, so the default takes its place.
        return lineage if own or not lineage.model else lineage.model_copy(update={"runs_on": default})
    return lineage.model_copy(update={"runs_on": own}) if own and own != default else lineage


def _called() -> dict[str, ProviderSpec]:
    return {name: spec for name, spec in PROVIDERS.items() if spec.key is not None}


def _known(named: str | None) -> tuple[str, str] | None:
    """Returns provider and id of a model that a prompt names: ``openai/gpt-4o``, ``claude-haiku-4-5``."""
    publisher, _, bare = (named or "").rpartition("/")
    for name, spec in _called().items():
        if bare and (publisher == name or (not publisher and bare.startswith(spec.model_prefixes))):
            return name, bare
    return None


def _slug(model: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", model).strip("-._")[:50] or "model"


def _without_a_name(environment: Mapping[str, str]) -> dict[str, list[str]]:
    """Returns a model with a key in the environment, else the offline model, under its own id."""
    for name, spec in _called().items():
        if spec.first_model and environment.get(spec.key or ""):
            lines = [f"provider: {name}", f"model: {spec.first_model}"]
            return {_slug(spec.first_model): [*lines, "parameters: {temperature: 0, max_tokens: 1024}"]}
    others = " or ".join(f"{{provider: {name}, model: {spec.first_model}}}" for name, spec in _called().items())
    lines = [
        "# No key was found, so this is the offline model, a toy that shows how everything works.",
        f"# With a key: {others}",
        "provider: offline",
        f"model: {OFFLINE}",
        "price: {input: 0.25, output: 1.25}",
    ]
    return {OFFLINE: lines}
