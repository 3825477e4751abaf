"""The page of a test set: its cases over the last runs, near-duplicates, and its history."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from bot.pages import addresses
from bot.pages.addresses import with_query
from bot.pages.context import Page
from bot.pages.views.crumbs import lineage_tabs, of_repository
from bot.pages.views.filters import FilterGroup, FilterLink
from engine.patterns.near_duplicates import near_duplicates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bot.pages.context import Context
    from bot.store.page_values import CaseHistoryRow

CASES = 40
MOST_SLICES = 30
MOST_COMPARED = 1_000
"""Cases from which no near-duplicates are looked for: it would take too long for a page."""
GROUPS = 30
KINDS: dict[str, tuple[str, Callable[[CaseHistoryRow], bool]]] = {
    "flaky": ("not certain", lambda one: one.flaky > 0),
    "always": ("always failing", lambda one: one.runs > 1 and one.failures == one.runs),
    "never": ("never failing", lambda one: one.runs > 1 and one.failures == 0),
}


def tests(context: Context) -> Page | None:
    """Shows the test set of a prompt."""
    repo, lineage_id = context.repository, context.path["lineage"]
    at = repo.repository_id
    page = context.records.lineage_page(at, lineage_id, context.bounds(0), merged=False)
    if page is None:
        return None
    rows = context.records.case_history(lineage_id)
    newest = context.records.newest_experiment(lineage_id)
    values: dict[str, object] = {
        "lineage": page.name,
        "tabs": lineage_tabs(repo, lineage_id, "Test set"),
        "total": len(rows),
        "counted": max((one.runs for one in rows), default=0),
        "snapshots": context.records.snapshots(at, lineage_id),
        "duplicates": _duplicates(context, lineage_id),
    }
    values |= _cases(context, rows, newest or (0, 0))
    crumbs = (*of_repository(repo), (page.name, addresses.lineage(at, lineage_id)), ("Test set", None))
    return Page("tests", f"{page.name}: test set", values, crumbs)


def _cases(context: Context, rows: Sequence[CaseHistoryRow], newest: tuple[int, int]) -> dict[str, object]:
    base = f"{addresses.lineage(context.repository.repository_id, context.path['lineage'])}/tests"
    kind, name = context.query.get("kind"), context.query.get("slice")
    given = {key: value for key, value in (("kind", kind), ("slice", name)) if value}
    after = context.number("after")
    wanted = [
        one
        for one in rows
        if (kind not in KINDS or KINDS[kind][1](one)) and (not name or name in one.slices)
    ]  # fmt: skip
    wanted.sort(key=lambda one: one.position)
    here = [one for one in wanted if after is None or one.position > after]
    at, (run, experiment) = context.repository.repository_id, newest
    return {
        "filters": _filters(base, given, rows),
        "cases": [(one, addresses.case(at, run, experiment, one.position)) for one in here[:CASES]],
        "older": with_query(base, {**given, "after": here[CASES - 1].position}) if len(here) > CASES else None,
        "newest": with_query(base, given) if after is not None else None,
    }


def _filters(base: str, given: dict[str, str], rows: Sequence[CaseHistoryRow]) -> list[FilterGroup]:
    def link(text: str, count: int, key: str, value: str | None) -> FilterLink:
        return FilterLink(text, count, with_query(base, {**given, key: value}), given.get(key) == value)

    kinds = [link(words, sum(map(holds, rows)), "kind", kind) for kind, (words, holds) in KINDS.items()]
    slices = Counter(name for one in rows for name in one.slices).most_common(MOST_SLICES)
    groups = [FilterGroup("History", (link("all", len(rows), "kind", None), *kinds))]
    if slices:
        named = [link(name, count, "slice", name) for name, count in slices]
        groups.append(FilterGroup("Slice", (link("all", len(rows), "slice", None), *named)))
    return groups


def _duplicates(context: Context, lineage_id: int) -> list[list[str]] | None:
    """Returns the ids of cases with nearly equal inputs; ``None`` for a test set that is too large."""
    kept = context.records.newest_snapshot(context.repository.repository_id, lineage_id, MOST_COMPARED)
    if kept is None:
        return None
    try:
        cases = [case for case in json.loads(kept) if isinstance(case, dict)]
    except ValueError:
        return []
    texts = [json.dumps(case.get("inputs"), ensure_ascii=False) for case in cases]
    return [[str(cases[index].get("id")) for index in group] for group in near_duplicates(texts)][:GROUPS]
