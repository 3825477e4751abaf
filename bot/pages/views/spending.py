"""For the forms that start runs: model prices, the cost of a run, and what its person can still spend."""

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

CALL_USD = Decimal("0.20")
"""The most that one call probably costs, where its prices were not looked up."""
UNKNOWN_USD = Decimal("0.50")
"""What a run probably costs at most of whose cost nothing is known."""
UNSET_USD = Decimal(20)
"""The cap of a person on a site whose operator's settings are not known."""
IN_FLIGHT = 4
"""Calls in flight that a reservation has room for. More of them wait."""
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


def asking(context: Context, most_usd: Decimal | None, call_usd: Decimal = CALL_USD) -> Ask:
    """Returns the reservation of a run that probably costs ``most_usd`` at most; ``None``: nothing is known about it.

    It is the run's own cap: a multiple of the estimate, and room for some calls in flight, each of which may cost
    ``call_usd``. It is never more than what the operator allows for a run. A person who has less left gets that, as
    long as it allows the estimate.
    """
    facts, by = context.facts, context.visitor.login or ""
    cap = facts.person_usd if facts.person_usd is not None else UNSET_USD
    expected = UNKNOWN_USD if most_usd is None else most_usd
    wanted = MARGIN * expected + IN_FLIGHT * call_usd
    if facts.run_usd is not None:
        wanted = min(wanted, facts.run_usd)
    left = cap - context.records.person_usd(by, context.now.date())
    return Ask(by=by, usd=left if wanted > left >= expected + call_usd else wanted, cap=cap)
