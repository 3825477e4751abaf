"""Three things are needed, nothing is shown, and every mistake says how to fix it."""

import os
import re
from pathlib import Path

import pytest

from bot.settings import read_local_settings, read_settings
from bot.variables import VARIABLES
from schemas.config import ModelConfig
from schemas.errors import ProviderError, UsageError
from tests.fakes.github.identity import App

SECRET, SECOND = "a webhook secret, long enough", "the next webhook secret"
KEY = App.make(1, "x", {}).private_key


def needed(**more):
    given = {
        "PROMPTVERDICT_APP_ID": "123", "PROMPTVERDICT_PRIVATE_KEY": KEY, "PROMPTVERDICT_WEBHOOK_SECRET": SECRET,
        "HOME": "/home/bot",
    }  # fmt: skip
    return {name: value for name, value in {**given, **more}.items() if value is not None}


def test_the_apps_id_key_and_secret_are_enough():
    settings = read_settings(needed())
    assert settings.app_id == 123
    assert settings.private_key.get_secret_value() == KEY.strip()
    assert [secret.get_secret_value() for secret in settings.webhook_secrets] == [SECRET]
    assert settings.data == Path("/home/bot/.local/share/prompt-verdict")
    assert settings.database_url == "sqlite:////home/bot/.local/share/prompt-verdict/bot.sqlite3"
    assert settings.outcomes_url == "/home/bot/.local/share/prompt-verdict/outcomes.sqlite3"
    assert (settings.api_url, settings.server_url) == ("https://api.github.com", "https://github.com")
    assert (settings.port, settings.concurrency, settings.unknown) == (8080, 4, ())
    assert settings.slot


def test_secrets_come_from_files_too(tmp_path):
    for name, value in (("key.pem", KEY), ("secret", SECRET + "\n"), ("second", SECOND), ("openai", "sk-1\n")):
        tmp_path.joinpath(name).write_text(value)
    settings = read_settings(
        needed(
            PROMPTVERDICT_PRIVATE_KEY=None,
            PROMPTVERDICT_PRIVATE_KEY_FILE=str(tmp_path / "key.pem"),
            PROMPTVERDICT_WEBHOOK_SECRET=None,
            PROMPTVERDICT_WEBHOOK_SECRET_FILE=str(tmp_path / "secret"),
            PROMPTVERDICT_WEBHOOK_SECRET_2_FILE=str(tmp_path / "second"),
            OPENAI_API_KEY_FILE=str(tmp_path / "openai"),
        )
    )
    assert [secret.get_secret_value() for secret in settings.webhook_secrets] == [SECRET, SECOND]
    assert settings.keys["OPENAI_API_KEY"].get_secret_value() == "sk-1"


def test_a_key_whose_line_ends_were_spelled_out_is_read():
    settings = read_settings(needed(PROMPTVERDICT_PRIVATE_KEY=KEY.strip().replace("\n", "\\n")))
    assert settings.private_key.get_secret_value() == KEY.strip()


def test_with_postgres_everything_is_there():
    settings = read_settings(needed(DATABASE_URL="postgresql://bot:pass-word@db/verdicts"))
    assert settings.outcomes_url == settings.database_url == "postgresql://bot:pass-word@db/verdicts"
    elsewhere = read_settings(needed(DATABASE_URL="postgres://db/v", PROMPTVERDICT_STORE="/srv/outcomes.sqlite3"))
    assert elsewhere.outcomes_url == "/srv/outcomes.sqlite3"


@pytest.mark.parametrize(
    ("api", "server"),
    [("https://github.acme.example/api/v3", "https://github.acme.example"), ("https://api.acme.ghe.com/", "https://acme.ghe.com"),
     ("http://127.0.0.1:4001", "http://127.0.0.1:4001")],
)  # fmt: skip
def test_an_enterprise_has_its_own_addresses(api, server):
    settings = read_settings(needed(PROMPTVERDICT_API_URL=api))
    assert (settings.api_url, settings.server_url) == (api.rstrip("/"), server)
    assert (
        read_settings(needed(PROMPTVERDICT_API_URL=api, PROMPTVERDICT_SERVER_URL="https://x")).server_url == "https://x"
    )


WRONG = [
    ({"PROMPTVERDICT_APP_ID": None}, "PROMPTVERDICT_APP_ID is not set"),
    ({"PROMPTVERDICT_APP_ID": "Iv1.abc"}, "PROMPTVERDICT_APP_ID: 'Iv1.abc' is not a number"),
    ({"PROMPTVERDICT_APP_ID": "٣"}, "PROMPTVERDICT_APP_ID: '٣' is not a number"),
    ({"PROMPTVERDICT_APP_ID": "0"}, "PROMPTVERDICT_APP_ID: '0' is not a number"),
    ({"PROMPTVERDICT_PRIVATE_KEY": None}, "PROMPTVERDICT_PRIVATE_KEY is not set"),
    ({"PROMPTVERDICT_PRIVATE_KEY": "secret"}, "PROMPTVERDICT_PRIVATE_KEY: this is not the private key of an App"),
    ({"PROMPTVERDICT_PRIVATE_KEY": KEY[: len(KEY) // 2]}, "PROMPTVERDICT_PRIVATE_KEY: this is not the private key of an App"),
    ({"PROMPTVERDICT_WEBHOOK_SECRET": None}, "PROMPTVERDICT_WEBHOOK_SECRET is not set"),
    ({"PROMPTVERDICT_WEBHOOK_SECRET": "   "}, "PROMPTVERDICT_WEBHOOK_SECRET is not set"),
    ({"PROMPTVERDICT_WEBHOOK_SECRET": "hunter2"}, "PROMPTVERDICT_WEBHOOK_SECRET: the secret has fewer than 16"),
    ({"PROMPTVERDICT_WEBHOOK_SECRET_2": "hunter2"}, "PROMPTVERDICT_WEBHOOK_SECRET_2: the secret has fewer than 16"),
    ({"PROMPTVERDICT_WEBHOOK_SECRET_FILE": "/x"}, "PROMPTVERDICT_WEBHOOK_SECRET and PROMPTVERDICT_WEBHOOK_SECRET_FILE are both"),
    ({"PROMPTVERDICT_WEBHOOK_SECRET_2_FILE": "/not/there"}, "PROMPTVERDICT_WEBHOOK_SECRET_2_FILE: /not/there can't be read"),
    ({"DATABASE_URL": "mysql://db"}, "DATABASE_URL: this is neither"),
    ({"DATABASE_URL": "postgresql://[::1/x"}, "DATABASE_URL: this is not a URL"),
    ({"PROMPTVERDICT_STORE": "postgresql://[::1/x"}, "PROMPTVERDICT_STORE: this is not a URL"),
    ({"PROMPTVERDICT_PROXY": "http://[proxy"}, "PROMPTVERDICT_PROXY: this is not a URL"),
    ({"DATABASE_URL": "sqlite:///"}, "DATABASE_URL: this is neither"),
    ({"PROMPTVERDICT_PORT": "tcp://10.0.0.1:80"}, "PROMPTVERDICT_PORT: 'tcp://10.0.0.1:80' is not a number"),
    ({"PROMPTVERDICT_PORT": "65536"}, "PROMPTVERDICT_PORT: '65536' is not a number from 0 to 65535"),
    ({"PROMPTVERDICT_RUNS": "0"}, "PROMPTVERDICT_RUNS: '0' is not a number"),
    ({"PROMPTVERDICT_KEEP_DELIVERIES_DAYS": "6"}, "PROMPTVERDICT_KEEP_DELIVERIES_DAYS: '6' is not a number from 7"),
    ({"PROMPTVERDICT_MAX_USD_PER_RUN": "-1"}, "PROMPTVERDICT_MAX_USD_PER_RUN: '-1' is not an amount in USD"),
    ({"PROMPTVERDICT_KEEP_TEXTS_DAYS": "forever"}, "PROMPTVERDICT_KEEP_TEXTS_DAYS: 'forever' is not a number"),
    ({"PROMPTVERDICT_API_URL": "http://github.acme.example"}, "PROMPTVERDICT_API_URL: this is not an https URL"),
    ({"PROMPTVERDICT_API_URL": "https://me:pw@github.acme.example"}, "PROMPTVERDICT_API_URL: this is not an https URL"),
    ({"PROMPTVERDICT_API_URL": "https://[::1"}, "PROMPTVERDICT_API_URL: this is not a URL"),
    ({"PROMPTVERDICT_SERVER_URL": "git@github.com"}, "PROMPTVERDICT_SERVER_URL: this is not an https URL"),
    ({"PROMPTVERDICT_SLOT": "one two"}, "PROMPTVERDICT_SLOT: 'one two' is not a valid worker name"),
    ({"HOME": None}, "PROMPTVERDICT_DATA: this user has no home"),
    ({"HOME": "/"}, "PROMPTVERDICT_DATA: this user has no home"),
    ({"PROMPTVERDICT_KEY_ORIGINS": "HOUSE_LLM_KEY"}, "PROMPTVERDICT_KEY_ORIGINS: this is not an https URL"),
    ({"PROMPTVERDICT_KEY_ORIGINS": "OPENAI_API_KEY=https://evil.example"}, "'OPENAI_API_KEY' can't be bound"),
    ({"PROMPTVERDICT_KEY_ORIGINS": "PROMPTVERDICT_WEBHOOK_SECRET=https://evil.example"}, "can't be bound"),
    ({"PROMPTVERDICT_KEY_ORIGINS": "DATABASE_URL=https://evil.example"}, "can't be bound"),
    ({"PROMPTVERDICT_KEY_ORIGINS": "A=https://a.example A=https://b.example"}, "'A' can't be bound"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_is_wrong_is_said_in_one_line_without_the_secret(change, said):
    with pytest.raises(UsageError, match=re.escape(said)) as refusal:
        read_settings(needed(**change))
    text = str(refusal.value)
    assert "\n" not in text
    assert not any(value in text for value in (KEY, SECRET, "hunter2", "evil.example", "me:pw"))


def test_a_refusal_teaches_the_mend():
    with pytest.raises(UsageError) as refusal:
        read_settings(needed(PROMPTVERDICT_WEBHOOK_SECRET=None))
    assert "PROMPTVERDICT_WEBHOOK_SECRET_FILE" in str(refusal.value)
    assert "promptverdict bot setup" in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "is empty"), (b" \n", "is empty"), (b"\xff\xfe\x00", "is not text")]
)
def test_a_file_that_holds_no_secret_is_named(tmp_path, content, said):
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said) as refusal:
        read_settings(needed(PROMPTVERDICT_WEBHOOK_SECRET=None, PROMPTVERDICT_WEBHOOK_SECRET_FILE=str(path)))
    assert str(path) in str(refusal.value)


def test_nothing_secret_is_shown():
    settings = read_settings(
        needed(
            OPENAI_API_KEY="sk-openai",
            DATABASE_URL="postgresql://bot:pass-word@db/v",
            PROMPTVERDICT_PROXY="http://me:proxy%26word@proxy:3128",
            PROMPTVERDICT_KEY_ORIGINS="HOUSE=https://llm.example/v1",
            HOUSE="house-key",
        )
    )
    hidden = [KEY.strip(), SECRET, "sk-openai", "pass-word", "proxy%26word", "proxy&word", "house-key"]
    assert sorted(settings.secrets) == sorted(hidden)
    for shown in (repr(settings), str(settings)):
        assert not any(secret in shown for secret in (*hidden, KEY.splitlines()[1]))


def model(provider="openai", **more):
    return ModelConfig(provider=provider, model="m", **more)


def bound():
    return read_settings(
        needed(
            OPENAI_API_KEY="sk-openai",
            ANTHROPIC_API_KEY="sk-ant",
            HOUSE="house-key",
            OTHER_SECRET="other",
            PROMPTVERDICT_KEY_ORIGINS="HOUSE=https://llm.example/v1/",
            PROMPTVERDICT_CA_BUNDLE="/etc/ca.pem",
        )
    )


def test_a_key_goes_to_the_address_that_the_operator_bound_it_to():
    common = {"PROMPTVERDICT_CA_BUNDLE": "/etc/ca.pem"}
    assert bound().variables_for(model()) == {**common, "OPENAI_API_KEY": "sk-openai"}
    assert bound().variables_for(model("anthropic")) == {**common, "ANTHROPIC_API_KEY": "sk-ant"}
    assert bound().variables_for(model("offline")) == common
    house = model(base_url="https://llm.example/v1", api_key_env="HOUSE")
    assert bound().variables_for(house) == {**common, "HOUSE": "house-key"}


@pytest.mark.parametrize(
    "asked",
    [
        model(base_url="https://evil.example", api_key_env="HOUSE"),
        model(base_url="https://llm.example/v1/../../evil", api_key_env="HOUSE"),
        model(base_url="https://evil.example", api_key_env="PROMPTVERDICT_WEBHOOK_SECRET"),
        model(base_url="https://llm.example/v1", api_key_env="DATABASE_URL"),
        model(base_url="https://llm.example/v1"),
        model(base_url="https://evil.example", api_key_env="OTHER_SECRET"),
        model(api_key_env="OTHER_SECRET"),
        model(api_key_env="ANTHROPIC_API_KEY"),
        model("anthropic", api_key_env="HOUSE"),
    ],
)
def test_a_repository_can_not_send_a_key_elsewhere(asked):
    with pytest.raises(ProviderError, match="has not bound a key"):
        bound().variables_for(asked)


def test_a_key_that_is_bound_and_not_set_is_missed_by_the_provider():
    assert read_settings(needed()).variables_for(model()) == {}


def test_what_looks_like_a_setting_and_is_none_is_noticed():
    settings = read_settings(needed(PROMPTVERDICT_WEBHOOK_SECERT="x", PROMPTVERDICT_PORT_FILE="x"))
    assert settings.unknown == ("PROMPTVERDICT_PORT_FILE", "PROMPTVERDICT_WEBHOOK_SECERT")


def test_what_is_kept_how_long():
    kept = read_settings(needed(PROMPTVERDICT_KEEP_DELIVERIES_DAYS="14", PROMPTVERDICT_KEEP_TEXTS_DAYS="90")).retention
    assert (kept.deliveries_days, kept.texts_days) == (14, 90)
    usual = read_settings(needed()).retention
    assert (usual.deliveries_days, usual.texts_days) == (30, 365)


def test_every_documented_setting_is_read():
    """A dictionary that remembers what was asked of it."""
    asked = set()

    class Remembering(dict):
        def get(self, name, default=None):
            asked.add(name)
            return super().get(name, default)

    read_settings(Remembering(needed()))
    documented = {name for v in VARIABLES for name in (v.name, f"{v.name}_FILE" if v.secret else v.name)}
    assert asked - documented == {"HOME", "XDG_DATA_HOME"}
    assert documented - asked == set()
    assert os.environ.keys().isdisjoint({"PROMPTVERDICT_APP_ID"})


def test_pages_need_all_of_their_settings_or_none():
    site = {
        "PROMPTVERDICT_CLIENT_ID": "Iv23", "PROMPTVERDICT_CLIENT_SECRET": "0123456789abcdef",
        "PROMPTVERDICT_PUBLIC_URL": "https://verdict.example.com/",
    }  # fmt: skip
    assert read_settings(needed()).site is None
    settings = read_settings(needed(**site))
    assert settings.site.public_url == "https://verdict.example.com"
    assert "0123456789abcdef" in settings.secrets
    assert "0123456789abcdef" not in repr(settings)
    for name in site:
        with pytest.raises(UsageError, match=f"{name} is not set.*or none of them"):
            read_settings(needed(**{**site, name: None}))
    for url in ("http://verdict.example.com", "https://example.com/verdict", "nowhere"):
        with pytest.raises(UsageError, match="PROMPTVERDICT_PUBLIC_URL"):
            read_settings(needed(**{**site, "PROMPTVERDICT_PUBLIC_URL": url}))


def test_local_pages_need_no_app_and_listen_on_loopback_only():
    local = read_local_settings({"HOME": "/home/bot"})
    assert (local.host, local.database_url) == (
        "127.0.0.1", "sqlite:////home/bot/.local/share/prompt-verdict/bot.sqlite3",
    )  # fmt: skip
    for host in ("0.0.0.0", "192.168.0.4", "::", "verdict.example.com"):
        with pytest.raises(UsageError, match="other machines can reach"):
            read_local_settings({"HOME": "/home/bot", "PROMPTVERDICT_HOST": host})
