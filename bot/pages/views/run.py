"""The page of a run: its verdict, and the cases of one prompt in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.pages import addresses
from bot.pages.access import Role
from bot.pages.addresses import with_query
from bot.pages.context import Page, Redirect
from bot.pages.views.crumbs import of_repository
from bot.pages.views.filters import KEYS, case_filter, case_filters
from bot.pages.views.matrix import matrix
from bot.store.values import APPROVE, ON_PAGES, REVIEW, RunKind
from engine.render.figures import plural
from engine.render.signs import verdict_words

if TYPE_CHECKING:
    from bot.pages.context import Context
    from bot.pages.views.filters import FilterGroup
    from bot.pages.views.matrix import Matrix
    from bot.store.page_values import CaseRow, RunExperiment, RunPage
    from schemas.scorecard import LineageCard

FOLLOW_S = 5
CASES = 25
"""Cases on one page."""
ROWS = 60
"""Prompts on one page."""


@dataclass(frozen=True)
class CaseLink:
    """A case and its address."""

    row: CaseRow
    address: str


@dataclass
class ExperimentRow:
    """One prompt in the run's table; with its cases if it is the chosen one."""

    card: LineageCard
    address: str
    lineage_address: str
    tests_address: str | None
    experiment_id: int = 0
    here: bool = False
    cases: list[CaseLink] | None = None
    counted: int = 0
    shown_title: str = ""
    filters: list[FilterGroup] = field(default_factory=list)
    older: str | None = None
    newest: str | None = None
    matrix: Matrix | None = None


def run(context: Context) -> Page | Redirect | None:
    """Shows a run, or cancels one that a person started.

    ``experiment`` in the address chooses one of its prompts; else it is the first, the worst.
    """
    repo, sequence = context.repository, context.path["run"]
    page = context.records.run_page(repo.repository_id, sequence)
    if page is None:
        return None
    cancel = _cancel(context, page)
    if cancel and context.form.get("cancel"):
        context.records.cancel(page.run.id, context.now)
        return Redirect(cancel)
    wanted = context.path.get("experiment")
    if wanted is not None and wanted not in {one.id for one in page.experiments}:
        return None
    chosen = next((one for one in page.experiments if wanted in (None, one.id)), None)
    rows, selected = _rows(context, page, chosen)
    start = context.number("prompts") or 0
    more = with_query(addresses.run(repo.repository_id, sequence), {"prompts": start + ROWS})
    heading = _heading(page)
    follows, follow = _follow(context, page)
    values = {
        "page": page,
        "follows": follows,
        "follow": follow,
        "leaderboard": _leaderboard(page),
        "cancel": cancel,
        "draft": page.run.kind is RunKind.PLAYGROUND,
        "heading": heading,
        "rows": rows[start : start + ROWS],
        "more_rows": more if len(rows) > start + ROWS else None,
        "selected": selected,
        "github": context.github,
        "approvals": [one for one in page.audit if one.action in (APPROVE, REVIEW) and one.permitted],
    }
    title = f"{heading}: {repo.full_name}, run {sequence}"
    crumbs = (*of_repository(repo), (f"Run {sequence}", None))
    return Page("run", title, values, crumbs, refresh_s=FOLLOW_S if follows else None)


def _follow(context: Context, page: RunPage) -> tuple[bool, str | None]:
    """Returns whether the page loads itself again, and the link that changes this. Neither once the run has ended."""
    if not page.run.state.is_open:
        return False, None
    base = addresses.run(page.run.repository_id, page.run.sequence)
    # Only on request: it disturbs people who read with a screen reader.
    follows = context.query.get("follow") == "1"
    return follows, base if follows else with_query(base, {"follow": 1})


def _cancel(context: Context, page: RunPage) -> str | None:
    """Returns the address to which the form that cancels the run is sent, for readers who may."""
    if page.run.kind not in ON_PAGES or not page.run.state.is_open:
        return None
    if context.visitor.role(context.repository) < Role.WRITE:
        return None
    return addresses.run(page.run.repository_id, page.run.sequence)


def _leaderboard(page: RunPage) -> str | None:
    """Returns the models of an experiment's prompt."""
    if page.run.kind is not RunKind.EXPERIMENT or not page.experiments:
        return None
    return f"{addresses.lineage(page.run.repository_id, page.experiments[0].lineage_id)}/models"


def _heading(page: RunPage) -> str:
    request = page.run.request
    if page.run.kind is RunKind.PLAYGROUND and request is not None:
        return f"Draft of {request.lineage}"
    if request is not None:
        return f"{request.lineage} on {plural(len(request.models), 'model')}"
    if page.verdict is None:
        return "No verdict yet"
    card = page.overview
    return verdict_words(page.verdict, card.lineages if card else (), card.reasons if card else ()).capitalize()


def _rows(
    context: Context, page: RunPage, chosen: RunExperiment | None
) -> tuple[list[ExperimentRow], ExperimentRow | None]:
    if page.overview is None:
        return [], None
    rows, selected = [], None
    # In the same order. Names may differ: the store replaces characters that it can't hold.
    for card, of in zip(page.overview.lineages, page.experiments, strict=False):
        row = _row(context, card, of)
        rows.append(row)
        if of is chosen:
            row.here, selected = True, row
            if page.has_cases:
                _add_cases(context, row, of)
    return rows, selected


def _row(context: Context, card: LineageCard, of: RunExperiment) -> ExperimentRow:
    repository, sequence = context.repository.repository_id, context.path["run"]
    lineage = addresses.lineage(repository, of.lineage_id)
    experiment = addresses.experiment(repository, sequence, of.id)
    return ExperimentRow(card, f"{experiment}#experiment", lineage, f"{lineage}/tests", of.id)


def _add_cases(context: Context, row: ExperimentRow, of: RunExperiment) -> None:
    repository, sequence = context.repository.repository_id, context.path["run"]
    base = addresses.experiment(repository, sequence, of.id)
    wanted = case_filter(context.query)
    after = context.number("after")
    counts = context.records.case_counts(of.id)
    found = context.records.cases(of.id, wanted, after=-1 if after is None else after, limit=CASES + 1)
    given = {name: context.query[name] for name in KEYS if name in context.query}
    row.counted = sum(counts.values())
    row.cases = [CaseLink(one, addresses.case(repository, sequence, of.id, one.position)) for one in found[:CASES]]
    row.filters = case_filters(base, context.query, counts, context.records.case_slices(of.id))
    row.matrix = matrix(base, row.card)
    if len(found) > CASES:
        row.older = with_query(base, {**given, "after": found[CASES - 1].position}, "cases")
    if after is not None:
        row.newest = with_query(base, given, "cases")
    total = plural(row.counted, "case")
    matching = context.records.case_count(of.id, wanted) if given else row.counted
    row.shown_title = f"{total}, those that need a look first" if not given else f"{matching:,} of {total}"
