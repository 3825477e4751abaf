"""The history of a prompt."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from bot.pages import addresses
from bot.pages.access import Role
from bot.pages.addresses import with_query
from bot.pages.context import Page
from bot.pages.views.crumbs import lineage_tabs, of_repository
from engine.render.figures import points
from engine.render.signs import VERDICT_TONES

if TYPE_CHECKING:
    from bot.pages.context import Context

VERSIONS = 30


def lineage(context: Context) -> Page | None:
    """Shows the versions that were merged; with ``all=1`` every measured change."""
    repo, lineage_id = context.repository, context.path["lineage"]
    at, merged = repo.repository_id, context.query.get("all") != "1"
    page = context.records.lineage_page(at, lineage_id, context.bounds(VERSIONS), merged=merged)
    if page is None:
        return None
    if merged and not page.versions and not context.number("before"):
        # None was merged, as far as we know: what was measured says more than an empty page.
        merged = False
        page = context.records.lineage_page(at, lineage_id, context.bounds(VERSIONS), merged=False) or page
    shown = page.model_copy(update={"versions": page.versions[:VERSIONS]})
    base, given = addresses.lineage(at, lineage_id), {} if merged else {"all": 1}
    more = len(page.versions) > VERSIONS
    numbers = {one.number for one in shown.versions if one.number is not None}
    values = {
        "page": shown,
        "merged": merged,
        "tabs": lineage_tabs(repo, lineage_id, "Versions" if merged else "All changes"),
        "runs": [addresses.experiment(at, one.run_sequence, one.experiment_id) for one in shown.versions],
        "scores": [
            (one.candidate, VERDICT_TONES[one.status], f"{one.at:%Y-%m-%d}: {points(one.candidate)} points")
            for one in reversed(shown.versions)
        ],
        "playground": f"{base}/playground",
        "compare_address": f"{base}/compare",
        # Each with the version before it, which the page may not show any more.
        "changes": [
            with_query(f"{base}/compare", {"from": old.experiment_id, "to": new.experiment_id})
            for new, old in pairwise(page.versions)
        ]
        + [None],
        "older": with_query(base, {**given, "before": shown.versions[-1].experiment_id}) if more else None,
        "newest": with_query(base, given) if context.number("before") else None,
        "improve": _improve(context, base),
        "approvals": context.records.audit_of(at, sorted(numbers)),
        "github": context.github,
    }
    return Page("lineage", f"{page.name}: history", values, (*of_repository(repo), (page.name, None)))


def _improve(context: Context, base: str) -> str | None:
    """Returns where people with write access ask for a better version."""
    return f"{base}/improve" if context.visitor.role(context.repository) >= Role.WRITE else None
