"""Recorded answers, and prices."""

from datetime import date
from decimal import Decimal

import pytest

from adapters.prices import GenaiPrices
from adapters.providers.open_provider import provider_for
from schemas.config import ModelConfig
from schemas.errors import ConfigError
from schemas.outcomes import Completion, ErrorKind, Finish, StoredCompletion, Usage
from schemas.pricing import Price
from tests.providers.conftest import request_of

RECORDED = request_of("hello").model_copy(update={"origin": "https://api.openai.com/v1"})


def recording(tmp_path):
    row = StoredCompletion(
        request_digest=RECORDED.digest, repetition=2,
        completion=Completion(text="hi", finish=Finish.STOP, usage=Usage(input=1, output=1), model="m", latency_s=1),
        cost_usd=Decimal(1), neutral_cost_usd=Decimal(1), provider="openai", model="small", created_at="2026",
    )  # fmt: skip
    (tmp_path / "demo.jsonl").write_text(row.model_dump_json() + "\n")
    return {"PROMPTVERDICT_RECORDINGS": str(tmp_path)}


MODEL = ModelConfig(provider="replay", model="small", recording="demo.jsonl")


async def test_the_same_request_gets_the_recorded_answer(tmp_path):
    provider = provider_for(MODEL, recording(tmp_path))
    asked = RECORDED.model_copy(update={"provider": "replay", "origin": "replay:"})
    answer = await provider.complete(asked, repetition=2, timeout_s=1)
    assert answer.text == "hi"
    other = await provider.complete(asked, repetition=0, timeout_s=1)
    assert other.kind is ErrorKind.BAD_REQUEST
    assert "not in the recording" in other.message
    await provider.aclose()


def test_a_recording_that_is_none_says_where(tmp_path):
    environment = recording(tmp_path)
    (tmp_path / "demo.jsonl").write_text("{}\n")
    with pytest.raises(ConfigError, match=r"demo\.jsonl:1.*store export"):
        provider_for(MODEL, environment)
    with pytest.raises(ConfigError, match="can't be read"):
        provider_for(MODEL.model_copy(update={"recording": "other.jsonl"}), environment)


def test_prices_come_from_the_configuration_first():
    price = Price(input=Decimal("0.20"), output=Decimal("0.60"))
    assert GenaiPrices().price(ModelConfig(provider="openai", model="our-llama", price=price)) == price


def test_prices_of_known_models_are_looked_up():
    price = GenaiPrices().price(ModelConfig(provider="anthropic", model="claude-haiku-4-5"))
    assert (price.input, price.output, price.cached_input) == (1, 5, Decimal("0.1"))
    assert GenaiPrices().price(ModelConfig(provider="offline", model="offline-small")).output > 0
    azure = ModelConfig(
        provider="openai", model="gpt-4o", base_url="https://x.openai.azure.com/openai/v1", api_key_env="K"
    )
    assert GenaiPrices().price(azure).input == Decimal("2.5")


def test_prices_of_another_day():
    model = ModelConfig(provider="anthropic", model="claude-haiku-4-5")
    assert GenaiPrices(date(2026, 1, 1)).price(model) == GenaiPrices().price(model)


@pytest.mark.parametrize("base_url", [None, "https://llm.example.com/v1"])
def test_an_unknown_price_is_an_error_with_the_line_to_paste(base_url):
    with pytest.raises(ConfigError, match=r"our-llama.*price: \{input: 1\.00, output: 4\.00\}"):
        GenaiPrices().price(ModelConfig(provider="openai", model="our-llama", base_url=base_url))
