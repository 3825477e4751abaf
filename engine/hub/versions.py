"""Makes the version of a prompt that applications read, and turns it back into a prompt to measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.readers.dialects import GITHUB_VARIABLE
from engine.readers.prompts.github import keeping_unfilled
from schemas.errors import UsageError
from schemas.hub import HubModel, HubPrompt
from schemas.prompts import Dialect, Parameters, PromptFile

if TYPE_CHECKING:
    from collections.abc import Collection

    from pydantic import JsonValue

    from schemas.config import ModelConfig
    from schemas.detection import Detection, LineageChange

FORMAT, GITHUB = "hub", "github"
"""The formats of prompts that were read from a stored version."""


def version_of(change: LineageChange, commit: str) -> HubPrompt:
    """Returns the version of a prompt at ``commit``, where ``change`` was read without an earlier version.

    Raises UsageError for a prompt that can't be read or has no model.
    """
    prompt = change.candidate
    if prompt is None:
        why = change.unreadable or "it doesn't exist"
        raise UsageError(f"the prompt of {change.name} can't be read: {why}", hint="fix it on the default branch first")
    if not change.models:
        raise UsageError(f"{change.name} names no model", hint="add model: to the lineage, or defaults: {model: …}")
    return HubPrompt(
        lineage=change.name,
        commit=commit,
        path=prompt.path,
        dialect=prompt.dialect,
        roles=prompt.roles,
        messages=prompt.messages,
        included=prompt.included,
        defaults=_own_defaults(prompt),
        models=tuple(_model(prompt, pair.name, pair.candidate) for pair in change.models),
    )


def versions_of(detection: Detection, commit: str) -> tuple[HubPrompt, ...]:
    """Returns the version of every prompt that a commit configures, by name.

    ``detection`` is that of the commit alone. Raises UsageError as ``version_of`` does.
    """
    return tuple(sorted((version_of(one, commit) for one in detection.lineages), key=lambda one: one.lineage))


def prompt_of(version: HubPrompt, inputs: Collection[str]) -> PromptFile:
    """Returns the prompt of a version. Parameters are those of each model, so the prompt itself has none.

    ``inputs`` are the names that any case has, as ``keeping_unfilled`` needs them.
    """
    prompt = PromptFile(
        path=version.path,
        format=GITHUB if version.dialect is Dialect.GITHUB else FORMAT,
        dialect=version.dialect,
        roles=version.roles,
        messages=version.messages,
        included=version.included,
        defaults=version.defaults,
    )
    return keeping_unfilled(prompt, inputs)


def _own_defaults(prompt: PromptFile) -> dict[str, JsonValue]:
    """Returns the defaults that the prompt states.

    Left out are variables that stay as they are written where a case lacks them: an application that forgets one must
    get an error, not a prompt with braces.
    """

    def stays(name: str, value: JsonValue) -> bool:
        found = GITHUB_VARIABLE.fullmatch(value) if isinstance(value, str) else None
        return found is not None and found["name"] == name

    return {name: value for name, value in prompt.defaults.items() if not stays(name, value)}


def _model(prompt: PromptFile, name: str, model: ModelConfig) -> HubModel:
    from engine.planning.plan import parameters_of

    sent = parameters_of(prompt, model).model_dump(mode="json")
    given = {key: value for key, value in sent.items() if value not in (None, [], {})}
    return HubModel(
        name=name,
        provider=model.provider,
        model=model.model,
        api=model.unusual_api,
        base_url=address_of(model),
        parameters=given,
    )


def address_of(model: ModelConfig) -> str | None:
    """Returns the address that decides who answers; ``None`` for the provider's own."""
    return model.base_url.rstrip("/") if model.base_url else None


def served(model: HubModel, configured: ModelConfig) -> ModelConfig:
    """Returns the configured model with the version's own id, API and parameters."""
    update: dict[str, object] = {"parameters": Parameters.model_validate(model.parameters)}
    if model.api != configured.unusual_api:
        update["api"] = model.api
    if model.model != configured.model:
        update |= {"model": model.model, "price": None}  # a written price is that of the other model
    return configured.model_copy(update=update)
