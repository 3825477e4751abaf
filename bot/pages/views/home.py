"""The home page: what needs a person, over the repositories of an organization that the reader sees."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.pages import addresses
from bot.pages.addresses import with_query
from bot.pages.context import Page
from bot.pages.views.alerts import alert_row
from bot.pages.views.production import production_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.pages.context import Context, Crumb
    from bot.store.page_values import RunRow, SmallTestSet
    from bot.store.values import RepositoryRef

RECENT = timedelta(days=30)
REPOSITORIES = 100
PROMPTS = 50


@dataclass(frozen=True)
class SmallRow:
    """A test set that is too small."""

    lineage: str
    repository: str
    cases: int
    run: int
    address: str
    run_address: str


@dataclass(frozen=True)
class SpendingRow:
    """Spending of one repository in one month."""

    month: str
    repository: str
    usd: Decimal
    share: int
    """Percent of the largest amount."""


def home(context: Context) -> Page:
    """Shows all organizations together."""
    return _home(context, context.records.known_repositories(context.visitor.repositories()), "Overview", ())


def organization(context: Context) -> Page | None:
    """Shows one organization."""
    owner = context.query["owner"]
    seen = context.records.known_repositories(context.visitor.repositories())
    own = [repo for repo in seen if repo.full_name.partition("/")[0] == owner]
    return _home(context, own, owner, ((owner, None),)) if own else None


def _home(context: Context, seen: Sequence[RepositoryRef], title: str, crumbs: tuple[Crumb, ...]) -> Page:
    names = {repo.repository_id: repo.full_name for repo in seen}
    records, start = context.records, context.number("after") or 0
    overrides = records.expiring_overrides(names, context.now)
    path = addresses.organization(title) if crumbs else addresses.HOME
    following = with_query(path, {"after": start + REPOSITORIES}) if len(seen) > start + REPOSITORIES else None
    values = {
        "failing": _runs(context, records.failing_runs(names, context.now - RECENT)),
        "waiting": _runs(context, records.waiting_runs(names)),
        "alerts": [alert_row(context, one, names[one.repository_id]) for one in records.raised_alerts(names)],
        "overrides": [
            (entry, names[entry.repository_id], f"{context.facts.server_url}/{names[entry.repository_id]}")
            for entry in overrides
        ],
        "production": production_rows(context, names)[:PROMPTS],
        "small": [_small(one, names[one.repository_id]) for one in records.small_test_sets(names)],
        "spending": _spending(context, names),
        "caps": {"repository": context.facts.repository_usd, "day": context.facts.day_usd},
        "repositories": [
            (repo.full_name, addresses.repository(repo.repository_id)) for repo in seen[start : start + REPOSITORIES]
        ],
        "more_repositories": following,
    }
    return Page("home", title, values, crumbs)


def _runs(context: Context, rows: Sequence[RunRow]) -> list[tuple[RunRow, str, str]]:
    server = context.facts.server_url
    return [
        (one, addresses.run(one.run.repository_id, one.run.sequence), f"{server}/{one.run.repository}") for one in rows
    ]


def _small(one: SmallTestSet, repository: str) -> SmallRow:
    return SmallRow(
        one.lineage,
        repository,
        one.cases,
        one.run_sequence,
        addresses.lineage(one.repository_id, one.lineage_id),
        addresses.run(one.repository_id, one.run_sequence),
    )


def _spending(context: Context, names: dict[int, str]) -> list[SpendingRow]:
    found = [one for one in context.records.spent_by_month(names) if one.usd][:30]
    largest = max((one.usd for one in found), default=Decimal(1))
    return [
        SpendingRow(one.month, names[one.repository_id], one.usd, max(1, int(one.usd / largest * 100))) for one in found
    ]
