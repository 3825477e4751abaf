"""The operator's connection settings for a provider."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Connection:
    """The key for the model's origin, and the operator's settings. ``key`` is empty if none is needed."""

    key: str = ""
    proxy: str | None = None
    """URL of the proxy for all requests."""
    ca_bundle: str | None = None
    """A file of additional trusted certificates."""
    recordings: str = ""
    """The folder of recorded answers."""
