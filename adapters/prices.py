"""The price table: prices from the configuration, or from the public table of genai-prices at a date."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from schemas.config import ModelConfig
from schemas.errors import ConfigError
from schemas.pricing import Price, TokenPrices

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice


class GenaiPrices:
    """``PriceTable`` with genai-prices. ``at`` is the day of the prices (``--prices-at``); ``None``: today.

    ``at_least_listed`` replaces configured prices below the public table's. The bot's operator pays, while repositories
    write the configuration.
    """

    def __init__(self, at: date | None = None, *, at_least_listed: bool = False) -> None:
        self._at_least_listed = at_least_listed
        self._at = datetime.combine(at, time(12), UTC) if at else None

    def price(self, model: ModelConfig) -> Price:
        """Returns the price of ``model``, including prices of long requests.

        Raises ConfigError, with the line to add, if the price is unknown.
        """
        # The configuration comes first: negotiated prices differ from the public table.
        if model.price is not None:
            listed = self._looked_up(model) if self._at_least_listed else None
            below = listed is not None and _is_below(model.price, listed)
            return _with_cache_writes(listed if below and listed else model.price, model)
        if model.spec.price is not None:
            read, written = model.spec.price
            return Price(input=Decimal(read), output=Decimal(written))
        found = self._looked_up(model)
        return _with_cache_writes(found, model) if found else _unknown(model)

    def _looked_up(self, model: ModelConfig) -> Price | None:
        # A compatible server of another company may use the same model names at other prices.
        by_url = None if model.spec.recorded else model.base_url
        by_name = model.spec.price_table if by_url is None else None
        return _in_table(model.model, by_name, by_url, self._at or datetime.now(UTC))


def _is_below(configured: Price, listed: Price) -> bool:
    """Returns whether any price is lower than in the table, or prices of long requests are missing."""
    figures = Price.model_fields.keys() - {"tiers", "rate"}
    pairs = ((getattr(configured, name), getattr(listed, name)) for name in figures)
    lower = any(one is not None and other is not None and one < other for one, other in pairs)
    return lower or (bool(listed.tiers) and configured.tiers != listed.tiers)


UNCOUNTED = ("output_reasoning_mtok", "output_citation_mtok")
"""Prices in a table for parts of a bill that ``Usage`` doesn't distinguish."""
TOKENS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached_input": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
}
WRITE, WRITE_1H = Decimal("1.25"), Decimal(2)
"""Prices of Claude's cache writes, as multiples of the input's (Anthropic's pricing page)."""


def _with_cache_writes(price: Price, model: ModelConfig) -> Price:
    """Returns the price with those of Claude's cache writes, which cost more than reads."""
    if model.spec.price_table != "anthropic" and "claude" not in model.model.lower():
        return price
    tiers = tuple(tier.model_copy(update=_cache_writes(tier)) for tier in price.tiers)
    return price.model_copy(update={**_cache_writes(price), "tiers": tiers})


def _cache_writes(price: TokenPrices) -> dict[str, Decimal]:
    return {
        "cache_write": price.input * WRITE if price.cache_write is None else price.cache_write,
        "cache_write_1h": price.input * WRITE_1H if price.cache_write_1h is None else price.cache_write_1h,
    }


def _tokens(table: ModelPrice, read: int) -> dict[str, Decimal | None]:
    """Returns the prices of a request with ``read`` tokens."""
    return {ours: _at(getattr(table, theirs), read) for ours, theirs in TOKENS.items()}


def _starts(table: ModelPrice) -> list[int]:
    prices = [getattr(table, theirs) for theirs in TOKENS.values()]
    return sorted({tier.start for price in prices for tier in getattr(price, "tiers", ())})


def _at(price: object, read: int) -> Decimal | None:
    """Returns a price that may have tiers by the length of the request. The highest tier reached applies to all of
    it."""
    tiers = getattr(price, "tiers", ())
    amount = next((tier.price for tier in reversed(tiers) if read > tier.start), getattr(price, "base", price))
    return amount if isinstance(amount, Decimal) else None


def _unknown(model: ModelConfig) -> Price:
    raise ConfigError(
        f"the price of the model {model.model!r} is unknown",
        where="promptverdict.yaml, models",
        hint="add to it, in USD per million tokens: price: {input: 1.00, output: 4.00}",
    )


@lru_cache(maxsize=1_000)
def listed_price(provider: str | None, model: str) -> Price | None:
    """Returns today's price of a model in the public table, as a trace names both; ``None`` if it isn't known."""
    # Some instrumentations name an API ("openai.chat") or a cloud instead of a provider of the table.
    names = (provider.partition(".")[0], None) if provider else (None,)
    found = (_in_table(model, name, None, datetime.now(UTC)) for name in names)
    return next((price for price in found if price is not None), None)


def _in_table(model: str, provider: str | None, url: str | None, at: datetime) -> Price | None:
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, found = get_snapshot().find_provider_model(model, None, provider, url)
    except LookupError:
        return None
    table = found.get_prices(at)
    # A price for parts that we can't count would make every bill too low.
    if any(getattr(table, key) is not None for key in UNCOUNTED) or None in (table.input_mtok, table.output_mtok):
        return None
    price = _tokens(table, 0) | {
        "input_audio": _at(table.input_audio_mtok, 0),
        "output_audio": _at(table.output_audio_mtok, 0),
        "per_1000_searches": _at(table.web_searches_kcount, 0),
        "per_1000_calls": _at(table.requests_kcount, 0),
        "tiers": [{"above": above} | _tokens(table, above + 1) for above in _starts(table)],
    }
    return Price.model_validate(price)
