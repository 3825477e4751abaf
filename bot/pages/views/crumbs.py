"""The way back from a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.pages import addresses

if TYPE_CHECKING:
    from bot.pages.context import Crumb
    from bot.store.values import RepositoryRef


def of_repository(repo: RepositoryRef) -> tuple[Crumb, ...]:
    """Returns the organization and the repository."""
    owner, _, name = repo.full_name.partition("/")
    return (owner, addresses.organization(owner)), (name, addresses.repository(repo.repository_id))


def repository_tabs(repo: RepositoryRef, here: str) -> list[tuple[str, str, bool]]:
    """Returns the views of a repository."""
    base = addresses.repository(repo.repository_id)
    views = (
        ("Prompts and runs", base),
        ("Alerts", f"{base}/alerts"),
        ("Production", addresses.production(repo.repository_id)),
        ("Audit", f"{base}/audit"),
        ("Settings", f"{base}/settings"),
    )
    return [(name, address, name == here) for name, address in views]


def lineage_tabs(repo: RepositoryRef, lineage_id: int, here: str) -> list[tuple[str, str, bool]]:
    """Returns the views of a prompt."""
    base = addresses.lineage(repo.repository_id, lineage_id)
    views = (
        ("Versions", base),
        ("All changes", f"{base}?all=1"),
        ("Models", f"{base}/models"),
        ("Test set", f"{base}/tests"),
        ("Tags", f"{base}/tags"),
        ("Production", f"{base}/production"),
    )
    return [(name, address, name == here) for name, address in views]
