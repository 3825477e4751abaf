"""Promoted versions as applications read them: a prompt with everything that its requests were measured with."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import (
    AwareDatetime,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
)

from schemas.prompts import Dialect, Message, RoleSyntax
from schemas.values import Value, digest_of

TagName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9._-]{0,62}$")]
"""A tag such as ``production``. It is part of addresses, and the name of an environment on GitHub."""
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class HubModel(Value):
    """One model of a version, with the parameters of a measured request."""

    name: str
    """The name under ``models`` in the configuration."""
    provider: str
    model: str
    api: str | None = None
    """``None``: the provider's usual one."""
    base_url: str | None = None
    """``None``: the provider's own address."""
    parameters: dict[str, JsonValue] = {}
    """As ``Parameters`` names them; what a request doesn't send is left out."""

    @model_serializer(mode="wrap")
    def _without_nothing(self, write: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Omits what is usual, so that versions keep the digests from before the fields existed."""
        written: dict[str, object] = write(self)
        return {name: value for name, value in written.items() if value is not None}


class HubPrompt(Value):
    """One version of a prompt. Equal ``digest`` means equal requests for equal inputs."""

    lineage: str
    commit: str = Field(pattern="^[0-9a-f]{40}([0-9a-f]{24})?$")
    """The commit on the default branch that it was read from."""
    path: str
    dialect: Dialect
    roles: RoleSyntax | None = None
    messages: tuple[Message, ...] = Field(min_length=1)
    included: dict[str, str] = {}
    """Partials by the name with which a template includes them."""
    defaults: dict[str, JsonValue] = {}
    """Values of variables that a caller doesn't give."""
    models: tuple[HubModel, ...] = Field(min_length=1)
    """The first is the one to use where the caller names none."""

    @cached_property
    def digest(self) -> str:
        """64 hexadecimal digits. Neither the commit nor the file's path counts."""
        return digest_of(self.model_dump(mode="json", exclude={"commit", "path"}))

    def document(self) -> dict[str, JsonValue]:
        """Returns the version as applications read it, with its digest."""
        return {"digest": self.digest, **self.model_dump(mode="json")}


class HubEntry(Value):
    """The version that a tag has, and since when."""

    prompt: HubPrompt
    moved_at: AwareDatetime


class PromptSet(Value):
    """Every prompt of one tag."""

    hub_version: Literal[1] = 1
    repository: str
    tag: TagName
    entries: tuple[HubEntry, ...] = ()
    """By name of the prompt."""

    def document(self) -> dict[str, JsonValue]:
        """Returns the set as applications read it: the prompts by name."""
        moved = [(each.prompt, each.moved_at.isoformat().replace("+00:00", "Z")) for each in self.entries]
        return {
            "hub_version": self.hub_version,
            "repository": self.repository,
            "tag": self.tag,
            "prompts": {prompt.lineage: {**prompt.document(), "moved_at": at} for prompt, at in moved},
        }
