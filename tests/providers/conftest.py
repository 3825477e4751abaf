import pytest

from adapters.providers.open_provider import provider_for
from schemas.config import ModelConfig
from schemas.prompts import Message, Parameters, Request
from tests.fakes.llm import FakeLlm

KEY = "sk-canary-4f1b/9=+do-not-leak"
APIS = ("chat", "responses", "messages")


@pytest.fixture
async def fake():
    async with FakeLlm() as server:
        yield server


@pytest.fixture(params=APIS)
def api(request):
    return request.param


def model_at(url, api):
    anthropic = api == "messages"
    return ModelConfig(
        provider="anthropic" if anthropic else "openai",
        model="small",
        api=api,
        base_url=url if anthropic else f"{url}/v1",
        api_key_env="HOUSE_KEY",
    )


@pytest.fixture
async def provider(fake, api):
    opened = provider_for(model_at(fake.url, api), {"HOUSE_KEY": KEY})
    yield opened
    await opened.aclose()


def request_of(user, system="Sort tickets.", **parameters):
    return Request(
        provider="openai",
        origin="http://fake",
        model="small",
        messages=(Message(role="system", content=system), Message(role="user", content=user)),
        parameters=Parameters(**({"max_tokens": 16} | parameters)),
    )
