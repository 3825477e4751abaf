"""What the client raises. Only reading a name, rendering and the first load raise; refreshing never does."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PromptsError(Exception):
    """The base class of all errors of the client."""


class SettingsError(PromptsError, ValueError):
    """An argument or an environment variable is missing or malformed."""


class LoadError(PromptsError):
    """Neither the hub nor the cache nor the bundle has the prompts. The message says what was tried."""


class UnknownNameError(PromptsError, KeyError):
    """The tag has no prompt, or the prompt has no model, of that name."""

    def __init__(self, what: str, name: object, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(str(name), names, cutoff=0.5) or names[:5]
        self.name = name
        self._message = f"{what} {name!r}; " + (f"near names: {', '.join(near)}" if near else "there is none at all")
        super().__init__(self._message)

    def __str__(self) -> str:
        """Returns the message. KeyError would quote it."""
        return self._message


class RenderError(PromptsError):
    """A prompt can't be filled in with these variables."""

    def __init__(self, message: str, *, variable: str | None = None) -> None:
        super().__init__(message)
        self.variable = variable
        """The variable without a value, if one is the reason."""
