"""Usage as each provider and gateway documents it → tokens by class → USD, against a calculation by hand."""

from datetime import date
from decimal import Decimal

import pytest

from adapters.prices import GenaiPrices
from adapters.providers.anthropic import read_message
from adapters.providers.openai import OpenAiProvider
from adapters.providers.openai_chat import read_chat
from adapters.providers.openai_responses import read_response
from engine.planning.call_cost import bill, neutral, unpriced, worst_case
from schemas.config import ModelConfig
from schemas.outcomes import Usage
from schemas.pricing import Price
from schemas.prompts import Parameters
from tests.fakes.llm import answer_of
from tests.providers.conftest import request_of

READERS = {"/chat/completions": read_chat, "/responses": read_response, "/v1/messages": read_message}
PRICE = Price.model_validate(
    {
        "input": 2,
        "output": 10,
        "cached_input": "0.5",
        "cache_write": "2.5",
        "cache_write_1h": 4,
        "per_1000_searches": 10,
    }
)
"""USD per million tokens, or 1,000 searches: the last column is worked out with it by hand."""


def read(path, usage, model="m", **more):
    answer = answer_of(path, {"model": model}, "yes", "hello") | {"usage": usage} | more
    return READERS[path](answer, 0.1, asked=model)


def chat(prompt, completion=None, total=None, *, of_prompt=None, of_completion=None, **more):
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total, **more}
    usage |= {"prompt_tokens_details": of_prompt, "completion_tokens_details": of_completion}
    return {name: value for name, value in usage.items() if value is not None}


CHAT, RESPONSES, MESSAGES = READERS
DOCUMENTED = {
    "OpenAI chat: reasoning and cache inside": (
        CHAT, chat(1000, 300, 1300, of_prompt={"cached_tokens": 400, "audio_tokens": 0},
                   of_completion={"reasoning_tokens": 250, "accepted_prediction_tokens": 0}), "gpt-5-mini",
        Usage(input=1000, output=300, cached_input=400, reasoning=250), "0.0044",  # 600·2 + 400·0.5 + 300·10
    ),
    "a server that counts no total": (CHAT, chat(1000, 300, 0), "gpt-5-mini", Usage(input=1000, output=300), "0.005"),
    "OpenAI responses: cache writes, a search": (
        RESPONSES, {"input_tokens": 1000, "output_tokens": 300, "total_tokens": 1300,
                    "input_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 200},
                    "output_tokens_details": {"reasoning_tokens": 100}}, "gpt-5",
        Usage(input=1000, output=300, cached_input=100, cache_write=200, reasoning=100), "0.00495",
    ),  # 700·2 + 100·0.5 + 200·2.5 + 300·10
    "Anthropic: a 5-minute and a 1-hour cache": (
        MESSAGES, {"input_tokens": 100, "output_tokens": 50, "cache_read_input_tokens": 2000,
                   "cache_creation_input_tokens": 700,
                   "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 400},
                   "service_tier": "standard"}, "claude-sonnet-4-5",
        Usage(input=2800, output=50, cached_input=2000, cache_write=700, cache_write_1h=400), "0.00405",
    ),  # 100·2 + 2000·0.5 + 300·2.5 + 400·4 + 50·10
    "Anthropic: three searches": (
        MESSAGES, {"input_tokens": 50, "output_tokens": 30, "server_tool_use": {"web_search_requests": 3,
                                                                              "web_fetch_requests": 2}}, "claude",
        Usage(input=50, output=30, web_searches=3), "0.0304",  # 50·2 + 30·10, and 3 · 0.01
    ),
    "Gemini: thinking in the total alone": (
        CHAT, chat(20, 198, 623), "gemini-2.5-flash", Usage(input=20, output=603, reasoning=405), "0.00607",
    ),
    "Gemini: the limit used up by thinking": (
        CHAT, chat(40, None, 104), "gemini-2.5-pro", Usage(input=40, output=64, reasoning=64), "0.00072",
    ),
    "Gemini behind a gateway": (
        CHAT, chat(21, 0, 81, of_completion={"reasoning_tokens": 60}), "google-ai-studio/gemini-3-pro",
        Usage(input=21, output=60, reasoning=60), "0.000642",
    ),
    "xAI chat: reasoning beside the answer": (
        CHAT, chat(32, 9, 148, of_prompt={"cached_tokens": 6, "text_tokens": 32}, num_sources_used=0,
                   of_completion={"reasoning_tokens": 107}), "grok-4",
        Usage(input=32, output=116, cached_input=6, reasoning=107), "0.001215",  # 26·2 + 6·0.5 + 116·10
    ),
    "xAI: two searches by the server": (
        RESPONSES, {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110,
                    "server_side_tool_usage_details": {"web_search_calls": 1, "x_search_calls": 1, "mcp_calls": 4}}, "grok-4",
        Usage(input=100, output=10, web_searches=2), "0.0203",
    ),
    "DeepSeek: hits and misses": (
        CHAT, chat(1000, 100, 1100, prompt_cache_hit_tokens=768, prompt_cache_miss_tokens=232,
                   of_completion={"reasoning_tokens": 60}), "deepseek-reasoner",
        Usage(input=1000, output=100, cached_input=768, reasoning=60), "0.001848",  # 232·2 + 768·0.5 + 100·10
    ),
    "Mistral": (
        CHAT, chat(90, 10, 100, num_cached_tokens=64), "magistral-medium",
        Usage(input=90, output=10, cached_input=64), "0.000184",  # 26·2 + 64·0.5 + 10·10
    ),
    "OpenRouter: cache writes and a search": (
        CHAT, chat(500, 40, 540, of_prompt={"cached_tokens": 100, "cache_write_tokens": 200, "audio_tokens": 0},
                   of_completion={"reasoning_tokens": 30}, cost=0.01, server_tool_use={"web_search_requests": 1}),
        "anthropic/claude-sonnet-4.5",
        Usage(input=500, output=40, cached_input=100, cache_write=200, reasoning=30, web_searches=1), "0.01135",
    ),  # 200·2 + 100·0.5 + 200·2.5 + 40·10, and 0.01
    "Azure": (
        CHAT, chat(100, 20, 120, of_prompt={"cached_tokens": 0, "audio_tokens": 0}, of_completion={"reasoning_tokens": 0}),
        "my-deployment", Usage(input=100, output=20), "0.0004",
    ),
    "vLLM": (CHAT, chat(100, 20, 120), "llama", Usage(input=100, output=20), "0.0004"),
    "Ollama": (CHAT, chat(26, 298, 324), "qwen3", Usage(input=26, output=298), "0.003032"),
    "LiteLLM over Anthropic: both caches": (
        CHAT, chat(2800, 50, 2850, of_prompt={"cached_tokens": 2000, "cache_creation_tokens": 700,
                   "cache_creation_token_details": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 400}},
                   cache_read_input_tokens=2000, cache_creation_input_tokens=700), "claude-sonnet-4-5",
        Usage(input=2800, output=50, cached_input=2000, cache_write=700, cache_write_1h=400), "0.00405",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_bill_of_each_provider(name):
    path, usage, model, expected, usd = DOCUMENTED[name]
    completion = read(path, usage, model)
    assert (completion.usage, completion.usage_problem) == (expected, "")
    assert unpriced(completion, PRICE) == ""
    assert bill(completion.usage, PRICE) == Decimal(usd)


UNBILLABLE = {
    "a total that is too large": (CHAT, chat(40, 2, 104), "total_tokens 104 doesn't add up"),
    "a total that is too small": (CHAT, chat(40, 20, 41), "total_tokens 41 doesn't add up"),
    "a part of the rest only": (
        CHAT, chat(40, 2, 104, of_completion={"reasoning_tokens": 5}), "reasoning_tokens 5"),
    "reasoning that is more than the answer": (
        CHAT, chat(40, 2, 42, of_completion={"reasoning_tokens": 5}), "doesn't add up"),
    "no answer, no total": (CHAT, chat(40), "no completion_tokens"),
    "a total under its first part": (CHAT, chat(40, None, 30), "no completion_tokens"),
    "more cached than read": (CHAT, chat(40, 2, 42, of_prompt={"cached_tokens": 41}), "exceed the 40"),
    "hits and misses": (CHAT, chat(40, 2, 42, prompt_cache_hit_tokens=9, prompt_cache_miss_tokens=9), "9 cache hits"),
    "citations": (CHAT, chat(33, 7163, 7196, citation_tokens=20016), "20016 citation tokens"),
    "sources": (CHAT, chat(32, 9, 41, num_sources_used=4), "4 search sources"),
    "a sandbox": (CHAT, chat(3, 9, 12, server_side_tool_usage_details={"code_interpreter_calls": 2}), "2 code_interpreter"),
    "responses": (RESPONSES, {"input_tokens": 5, "output_tokens": 5, "total_tokens": 11}, "total_tokens 11"),
    "kept for 12 hours": (
        RESPONSES, {"input_tokens": 5, "output_tokens": 5, "total_tokens": 10, "input_tokens_details":
                    {"cache_write_tokens": 5, "cache_write_tokens_details": {"ttl_12h_tokens": 5, "ttl_30m_tokens": 0}}},
        "for 12 hours"),
    "caches that don't add up": (
        MESSAGES, {"input_tokens": 5, "output_tokens": 5, "cache_creation_input_tokens": 5,
                   "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 3}}, "5-minute 3"),
    "another tool": (
        MESSAGES, {"input_tokens": 5, "output_tokens": 5, "server_tool_use": {"code_execution_requests": 1}},
        "1 code_execution_requests"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNBILLABLE)
def test_what_does_not_add_up_is_an_error_and_never_less(name):
    path, usage, said = UNBILLABLE[name]
    completion = read(path, usage)
    assert completion.text == "yes"
    assert completion.usage is None
    assert said in unpriced(completion, PRICE)
    assert unpriced(completion, Price(input=0, output=0)) == ""  # a server that costs nothing may count as it likes


def test_no_word_about_the_usage_is_an_answer_whose_cost_is_unknown():
    for path in READERS:
        completion = read(path, None)
        assert (completion.text, completion.usage, unpriced(completion, PRICE)) == ("yes", None, "")


def test_a_service_tier_with_other_prices_needs_them():
    usage = {"input_tokens": 5, "output_tokens": 5}
    for path, said, rate in (
        (MESSAGES, {"usage": usage | {"speed": "fast"}}, "fast"),
        (MESSAGES, {"usage": usage | {"inference_geo": "us"}}, "us"),
        (CHAT, {"usage": chat(5, 5, 10), "service_tier": "priority"}, "priority"),
        (RESPONSES, {"usage": usage | {"total_tokens": 10}, "service_tier": "flex"}, "flex"),
    ):
        completion = read(path, said["usage"], **{key: value for key, value in said.items() if key != "usage"})
        assert f"{rate!r} rate" in unpriced(completion, PRICE)
        assert unpriced(completion, PRICE.model_copy(update={"rate": rate})) == ""
    plain = read(CHAT, chat(5, 5, 10), service_tier="default")
    assert unpriced(plain, PRICE) == ""
    assert unpriced(plain, PRICE.model_copy(update={"rate": "flex"})) != ""


def test_searches_and_long_caches_without_a_price_are_errors():
    searched = read(MESSAGES, {"input_tokens": 5, "output_tokens": 5, "server_tool_use": {"web_search_requests": 2}})
    assert "per_1000_searches" in unpriced(searched, Price(input=1, output=1))
    kept = read(
        MESSAGES,
        {
            "input_tokens": 5,
            "output_tokens": 5,
            "cache_creation_input_tokens": 9,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 9},
        },
    )
    assert "cache_write_1h" in unpriced(kept, Price(input=1, output=1))


def test_calls_of_the_responses_api_that_are_charged_beside_the_tokens():
    usage = {"input_tokens": 5, "output_tokens": 5, "total_tokens": 10}
    good = answer_of(RESPONSES, {"model": "m"}, "yes", "hello")["output"]
    searched = read(RESPONSES, usage, output=[{"type": "web_search_call", "id": "w"}, *good])
    assert searched.usage.web_searches == 1
    other = read(RESPONSES, usage, output=[{"type": "code_interpreter_call", "id": "w"}, *good])
    assert "code_interpreter_call" in other.usage_problem
    assert read(RESPONSES, usage, output=[{"type": "mcp_call", "id": "w"}, *good]).usage_problem == ""


@pytest.mark.parametrize(
    ("model", "extra"),
    [("gpt-4o-search-preview", {}), ("x-ai/grok-4:online", {}), ("gpt-5", {"web_search_options": {}})],
)
def test_models_that_search_in_every_call_are_charged_for_it(model, extra):
    provider = OpenAiProvider("https://llm.example.com/v1", "k")
    request = request_of("x", extra=extra).model_copy(update={"model": model})
    answer = answer_of(CHAT, {"model": model}, "yes", "hello")
    assert provider.read(answer, 0.1, request).usage.web_searches == 1
    assert provider.read(answer, 0.1, request_of("x")).usage.web_searches == 0


DAY = date(2026, 11, 1)
LONG = {
    # 300,000 tokens are above the tier: all of them cost its price
    ("anthropic", "claude-sonnet-4-5"): (Usage(input=300_000, output=2_000), "1.845"),  # 0.3·6 + 0.002·22.5
    ("openai", "gpt-5.4"): (
        Usage(input=300_000, output=2_000, cached_input=100_000),
        "1.095",
    ),  # 0.2·5 + 0.1·0.5 + 0.045
    ("anthropic", "claude-haiku-4-5"): (
        Usage(input=300_000, output=2_000, cache_write=200_000, cache_write_1h=100_000),
        "0.435",  # 0.1·1 + 0.1·1.25 + 0.1·2 + 0.002·5
    ),
}


@pytest.mark.parametrize("model", LONG)
def test_the_public_table_with_its_tiers_and_caches(model):
    usage, usd = LONG[model]
    price = GenaiPrices(DAY).price(ModelConfig(provider=model[0], model=model[1]))
    assert bill(usage, price) == Decimal(usd)
    assert bill(usage.model_copy(update={"input": 200_000}), price) < Decimal(usd)
    assert neutral(usage, price) == bill(Usage(input=usage.input, output=usage.output), price)


def test_a_written_price_without_claudes_cache_writes_gets_them():
    written = Price.model_validate({"input": 4, "output": 20, "tiers": [{"above": 100, "input": 8, "output": 30}]})
    for provider, name in (("anthropic", "our-own"), ("openai", "anthropic/claude-sonnet-4.5")):
        model = ModelConfig(provider=provider, model=name, price=written)
        price = GenaiPrices().price(model)
        assert (price.cache_write, price.cache_write_1h, price.tiers[0].cache_write_1h) == (5, 8, 16)
    assert GenaiPrices().price(ModelConfig(provider="openai", model="m", price=written)) == written


def test_a_fee_for_every_call_counts_and_bills_that_we_cannot_tell_apart_are_no_price():
    sonar = ModelConfig(provider="openai", model="sonar", base_url="https://api.perplexity.ai", api_key_env="K")
    assert bill(Usage(input=1000, output=1000), GenaiPrices(DAY).price(sonar)) == Decimal("0.014")
    with pytest.raises(Exception, match="the price of the model"):
        GenaiPrices(DAY).price(sonar.model_copy(update={"model": "sonar-deep-research"}))


def test_the_bound_before_a_call_knows_the_dearest_price_that_it_may_reach():
    tiered = Price.model_validate({"input": 1, "output": 1, "tiers": [{"above": 1000, "input": 9, "output": 9}]})
    flat = Price(input=1, output=1)
    short, long = (request_of(text, max_tokens=10) for text in ("x", "x" * 1001))
    assert worst_case(short, tiered) == worst_case(short, flat)
    assert worst_case(long, tiered) == 9 * worst_case(long, flat)
    fee = flat.model_copy(update={"per_1000_calls": Decimal(5)})
    assert worst_case(short, fee) - worst_case(short, flat) == Decimal("0.005")
    assert worst_case(request_of("x").model_copy(update={"parameters": Parameters()}), flat) > Decimal("0.016")
