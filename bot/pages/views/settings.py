"""The settings that are in force in a repository, and where they come from. Read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.pages.context import Page
from bot.pages.views.crumbs import of_repository, repository_tabs
from bot.pages.views.gate_rows import Row, gate_rows
from bot.store.page_records import Bounds
from bot.store.values import ON_PAGES
from engine.render.figures import NONE, limit, usd

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.pages.context import Context
    from schemas.effects import Effect
    from schemas.scorecard import LineageCard


def settings(context: Context) -> Page:
    """Shows the repository's policy as its newest verdict had it, and the operator's settings."""
    repo = context.repository
    rows = context.records.run_rows(repo.repository_id, Bounds(limit=20))
    newest = next((one.run.sequence for one in rows if one.verdict is not None and one.run.kind not in ON_PAGES), None)
    page = context.records.run_page(repo.repository_id, newest) if newest is not None else None
    card = page.overview if page else None
    groups: list[tuple[str, str, list[Row]]] = []
    policy: list[Row] = []
    if card is not None and page is not None:
        source = f"promptverdict.yaml at {card.base.ref}, {card.base.sha[:7]}"
        policy = [
            ("Mode", card.mode.value, source),
            ("Comment", card.comment.value, source),
            _budget(context, card.spending.budget_usd, source),
        ]
    groups.append(("Policy", f"from run {newest}" if newest else "", policy))
    # In the same order.
    for one, of in list(zip(card.lineages, page.experiments, strict=False))[:30] if card and page else ():
        gate = context.records.gate(of.id)
        rows_of_gate = [("Gate", "not kept for this run", NONE)] if gate is None else list(gate_rows(gate))
        made = _of_lineage(one) + rows_of_gate
        name, models, before = groups[-1]
        # Models of a prompt usually share one policy.
        if (name, before) == (one.lineage, made):
            groups[-1] = (name, f"{models}, {one.model}", made)
        else:
            groups.append((one.lineage, one.model, made))
    if context.facts.rows:
        groups.append(("Operator", "the same for every repository", list(context.facts.rows)))
    values = {"tabs": repository_tabs(repo, "Settings"), "groups": groups}
    return Page("settings", repo.full_name, values, (*of_repository(repo), ("Settings", None)))


def _of_lineage(card: LineageCard) -> list[Row]:
    rows = [
        ("Prompt", card.prompt, "promptverdict.yaml"),
        ("Test set", card.tests or "in the prompt's file", "promptverdict.yaml"),
    ]
    return rows + [_effect(one) for one in (card.overall, *card.slices[:20]) if one is not None]


def _budget(context: Context, written: Decimal | None, source: str) -> Row:
    cap = context.facts.run_usd
    if cap is not None and (written is None or cap < written):
        return "Budget of a run", usd(cap), "the operator's cap, which is lower"
    return "Budget of a run", usd(written) if written else NONE, source


def _effect(one: Effect) -> Row:
    name = f"In this run: slice {one.slice}" if one.slice else "In this run: all cases"
    margin = "no margin" if one.margin is None else f"rules out a drop over {limit(one.margin)} points"
    return name, f"{one.policy.value.replace('_', '-')}, {margin}", "gate.margin" if one.margin_written else "default"
