"""Exceptions that end a command. Failures inside a run are values instead.

::

    PromptVerdictError
    ├── UsageError       the command or its arguments are wrong
    ├── ConfigError      promptverdict.yaml, a rubric, a price or a model setting is wrong
    ├── SourceError      git, a prompt file or a test set can't be read
    ├── BudgetExceeded   the hard cap was reached; finished answers are kept
    ├── ProviderError    a model provider can't be used at all (no key, wrong origin)
    ├── StoreError       the outcome store can't be read or written
    └── HostError        GitHub can't be reached or refuses
        ├── HostUnavailable     it didn't answer, or asks to retry later
        ├── PermissionMissing   the token lacks a permission
        └── NotFound            the requested object doesn't exist
"""

from __future__ import annotations


class PromptVerdictError(Exception):
    """Says what is wrong, where (``file:line`` or a name) and how to fix it: one line, no traceback."""

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.what}{advice}"


class UsageError(PromptVerdictError):
    """The command or its arguments are wrong."""


class ConfigError(PromptVerdictError):
    """A configuration, rubric, price or model setting is wrong."""


class SourceError(PromptVerdictError):
    """Git, a prompt file or a test set can't be read."""


class BudgetExceeded(PromptVerdictError):  # noqa: N818 - the design's word
    """The hard cap was reached. Everything finished is in the store."""


class ProviderError(PromptVerdictError):
    """A model provider can't be used at all."""


class StoreError(PromptVerdictError):
    """The outcome store can't be read or written."""


class HostError(PromptVerdictError):
    """The pull-request host can't be reached or refuses."""


class HostUnavailable(HostError):  # noqa: N818 - named after what it says
    """The host didn't answer after several tries, or asks to retry later. A later try may succeed."""


class PermissionMissing(HostError):  # noqa: N818 - named after what it says
    """The token lacks a permission. ``permission`` is the line of YAML that grants it, such as ``statuses: write``."""

    def __init__(self, permission: str, *, where: str | None = None, hint: str | None = None) -> None:
        advice = hint or f"add `{permission}` to `permissions:`"
        super().__init__(f"the token lacks “{permission}”", where=where, hint=advice)
        self.permission = permission


class NotFound(HostError):  # noqa: N818 - named after what it says
    """The requested object doesn't exist, or the token can't see it."""
