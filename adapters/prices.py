"""The price table: what is written in the configuration, else the public table of genai-prices as of a date."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal

from schemas.config import ModelConfig, Price, ProviderName
from schemas.errors import ConfigError

OFFLINE = Price(input=Decimal("1.00"), output=Decimal("5.00"))
"""The simulated model's, so that cost gates can be tried without a key."""


class GenaiPrices:
    """``PriceTable``. ``at``: the day whose prices are used (``--prices-at``); today where it is ``None``."""

    def __init__(self, at: date | None = None) -> None:
        self._at = datetime.combine(at, time(12), UTC) if at else None

    def price(self, model: ModelConfig) -> Price:
        """USD per million tokens. Where a table has tiers by length, the price of the first tier.

        Raises ConfigError, with the line to paste, for a model whose price isn't known."""
        if model.price is not None:
            return model.price
        if model.provider is ProviderName.OFFLINE:
            return OFFLINE
        return self._looked_up(model) or _unknown(model)

    def _looked_up(self, model: ModelConfig) -> Price | None:
        from genai_prices.data_snapshot import get_snapshot

        by_url = model.base_url if model.provider is not ProviderName.REPLAY else None
        by_name = model.provider.value if model.provider is not ProviderName.REPLAY and by_url is None else None
        try:
            _, found = get_snapshot().find_provider_model(model.model, None, by_name, by_url)
        except LookupError:
            return None
        table = found.get_prices(self._at or datetime.now(UTC))
        price_in, price_out = _base(table.input_mtok), _base(table.output_mtok)
        if price_in is None or price_out is None:
            return None
        return Price(
            input=price_in,
            output=price_out,
            cached_input=_base(table.cache_read_mtok),
            cache_write=_base(table.cache_write_mtok),
            input_audio=_base(table.input_audio_mtok),
            output_audio=_base(table.output_audio_mtok),
        )


def _base(price: object) -> Decimal | None:
    """The first tier of a price that may have tiers."""
    first = getattr(price, "base", price)
    return first if isinstance(first, Decimal) else None


def _unknown(model: ModelConfig) -> Price:
    raise ConfigError(
        f"no price is known for the model {model.model!r}",
        where="promptverdict.yaml, models",
        mend="add to it, in USD per million tokens: price: {input: 1.00, output: 4.00}",
    )
