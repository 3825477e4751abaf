"""What models cost, what a run may spend, and who may still spend it: for the forms that start runs."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from adapters.prices import GenaiPrices
from bot.store.asked_values import Ask
from engine.render.figures import usd
from schemas.errors import BudgetExceeded, ConfigError

if TYPE_CHECKING:
    from bot.pages.context import Context
    from bot.store.page_values import LineagePage
    from schemas.config import ModelConfig
    from schemas.pricing import Price

LEAST_USD = Decimal("0.10")
"""The least that a run reserves."""
MARGIN = 3
"""How much more than its estimate a run may spend. The rest is free again when it ends."""


def price_of(model: ModelConfig) -> Price | None:
    """Returns a model's price; ``None`` if it is unknown."""
    try:
        return GenaiPrices(at_least_listed=True).price(model)
    except ConfigError:
        return None


def known_costs(context: Context, page: LineagePage) -> dict[str, Decimal]:
    """Returns what 1,000 cases of this prompt cost, by model, as the newest experiments measured it."""
    at = context.repository.repository_id
    ids = tuple(one.experiment_id for one in context.records.newest_of_models(at, page.id))
    rows = context.records.experiment_rows(at, page.id, ids)
    return {rows[one].model: cost for one in ids if one in rows and (cost := rows[one].cost_per_1000) is not None}


def check_caps(context: Context) -> None:
    """Raises BudgetExceeded if the operator's caps for the day are used up."""
    spent = context.records.spent(context.repository.repository_id, context.now.date())
    for cap, used, what in (
        (context.facts.repository_usd, spent.repository, "this repository"),
        (context.facts.day_usd, spent.everyone, "all repositories"),
    ):
        if cap is not None and used >= cap:
            raise BudgetExceeded(f"the operator's cap of {usd(cap)} a day for {what} is used up", hint="try tomorrow")


def asking(context: Context, most_usd: Decimal | None) -> Ask:
    """Returns the reservation of a run that probably costs ``most_usd`` at most; ``None``: nothing is known about it.

    It is the run's own cap, and never more than what the operator allows for a run and what the person has left.
    """
    facts, by = context.facts, context.visitor.login or ""
    cap = facts.person_usd if facts.person_usd is not None else Decimal(20)
    wanted = Decimal(1) if most_usd is None else max(MARGIN * most_usd, LEAST_USD)
    if facts.run_usd is not None:
        wanted = min(wanted, facts.run_usd)
    left = cap - context.records.person_usd(by, context.now.date())
    # With less than three times the estimate, the run may still be enough. With less than the estimate, it is not.
    usd_of_run = left if most_usd is not None and wanted > left >= max(most_usd, LEAST_USD) else wanted
    return Ask(by=by, usd=usd_of_run, cap=cap)
