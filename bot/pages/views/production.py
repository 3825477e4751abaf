"""What a prompt does in production: decisions, confidence, deferrals, cost, latency and errors over time."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from bot.hub.replies import MADE_BY
from bot.pages import addresses
from bot.pages.addresses import with_query
from bot.pages.context import Page
from bot.pages.production_days import Summary, drawn, report_of, summary_of
from bot.pages.views.alerts import stands_of
from bot.pages.views.crumbs import lineage_tabs, of_repository, repository_tabs
from bot.store.page_records import Bounds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from bot.pages.context import Context, Crumb
    from bot.store.hub_values import TagMove
    from bot.store.production_values import HourFigures

PERIODS = (7, 30, 90, 365)
USUAL = 30
RECENT = timedelta(days=7)
MOVES = 50
CALLS = 20


class PromptRow(NamedTuple):
    """One prompt of a list."""

    name: str
    repository: str
    address: str | None
    summary: Summary


class Mark(NamedTuple):
    """A version or promotion in the plots."""

    number: int
    """Of the day, from 0."""
    day: date
    text: str


def production(context: Context) -> Page | None:
    """Shows one prompt: the one of the address, or of ``prompt``. Without either, all prompts of the repository."""
    repo, lineage_id = context.repository, context.path.get("lineage")
    at = repo.repository_id
    named = context.query.get("prompt", "")[:200]
    if lineage_id is None and not named:
        return _repository(context)
    if lineage_id is None:
        lineage_id = next((one.id for one in context.records.lineage_rows(at) if one.name == named), None)
    if lineage_id is None:
        base, query = addresses.production(at), {"prompt": named}
        crumbs: tuple[Crumb, ...] = (*of_repository(repo), ("Production", base), (named, None))
        return _prompt(context, _Shown(named, repository_tabs(repo, ""), base, query, crumbs, None))
    known = context.records.lineage_page(at, lineage_id, Bounds(limit=1), merged=False)
    if known is None:
        return None
    here = addresses.lineage(at, lineage_id)
    crumbs = (*of_repository(repo), (known.name, here), ("Production", None))
    tabs = lineage_tabs(repo, lineage_id, "Production")
    return _prompt(context, _Shown(known.name, tabs, f"{here}/production", {}, crumbs, f"{here}/new-case?trace="))


class _Shown(NamedTuple):
    """The prompt that a page shows."""

    name: str
    tabs: list[tuple[str, str, bool]]
    address: str
    query: dict[str, str]
    """What the address needs to name the prompt."""
    crumbs: tuple[Crumb, ...]
    new_case: str | None
    """Where a call becomes a test case; ``None`` without a configured lineage."""


def _prompt(context: Context, shown: _Shown) -> Page:
    at, name = context.repository.repository_id, shown.name
    asked = context.number("days")
    days = asked if asked in PERIODS else USUAL
    last = context.now.date()
    first = last - timedelta(days=days - 1)
    hours = context.records.hour_figures(at, name, since=first, until=last)
    settings = next((one for one in context.records.lineage_settings(at) if one.lineage == name), None)
    report = report_of(hours, first, last, settings.defer if settings else ())
    series, rows = drawn(report.days, report.names)
    values = {
        "name": name,
        "tabs": shown.tabs,
        "report": report,
        "series": series,
        "rows": rows,
        "days": days,
        "marks": _marks(context.records.moves(at, lineage=name, limit=MOVES), hours, first, days),
        "periods": [
            (
                f"{one} days",
                with_query(shown.address, {**shown.query, "days": one} if one != USUAL else shown.query),
                one == days,
            )
            for one in PERIODS
        ],
        "stands": stands_of(context, name),
        "calls": context.records.recent_calls(at, name, limit=CALLS),
        "new_case": shown.new_case,
        "content": settings if settings is not None and settings.content_share else None,
    }
    return Page("production", f"{name}: production", values, shown.crumbs)


def _repository(context: Context) -> Page:
    repo = context.repository
    values = {
        "tabs": repository_tabs(repo, "Production"),
        "rows": production_rows(context, {repo.repository_id: repo.full_name}),
    }
    return Page("productions", f"{repo.full_name}: production", values, (*of_repository(repo), ("Production", None)))


def production_rows(context: Context, repositories: dict[int, str]) -> list[PromptRow]:
    """Returns the prompts of these repositories in the last week, the most used first."""
    since = (context.now - RECENT).date()
    hours: dict[tuple[int, str], list[HourFigures]] = defaultdict(list)
    for repository_id, one in context.records.figures_of_repositories(list(repositories), since=since):
        hours[repository_id, one.key.lineage].append(one)
    rows = []
    for (repository_id, name), some in hours.items():
        address = with_query(addresses.production(repository_id), {"prompt": name}) if name else None
        rows.append(PromptRow(name, repositories[repository_id], address, summary_of(some)))
    return sorted((row for row in rows if row.summary.calls), key=lambda row: (-row.summary.calls, row.name))


def _marks(moves: Sequence[TagMove], hours: Sequence[HourFigures], first: date, days: int) -> list[Mark]:
    """Returns what changed: moves of tags, and versions that came without one."""
    marks = [
        Mark((move.at.date() - first).days, move.at.date(), f"{move.tag}: {move.to_digest[:12]} {MADE_BY[move.kind]}")
        for move in moves
        if move.at.date() >= first
    ]
    promoted = {move.to_digest for move in moves}
    seen: dict[tuple[str, str], date] = {}
    for key, figures in hours:
        if figures.calls:
            seen.setdefault(("version", key.digest), key.hour.date())
            seen.setdefault(("model", key.model), key.hour.date())
    for (what, value), day in seen.items():
        # What was there on the first day is no change.
        if value and value not in promoted and day > first:
            marks.append(
                Mark((day - first).days, day, f"first call with {what} {value[:12] if what == 'version' else value}")
            )
    return sorted((mark for mark in marks if 0 <= mark.number < days), key=lambda mark: mark.number)
