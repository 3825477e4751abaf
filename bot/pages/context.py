"""What a page is made from: the store, who asks, and the query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.store.page_records import Bounds

if TYPE_CHECKING:
    from bot.hub.hub_service import HubService
    from bot.improve.suggesting import Suggesting
    from bot.pages.access import Visitor
    from bot.runs.default_branch import DefaultBranch
    from bot.store.records import Records
    from bot.store.values import RepositoryRef

LARGEST = 2**63 - 1
"""The largest number that the database knows."""
Crumb = tuple[str, str | None]


@dataclass(frozen=True)
class Site:
    """What every page says about the site and its reader."""

    root: str = "/"
    home: str = "/"
    login: str | None = None
    note: str = ""
    static: bool = False
    """Whether the pages are files: then no form works."""


@dataclass(frozen=True)
class Facts:
    """What the operator's settings say, as far as pages show it."""

    server_url: str
    """GitHub, for links."""
    run_usd: Decimal | None = None
    """The operator's caps."""
    repository_usd: Decimal | None = None
    person_usd: Decimal | None = None
    day_usd: Decimal | None = None
    public_url: str | None = None
    """This site, for links from GitHub; ``None`` for a local one."""
    rows: tuple[tuple[str, str, str], ...] = ()
    """The operator's settings: name, value, where it comes from."""


@dataclass(frozen=True)
class Context:
    """One request."""

    records: Records
    visitor: Visitor
    facts: Facts
    now: datetime
    query: Mapping[str, str]
    path: Mapping[str, int]
    """The numbers in the address."""
    repo: RepositoryRef | None = None
    form: Mapping[str, str] = field(default_factory=dict)
    hub: HubService | None = None
    """Moves tags; ``None`` where the pages are read-only."""
    suggesting: Suggesting | None = None
    """Takes requests for suggested edits; ``None`` likewise."""
    branch: DefaultBranch | None = None
    """Opens prompts for editing; ``None`` where the pages are read-only."""

    @property
    def repository(self) -> RepositoryRef:
        """The repository of a page that has one."""
        assert self.repo is not None
        return self.repo

    @property
    def github(self) -> str:
        """The repository on GitHub."""
        return f"{self.facts.server_url}/{self.repository.full_name}"

    def number(self, name: str) -> int | None:
        """Returns a number from the query; ``None`` for anything else."""
        text = self.query.get(name, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None

    def bounds(self, limit: int) -> Bounds:
        """Returns the part of a list that the query asks for, and one row more, which tells whether there is more."""
        return Bounds(self.number("before"), limit + 1)


@dataclass(frozen=True)
class Page:
    """A template with its values."""

    template: str
    title: str
    values: Mapping[str, object]
    crumbs: tuple[Crumb, ...] = ()
    refresh_s: int | None = None
    """Seconds after which a browser loads it again; ``None``: never."""
    refresh_to: str = ""
    """The address that it loads then, if not the same: to an address with a fragment, a browser would only scroll."""
    scripted: bool = False
    """Whether it has the playground's script."""


@dataclass(frozen=True)
class Redirect:
    """The address of the page that shows what a form did."""

    address: str
