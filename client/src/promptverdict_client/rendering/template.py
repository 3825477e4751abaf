"""A prompt's text in any dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec

from promptverdict_client.errors import RenderError
from promptverdict_client.rendering.plain import PATTERNS, plain
from promptverdict_client.rendering.roles import shielded, split
from promptverdict_client.rendering.values import Json, Variables, as_json

LOGICAL = {"jinja": "jinja", "handlebars": "handlebars", "mustache": "handlebars"}
"""The dialects that a library renders, and the extra that installs it."""
EXTRAS = {"jinja": "jinja2", "handlebars": "dotpromptz_handlebars"}
"""The module of each extra."""
DIALECTS = LOGICAL.keys() | PATTERNS.keys()


def missing_extra(dialect: str) -> str | None:
    """Returns the extra that must be installed to render a dialect; ``None``: nothing is missing."""
    extra = LOGICAL.get(dialect)
    return extra if extra and find_spec(EXTRAS[extra]) is None else None


@dataclass(slots=True)
class Template:
    """The messages of a prompt before they are filled in. Threads may share it."""

    dialect: str
    """One of DIALECTS."""
    roles: str | None
    """How the rendered text is split into messages: a key of ``roles.MARKS``; ``None``: not at all."""
    messages: tuple[tuple[str, str], ...]
    """Role and text of each message."""
    included: Mapping[str, str]
    """Partials by the name with which a template includes them."""
    defaults: Mapping[str, Json]
    """Values of variables that a call doesn't give."""
    _filled: Callable[[Variables], list[str]] | None = field(default=None, init=False, repr=False, compare=False)

    def render(self, given: Mapping[str, object]) -> list[dict[str, str]]:
        """Returns the messages as dictionaries of ``role`` and ``content``. Raises RenderError."""
        try:
            return self._render({**self.defaults, **{name: as_json(value, name) for name, value in given.items()}})
        except RecursionError:
            raise RenderError("a variable is nested too deeply") from None

    def _render(self, variables: dict[str, Json]) -> list[dict[str, str]]:
        if self.roles is not None:
            roles = self.roles
            variables = {name: shielded(value, roles) for name, value in variables.items()}
        # Two threads may both compile at first. Both results are equal, so no lock is needed.
        filled = self._filled or self._compiled()
        self._filled = filled
        texts = filled(variables)
        if self.roles is not None:
            messages = split("".join(texts), self.roles)
        else:
            messages = [(role, text) for (role, _), text in zip(self.messages, texts, strict=True)]
        return [{"role": role, "content": content} for role, content in messages]

    def _compiled(self) -> Callable[[Variables], list[str]]:
        texts = [text for _, text in self.messages]
        if extra := missing_extra(self.dialect):
            raise RenderError(f"this prompt is written in {self.dialect}: install promptverdict-client[{extra}]")
        # The libraries are extras, and slow to import: an application may not need them.
        if self.dialect == "jinja":
            from promptverdict_client.rendering.jinja import jinja

            return jinja(texts, self.included, trim_blocks=self.roles == "promptflow")
        if self.dialect in LOGICAL:
            from promptverdict_client.rendering.handlebars import handlebars

            return handlebars(texts, self.included, dotprompt=self.roles == "dotprompt")
        return plain(self.dialect, texts)
