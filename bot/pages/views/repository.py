"""The pages of a repository: prompts and runs, and the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.pages import addresses
from bot.pages.addresses import with_query
from bot.pages.context import Page
from bot.pages.views.crumbs import of_repository, repository_tabs

if TYPE_CHECKING:
    from bot.pages.context import Context

RUNS = 30
ENTRIES = 50


def repository(context: Context) -> Page:
    """Shows the prompts and the runs of a repository."""
    repo, before = context.repository, context.number("before")
    at = repo.repository_id
    runs = context.records.run_rows(at, context.bounds(RUNS))
    lineages = [] if before else context.records.lineage_rows(at)
    base = addresses.repository(at)
    values = {
        "tabs": repository_tabs(repo, "Prompts and runs"),
        "before": before,
        "lineages": [(one, addresses.lineage(at, one.id)) for one in lineages],
        "runs": [(one, addresses.run(at, one.run.sequence)) for one in runs[:RUNS]],
        "older": with_query(base, {"before": runs[RUNS - 1].run.sequence}) if len(runs) > RUNS else None,
        "newest": base if before else None,
        "github": context.github,
    }
    return Page("repository", repo.full_name, values, of_repository(repo))


def audit(context: Context) -> Page:
    """Shows who used which command."""
    repo = context.repository
    found = context.records.audit_page(repo.repository_id, context.bounds(ENTRIES))
    base = f"{addresses.repository(repo.repository_id)}/audit"
    values = {
        "tabs": repository_tabs(repo, "Audit"),
        "entries": [entry for _, entry in found[:ENTRIES]],
        "older": with_query(base, {"before": found[ENTRIES - 1][0]}) if len(found) > ENTRIES else None,
        "newest": base if context.number("before") else None,
        "github": context.github,
    }
    return Page("audit", repo.full_name, values, (*of_repository(repo), ("Audit", None)))
