"""Chooses the models of both arms of a lineage.

Addresses, keys and prices come from the base. The head only chooses among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.readers.bounded import shown
from schemas.config import Config, LineageConfig, ModelConfig
from schemas.detection import ModelPair
from schemas.prompts import Finding, Parameters, PromptFile
from schemas.providers import PROVIDERS


def model_of(name: str, config: Config) -> ModelConfig | None:
    """Returns the configured model of that name or id, or the provider's own by its id (``openai/gpt-4o``,
    ``gpt-4o``)."""
    # A configured name comes first, so that an id can't be mistaken for another entry.
    if name in config.models:
        return config.models[name]
    publisher, _, bare = name.rpartition("/")
    for model in config.models.values():
        if model.model in (name, bare) and publisher in ("", model.provider):
            return model
    provider = next(
        (
            provider
            for provider, spec in PROVIDERS.items()
            if spec.model_prefixes
            and (publisher == provider or (not publisher and bare.startswith(spec.model_prefixes)))
        ),
        None,
    )
    return ModelConfig(provider=provider, model=bare) if provider and bare else None


class CommitSide(NamedTuple):
    """One commit's settings of a lineage. ``prompt`` is ``None`` if it doesn't exist."""

    config: Config
    lineage: LineageConfig
    prompt: PromptFile | None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the models: the lineage's, else the prompt file's, else the default, else the only model."""
        models = self.config.models
        only = next(iter(models)) if len(models) == 1 else None
        own = self.prompt.model if self.prompt else None
        said = self.lineage.model or own or self.config.defaults.model or only or ()
        return (said,) if isinstance(said, str) else said


def pair_models(base: CommitSide, head: CommitSide) -> tuple[tuple[ModelPair, ...], tuple[Finding, ...]]:
    """Returns a pair for each model of the candidate, and findings about models that the base doesn't allow.

    A model that both versions name is paired with itself, and a replacement with the model it replaces. The head may
    change a model's parameters, but not its provider, id, address or key. A model that changes those is refused, and
    the base's models run instead. If new parameters would let the provider do more than before, the base's parameters
    are used.
    """
    olds = {name: model for name in base.names if (model := model_of(name, base.config))}
    allowed = [*base.config.models.values(), *olds.values()]
    news: dict[str, ModelConfig] = {}
    refused: list[Finding] = []
    for name in head.names:
        model, why = _admitted(name, base, head, allowed)
        if model is not None:
            news[name] = model
        if why is not None:
            refused.append(why)
    if not news and not refused:
        refused.append(Finding(what="no model is named", hint="add model: to the lineage, or defaults: {model: …}"))
    # With every model refused, the base's models measure the rest of the change.
    return _paired(olds, news or olds, with_baseline=base.prompt is not None), tuple(refused)


def models_alone(side: CommitSide) -> tuple[tuple[ModelPair, ...], tuple[Finding, ...]]:
    """Returns the models that ``check`` would ask for a prompt that doesn't change, without baselines."""
    pairs, refused = pair_models(side, side)
    return tuple(pair.model_copy(update={"baseline": None, "baseline_name": None}) for pair in pairs), refused


def _admitted(
    name: str, base: CommitSide, head: CommitSide, allowed: Sequence[ModelConfig]
) -> tuple[ModelConfig | None, Finding | None]:
    """Returns the model to run under ``name``, and what the head asked for that the base doesn't allow."""
    asked = model_of(name, head.config)
    if asked is None:
        return None, _unknown(name)
    # Only parameters may differ: anything else could send the key to another address.
    own = next((model for model in allowed if _same_model(model, asked)), None)
    found = _at_the_provider(name, asked.parameters, Parameters() if own is None else own.parameters)
    if own is not None:
        return (own, found) if found else (own.model_copy(update={"parameters": asked.parameters}), None)
    if found:
        return None, found
    # A base without a list of models relies on the providers' own addresses, so any of their models is allowed.
    if not base.config.models and _own_origin(asked):
        return asked, None
    return None, _not_in_base(name, base)


def _paired(
    olds: Mapping[str, ModelConfig], news: Mapping[str, ModelConfig], *, with_baseline: bool
) -> tuple[ModelPair, ...]:
    """Pairs a new name with the first old one that is gone. Without one, it is compared with itself."""
    replaced = [name for name in olds if name not in news]
    pairs = []
    for name, model in news.items():
        partner = name if name in olds or not replaced else replaced.pop(0)
        pairs.append(
            ModelPair(
                name=name,
                candidate=model,
                baseline_name=partner if with_baseline else None,
                baseline=olds.get(partner, model) if with_baseline else None,
            )
        )
    return tuple(pairs)


FUNCTIONS = (None, "function", "custom")
"""Types of tools that the model may request and that are never executed."""
HARMLESS = frozenset({
    "chat_template_kwargs", "enable_thinking", "logit_bias", "logprobs", "min_p", "parallel_tool_calls",
    "reasoning_effort", "repetition_penalty", "text", "thinking", "thinking_budget", "tool_choice", "top_logprobs",
    "typical_p", "verbosity",
})  # fmt: skip
"""Keys of ``extra`` that need no review: they only affect how an answer is written. Others may search, call or cost."""


def _at_the_provider(name: str, asked: Parameters, known: Parameters) -> Finding | None:
    """Returns provider-side tools and unknown settings that the head asks for with our key and the base doesn't
    have."""
    foreign = [tool for tool in asked.tools if tool.get("type") not in FUNCTIONS and tool not in known.tools]
    extra = [
        f"extra.{key}"
        for key, value in asked.extra.items()
        if key not in HARMLESS and (key not in known.extra or known.extra[key] != value)
    ]
    if not foreign and not extra:
        return None
    what = ", ".join(shown(each) for each in (*(str(tool.get("type")) for tool in foreign), *extra))
    return Finding(
        what=f"the model {name!r} would let its provider use {what} with our key, which the base does not allow;"
        " it was not sent",
        hint="add it in a separate pull request; it is sent once that is approved and merged",
    )


def _same_model(base: ModelConfig, asked: ModelConfig) -> bool:
    # Everything that decides where a request goes, and with whose key.
    keys = ("provider", "model", "api", "base_url", "api_key_env", "recording")
    return all(getattr(base, key) == getattr(asked, key) for key in keys)


def _own_origin(model: ModelConfig) -> bool:
    return model.base_url is None and model.api_key_env is None and model.recording is None


def _unknown(name: str) -> Finding:
    return Finding(
        what=f"the provider of model {name!r} is unknown",
        hint=f"add it to promptverdict.yaml: models: {{my-model: {{provider: …, model: {name}}}}}",
    )


def _not_in_base(name: str, base: CommitSide) -> Finding:
    defined = name in base.config.models
    how = "is defined differently in" if defined else "is not in"
    return Finding(
        what=f"the model {name!r} {how} the base configuration, so it was not measured",
        hint=f"{'change' if defined else 'add'} the model in a separate pull request; the swap is measured after that",
    )
