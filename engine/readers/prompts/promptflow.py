"""promptflow's Jinja templates with role lines: ``system:`` or ``# system:`` above each message."""

from __future__ import annotations

import re

from engine.readers.prompts.partials import included
from engine.readers.prompts.parts import Blobs, prompt_source
from schemas.errors import SourceError
from schemas.prompts import Dialect, Message, PromptFile, Role, RoleSyntax

SUFFIXES = (".jinja2", ".jinja", ".j2")
_STARTS = re.compile(
    r"(?:\s|\{#(?:(?!#\}).)*#\}|\{%-?\s*(?:set|from|import)\b(?:(?!%\}).)*%\})*+"
    r"#?[ \t]*(?:system|developer|user|assistant)[ \t]*:[ \t]*$",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
"""A template that starts with a role line, comments and definitions aside."""


class PromptflowReader:
    """Jinja files that start with a role line."""

    name = "promptflow"

    def recognizes(self, path: str, blobs: Blobs) -> bool:
        """Recognizes the file by name and content."""
        if not path.endswith(SUFFIXES) or path not in blobs:
            return False
        try:
            return _STARTS.match(prompt_source(path, blobs).text) is not None
        except SourceError:
            return False

    def read(self, path: str, blobs: Blobs) -> PromptFile:
        """Reads the prompt. Raises SourceError."""
        source = prompt_source(path, blobs)
        prompt = PromptFile(
            path=path,
            format=self.name,
            dialect=Dialect.JINJA,
            messages=(Message(role=Role.SYSTEM, content=source.text),),
            roles=RoleSyntax.PROMPTFLOW,
        )
        prompt = included(prompt, source, blobs)
        return prompt.model_copy(update={"warnings": tuple(source.warnings)})
