"""A promoted version of a prompt, and what it renders to."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from promptverdict_client.errors import UnknownNameError
from promptverdict_client.rendering.template import Template
from promptverdict_client.rendering.values import Json


@dataclass(frozen=True, slots=True)
class Model:
    """A model that the prompt was measured with."""

    name: str
    """The name under ``models`` in the repository's configuration."""
    provider: str
    model: str
    """The provider's name of the model."""
    parameters: Mapping[str, Json]
    """The parameters that the measured requests sent."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """Everything that a call to a model needs. The caller may change it."""

    messages: list[dict[str, str]]
    """``{"role": …, "content": …}``, as chat APIs take them."""
    model: str
    """The provider's name of the model."""
    parameters: dict[str, Json]
    """The parameters that the measured requests sent."""
    attributes: dict[str, str]
    """Attributes for a trace: which version of which prompt this is."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One version of a prompt, as a tag had it when it was read."""

    name: str
    version: str
    """The digest of messages, models and parameters: 64 hexadecimal digits."""
    commit: str
    repository: str
    tag: str
    models: tuple[Model, ...]
    model: Model
    """The model that is used: the first, if ``using`` chose no other."""
    template: Template = field(repr=False)

    def using(self, name: str) -> Prompt:
        """Returns this version with another of its models. Raises UnknownNameError."""
        for model in self.models:
            if model.name == name:
                return replace(self, model=model)
        raise UnknownNameError(f"the prompt {self.name} has no model", name, [model.name for model in self.models])

    def render(self, variables: Mapping[str, object] | None = None, /, **named: object) -> Rendered:
        """Returns the messages with the variables filled in, as the gate measured them.

        Variables are given by keyword or, for names with dots and dashes, in one mapping. Each is a JSON value. Raises
        RenderError for a missing variable, which it names, and for what the gate couldn't render either.
        """
        return Rendered(
            messages=self.template.render({**(variables or {}), **named}),
            model=self.model.model,
            parameters=copy.deepcopy(dict(self.model.parameters)),
            attributes={
                "gen_ai.prompt.name": self.name,
                "prompt_verdict.lineage": self.name,
                "prompt_verdict.version": self.version,
                "prompt_verdict.tag": self.tag,
                "prompt_verdict.repository": self.repository,
            },
        )
