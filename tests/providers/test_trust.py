"""A key goes to one origin, and no variable, redirect or answer changes where it goes or shows it."""

import base64
from urllib.parse import quote

import pytest

from adapters.providers.open_provider import key_for, provider_for
from adapters.providers.transport import BoundTransport
from adapters.providers.wire import safe_message
from schemas.config import ModelConfig
from schemas.errors import ConfigError, ProviderError
from schemas.outcomes import Completion, ErrorKind
from tests.fakes.llm import FakeLlm
from tests.providers.conftest import KEY, model_at, request_of

STEERING = {
    "OPENAI_BASE_URL": "http://127.0.0.1:9/evil",
    "OPENAI_API_KEY": "sk-other",
    "OPENAI_ORG_ID": "org-evil",
    "OPENAI_PROJECT_ID": "proj-evil",
    "OPENAI_CUSTOM_HEADERS": "X-Evil: 1",
    "ANTHROPIC_BASE_URL": "http://127.0.0.1:9/evil",
    "ANTHROPIC_API_KEY": "sk-other",
    "ANTHROPIC_AUTH_TOKEN": "token-evil",
    "ANTHROPIC_CUSTOM_HEADERS": "X-Evil: 1\nAuthorization: Bearer evil",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "NETRC": "/nowhere",
}


async def test_variables_that_steer_the_sdks_have_no_effect(fake, api, monkeypatch):
    for name, value in STEERING.items():
        monkeypatch.setenv(name, value)
    provider = provider_for(model_at(fake.url, api), {"HOUSE_KEY": KEY})
    answer = await provider.complete(request_of("ticket billing"), repetition=0, timeout_s=5)
    await provider.aclose()
    assert isinstance(answer, Completion), answer
    ((_, headers),) = fake.heads
    assert KEY in {headers.get("authorization", "").removeprefix("Bearer "), headers.get("x-api-key")}
    assert not any("evil" in f"{name}{value}".lower() for name, value in headers.items())
    assert set(headers) <= {
        "host", "accept", "accept-encoding", "anthropic-version", "authorization", "content-length", "content-type",
        "idempotency-key", "user-agent", "x-api-key",
    }  # fmt: skip


async def test_a_redirect_is_not_followed_with_the_key(provider, fake):
    async with FakeLlm() as elsewhere:
        answer = await provider.complete(
            request_of(f"[[redirect {elsewhere.url}/v1/messages]]"), repetition=0, timeout_s=5
        )
        assert answer.kind is ErrorKind.REDIRECT
        assert elsewhere.requests == 0


async def test_the_transport_serves_its_own_origin_only(fake):
    import httpx2

    async with FakeLlm() as elsewhere:
        transport = BoundTransport(fake.url)
        with pytest.raises(httpx2.UnsupportedProtocol, match="not for this key's origin"):
            await transport.handle_async_request(httpx2.Request("POST", f"{elsewhere.url}/v1/messages", content=b"{}"))
        await transport.aclose()
        assert elsewhere.requests == 0


async def test_the_operators_proxy_is_used(fake, api):
    """The fake stands in for the proxy: it sees the absolute address of an origin that doesn't exist."""
    model = model_at("http://localhost:1", api)
    provider = provider_for(model, {"HOUSE_KEY": KEY, "PROMPTVERDICT_PROXY": fake.url})
    answer = await provider.complete(request_of("ticket billing"), repetition=0, timeout_s=5)
    await provider.aclose()
    assert isinstance(answer, Completion), answer
    assert fake.heads[0][0].startswith("http://localhost:1/")


def test_the_operators_certificates_are_added(tmp_path):
    bundle = tmp_path / "ca.pem"
    bundle.write_text("no certificate")
    transport = BoundTransport("https://llm.example.com", ca_bundle=str(bundle))
    with pytest.raises(OSError, match=r"(?i)pem|certificate"):
        transport._certificates()
    assert BoundTransport("https://llm.example.com")._certificates().cert_store_stats()["x509_ca"] > 50


@pytest.mark.parametrize(
    ("base_url", "api_key_env", "says"),
    [
        ("https://evil.example/v1", None, "own origin only"),
        ("https://evil.example/v1", "OPENAI_API_KEY", "own origin only"),
        ("http://llm.example.com/v1", "HOUSE_KEY", "must be https"),
        ("ftp://llm.example.com/v1", "HOUSE_KEY", "must be https"),
        ("https://user:pw@llm.example.com/v1", "HOUSE_KEY", "more than an address"),
        ("https://llm.example.com/v1?x=1", "HOUSE_KEY", "more than an address"),
        ("https://llm.example.com/v1", "ANTHROPIC_API_KEY", "own origin only"),
    ],
)
def test_a_key_is_bound_to_its_origin(base_url, api_key_env, says):
    model = ModelConfig(provider="openai", model="m", base_url=base_url, api_key_env=api_key_env)
    environment = {"OPENAI_API_KEY": "a", "ANTHROPIC_API_KEY": "b", "HOUSE_KEY": "c"}
    with pytest.raises(ConfigError, match=says):
        key_for(model, environment)


def test_the_own_key_goes_to_the_own_origin():
    assert key_for(ModelConfig(provider="openai", model="m"), {"OPENAI_API_KEY": " a\n"}) == "a"
    assert key_for(ModelConfig(provider="anthropic", model="m"), {"ANTHROPIC_API_KEY": "b"}) == "b"


def test_a_missing_key_names_its_variable():
    with pytest.raises(ProviderError, match=r"api\.openai\.com.*OPENAI_API_KEY"):
        provider_for(ModelConfig(provider="openai", model="m"), {})


@pytest.mark.parametrize("key", ["sk-a\nX: 1", "sk-a b", "“sk-a”", "sk-\ud800", "sk-a\0"])
def test_a_key_that_no_header_takes_is_said_before_anything_is_sent_and_not_shown(key):
    with pytest.raises(ProviderError, match="set the environment variable OPENAI_API_KEY") as told:
        provider_for(ModelConfig(provider="openai", model="m"), {"OPENAI_API_KEY": key})
    assert "sk-" not in str(told.value)


@pytest.mark.parametrize("name", ["../secret.jsonl", "/etc/passwd", "a/b.jsonl", "", ".."])
def test_a_recording_lies_in_the_operators_folder(name):
    model = ModelConfig(provider="replay", model="m", recording=name)
    with pytest.raises(ConfigError, match="bare name of a file"):
        provider_for(model, {"PROMPTVERDICT_RECORDINGS": "/recordings"})


def test_recordings_need_a_folder_of_the_operators():
    with pytest.raises(ConfigError, match="PROMPTVERDICT_RECORDINGS"):
        provider_for(ModelConfig(provider="replay", model="m", recording="a.jsonl"), {})


def test_the_key_is_in_no_message_in_any_spelling():
    raw = KEY.encode()
    spellings = [KEY, base64.b64encode(raw).decode(), raw.hex(), quote(KEY, safe="")]
    text = safe_message("Incorrect key: " + " / ".join(spellings), KEY)
    assert not any(spelling in text for spelling in spellings)


async def test_a_provider_that_echoes_the_key_does_not_leak_it(provider):
    answer = await provider.complete(request_of(f"[[redirect http://evil.example/{KEY}]]"), repetition=0, timeout_s=5)
    assert KEY not in answer.message
    assert KEY not in repr(provider)
