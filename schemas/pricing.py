"""Prices of models."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from schemas.values import Value

Usd = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
"""Dollars, exact."""


class TokenPrices(Value):
    """USD per million tokens. ``None``: charged at the nearest price (cached tokens and cache writes as input)."""

    input: Usd
    """Tokens of the request."""
    output: Usd
    """Tokens of the answer, including reasoning."""
    cached_input: Usd | None = None
    """Tokens of the request that came from a cache."""
    cache_write: Usd | None = None
    """Tokens of the request that went to a cache."""
    cache_write_1h: Usd | None = None
    """Cache writes that are kept for an hour."""


class PriceTier(TokenPrices):
    """Prices for all tokens of a long request."""

    above: int = Field(ge=0)
    """Requests with more tokens than this."""


class Price(TokenPrices):
    """The prices of a model."""

    input_audio: Usd | None = None
    output_audio: Usd | None = None
    per_1000_searches: Usd | None = None
    """USD per 1,000 web searches by the provider."""
    per_1000_calls: Usd | None = None
    """USD per 1,000 calls, in addition to the tokens."""
    tiers: tuple[PriceTier, ...] = ()
    """Other prices for long requests. The highest tier that a request reaches applies to all of it."""
    rate: str | None = None
    """The service tier of these prices, if it isn't the usual one: ``priority``, ``flex``, ``fast``."""
