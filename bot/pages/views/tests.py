"""The page of a test set: its cases over the last runs, near-duplicates, and its history."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from bot.pages import addresses
from bot.pages.addresses import with_query
from bot.pages.context import Page
from bot.pages.views.crumbs import lineage_tabs, of_repository
from bot.pages.views.filters import FilterGroup, FilterLink
from bot.store.page_values import CaseFilter
from engine.patterns.near_duplicates import near_duplicates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.pages.context import Context
    from bot.store.page_values import CaseHistory, SliceCount
    from schemas.prompts import Finding

CASES = 40
MOST_SLICES = 30
MOST_COMPARED = 1_000
"""Cases from which no near-duplicates are looked for: it would take too long for a page."""
GROUPS = 30
KINDS: dict[Literal["flaky", "always", "never"], str] = {
    "flaky": "not certain",
    "always": "always failing",
    "never": "never failing",
}


def tests(context: Context) -> Page | None:
    """Shows the test set of a prompt."""
    repo, lineage_id = context.repository, context.path["lineage"]
    at = repo.repository_id
    page = context.records.lineage_page(at, lineage_id, context.bounds(0), merged=False)
    if page is None:
        return None
    run, experiment, model = context.records.newest_experiment(lineage_id) or (0, 0, "")
    history = context.records.case_history(experiment)
    values: dict[str, object] = {
        "lineage": page.name,
        "tabs": lineage_tabs(repo, lineage_id, "Test set"),
        "total": history.cases,
        "counted": history.runs,
        "model": model,
        "snapshots": context.records.snapshots(at, lineage_id),
        "duplicates": _duplicates(context, lineage_id),
        "warnings": _warnings(context, run, page.name),
        "new_case": f"{addresses.lineage(at, lineage_id)}/new-case",
    }
    values |= _cases(context, history, run, experiment)
    crumbs = (*of_repository(repo), (page.name, addresses.lineage(at, lineage_id)), ("Test set", None))
    return Page("tests", f"{page.name}: test set", values, crumbs)


def _warnings(context: Context, run: int, lineage: str) -> list[Finding]:
    """Returns what the newest run says about the test set's files, such as its unverified cases."""
    found = context.records.run_page(context.repository.repository_id, run)
    cards = found.overview.lineages if found and found.overview else ()
    card = next((card for card in cards if card.lineage == lineage), None)
    path = card.tests or card.prompt if card else ""
    return [one for one in (card.warnings if card else ()) if (one.where or "").partition(":")[0] == path]


def _cases(context: Context, history: CaseHistory, run: int, experiment: int) -> dict[str, object]:
    at = context.repository.repository_id
    base = f"{addresses.lineage(at, context.path['lineage'])}/tests"
    kind = next((one for one in KINDS if one == context.query.get("kind")), None)
    name, after = context.query.get("slice") or None, context.number("after")
    given = {key: value for key, value in (("kind", kind), ("slice", name)) if value}
    found = context.records.cases(
        experiment, CaseFilter(history=kind, slice=name), after=-1 if after is None else after, limit=CASES + 1
    )
    slices = context.records.case_slices(experiment)
    return {
        "filters": _filters(base, given, history, slices),
        "cases": [(one, addresses.case(at, run, experiment, one.position)) for one in found[:CASES]],
        "older": with_query(base, {**given, "after": found[CASES - 1].position}) if len(found) > CASES else None,
        "newest": with_query(base, given) if after is not None else None,
    }


def _filters(base: str, given: dict[str, str], history: CaseHistory, slices: Sequence[SliceCount]) -> list[FilterGroup]:
    def link(text: str, count: int, key: str, value: str | None) -> FilterLink:
        return FilterLink(text, count, with_query(base, {**given, key: value}), given.get(key) == value)

    kinds = [link(words, getattr(history, kind), "kind", kind) for kind, words in KINDS.items()]
    groups = [FilterGroup("History", (link("all", history.cases, "kind", None), *kinds))]
    if slices:
        named = [link(one.name, one.cases, "slice", one.name) for one in slices[:MOST_SLICES]]
        groups.append(FilterGroup("Slice", (link("all", history.cases, "slice", None), *named)))
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
