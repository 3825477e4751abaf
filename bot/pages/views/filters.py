"""Filters of lists of cases, as links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.pages.addresses import with_query
from bot.store.page_values import CaseFilter, SliceCount
from engine.render.signs import RESULT_WORDS
from engine.scorecard.case_order import CASE_ORDER

MOST_SLICES = 30
KEYS = ("result", "slice", "failing", "expected", "baseline_said", "candidate_said")


@dataclass(frozen=True)
class FilterLink:
    """One filter."""

    text: str
    count: int | None
    address: str
    active: bool


@dataclass(frozen=True)
class FilterGroup:
    """Filters of which one is chosen."""

    name: str
    links: tuple[FilterLink, ...]


def case_filter(query: Mapping[str, str]) -> CaseFilter:
    """Reads the filter of a query. Unknown values match no case."""
    given = {name: query[name] for name in KEYS if query.get(name) and name != "failing"}
    if "candidate_said" in query:
        given["candidate_said"] = query["candidate_said"]
    return CaseFilter.model_validate(given | {"failing": query.get("failing") == "1"})


class CaseLinks:
    """Makes links to lists of cases that change one filter and keep the others."""

    def __init__(self, base: str, query: Mapping[str, str]) -> None:
        self._base = base
        self.given = {name: query[name] for name in KEYS if name in query}

    def link(self, text: str, count: int | None, **changes: str | None) -> FilterLink:
        """Returns a link that sets filters; one that is on leads back to the list without it."""
        active = all(self.given.get(name) == value for name, value in changes.items())
        wanted = dict.fromkeys(changes) if active and any(changes.values()) else changes
        return FilterLink(text, count, with_query(self._base, {**self.given, **wanted}, "cases"), active)


def case_filters(
    base: str, query: Mapping[str, str], counts: Mapping[str, int], slices: Sequence[SliceCount]
) -> list[FilterGroup]:
    """Returns the filters of an experiment's cases."""
    to = CaseLinks(base, query)
    results = [
        to.link(RESULT_WORDS[one] if one != "no_change" else "unchanged", counts[one], result=one.value)
        for one in CASE_ORDER
        if counts.get(one)
    ]
    everything = to.link("all", sum(counts.values()), result=None, failing=None)
    groups = [FilterGroup("Result", (everything, *results, to.link("failing now", None, failing="1")))]
    if slices:
        named = [to.link(one.name, one.cases, slice=one.name) for one in slices[:MOST_SLICES]]
        groups.append(FilterGroup("Slice", (to.link("all", None, slice=None), *named)))
    return [*groups, *_label_filters(to)]


def _label_filters(to: CaseLinks) -> list[FilterGroup]:
    """Returns the labels that were chosen in the confusion matrix, each to be taken off."""
    labels = {"expected": "expected", "baseline_said": "baseline said", "candidate_said": "candidate said"}
    off = [
        to.link(f"{words} {to.given[name] or 'no label'}", None, **{name: to.given[name]})
        for name, words in labels.items()
        if name in to.given
    ]
    return [FilterGroup("Labels", tuple(off))] if off else []
