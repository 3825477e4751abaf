"""The models of a prompt: failures, cost and latency. Of models that are equally good, the cheapest wins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.pages import addresses
from bot.pages.access import Role
from bot.pages.addresses import with_query
from bot.pages.context import Page
from bot.pages.views.crumbs import lineage_tabs, of_repository
from bot.store.model_records import MetricScore
from engine.pages.ties import sign_test

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.pages.context import Context
    from bot.store.page_values import VersionRow
    from bot.store.records import Records

DRAWN, MOST_METRICS = 4, 12
"""Models and metrics in the plot."""
ALPHA = 0.05
"""Below this p-value of the sign test, two models differ."""


@dataclass(frozen=True)
class ModelRow:
    """One model in its newest run."""

    version: VersionRow
    cases: int
    failures: int
    address: str
    latency_s: float | None
    against: str | None = None
    """The comparison with the best model."""
    p: float | None = None
    tied: bool = False
    """Whether it is not shown to be worse than the best."""
    wins: bool = False

    @property
    def rate(self) -> float:
        """The share of cases that it fails."""
        return self.failures / self.cases if self.cases else 1.0


def models(context: Context) -> Page | None:
    """Shows how each model of a prompt did in its newest run."""
    repo, lineage_id = context.repository, context.path["lineage"]
    at = repo.repository_id
    page = context.records.lineage_page(at, lineage_id, context.bounds(0), merged=False)
    if page is None:
        return None
    rows = ranked(context.records, _rows(context, lineage_id), f"{addresses.lineage(at, lineage_id)}/compare")
    metrics = _metrics(context, rows[:DRAWN])
    values = {
        "lineage": page.name,
        "tabs": lineage_tabs(repo, lineage_id, "Models"),
        "rows": rows,
        "metrics": metrics,
        "shares": [[scores[n].mean for _, scores in metrics] for n in range(len(rows[:DRAWN]))],
        "github": context.github,
        "alpha": ALPHA,
        "experiment": f"{addresses.lineage(at, lineage_id)}/experiment"
        if context.visitor.role(repo) >= Role.WRITE
        else None,
    }
    crumbs = (*of_repository(repo), (page.name, addresses.lineage(at, lineage_id)), ("Models", None))
    return Page("models", f"{page.name}: models", values, crumbs)


def _metrics(context: Context, rows: Sequence[ModelRow]) -> list[tuple[str, list[MetricScore]]]:
    """Returns the metrics of the best models: dimensions of a rubric, or fields."""
    ids = [row.version.experiment_id for row in rows]
    found = context.records.metric_scores(ids)
    names = list(dict.fromkeys(name for one in ids for name in found.get(one, {})))[:MOST_METRICS]
    nothing = MetricScore(None, None)
    return [(name, [found.get(one, {}).get(name, nothing) for one in ids]) for name in names]


def _rows(context: Context, lineage_id: int) -> list[ModelRow]:
    at = context.repository.repository_id
    found = context.records.newest_of_models(at, lineage_id)
    known = context.records.experiment_rows(at, lineage_id, tuple(one.experiment_id for one in found))
    return [
        ModelRow(
            version := known[one.experiment_id],
            one.cases,
            one.failures,
            addresses.experiment(at, version.run_sequence, version.experiment_id),
            version.latency_s,
        )
        for one in found
        if one.experiment_id in known
    ]


def ranked(records: Records, rows: Sequence[ModelRow], compare: str) -> list[ModelRow]:
    """Returns the rows, the fewest failures first, each compared with the best on the cases that both answered.

    The winner is the cheapest of those that are not shown to be worse than the best.
    """
    ordered = sorted(rows, key=lambda row: (row.rate, row.version.model))
    if not ordered:
        return []
    best, made = ordered[0], [replace(ordered[0], tied=True)]
    for row in ordered[1:]:
        pair = (best.version.experiment_id, row.version.experiment_id)
        counts = records.compared_counts(*pair)
        p = sign_test(counts.better, counts.worse) if counts is not None and counts.shared else None
        against = with_query(compare, {"from": pair[0], "to": pair[1]})
        made.append(replace(row, p=p, against=against, tied=p is not None and p >= ALPHA))
    priced = [row for row in made if row.tied and row.version.cost_per_1000 is not None]
    winner = min(priced, key=lambda row: row.version.cost_per_1000 or Decimal(0)) if priced else made[0]
    return [replace(row, wins=row is winner) for row in made]
