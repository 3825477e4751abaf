"""What the operator gives a provider that is opened."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Connection:
    """A key that belongs to the model's origin, and the operator's settings. ``key`` is empty where none is needed."""

    key: str = ""
    proxy: str | None = None
    """URL of the proxy for everything that goes out."""
    ca_bundle: str | None = None
    """A file of certificates that are trusted too."""
    recordings: str = ""
    """The folder of recorded answers."""
