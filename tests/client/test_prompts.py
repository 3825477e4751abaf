"""Where prompts come from, how they are refreshed, and what an application sees of an outage: nothing."""

import json
import logging
import socket
import ssl
import stat
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from promptverdict_client import LoadError, PromptsError, RenderError, SettingsError, UnknownNameError
from promptverdict_client import prompts as module
from promptverdict_client.document import parse
from promptverdict_client.hub import Hub
from promptverdict_client.rendering import template
from tests.client.fake_hub import TOKEN, document, entry, version

NOWHERE = "http://127.0.0.1:9"
"""Nobody listens there."""


def text(prompts):
    return prompts["support-triage"].render().messages[0]["content"]


def bundle(folder, served):
    path = folder / "prompts.lock.json"
    path.write_text(json.dumps(served, indent=1))
    return path


def test_a_prompt_renders_to_everything_that_a_call_needs(hub, make):
    hub.put(document(entry([("system", "Sort."), ("user", "{{ticket}} {{who.name}}")], defaults={"ticket": "-"})))
    prompt = make()["support-triage"]
    rendered = prompt.render({"who.name": "Ada"}, ticket="Refund?")
    assert rendered.messages == [{"role": "system", "content": "Sort."}, {"role": "user", "content": "Refund? Ada"}]
    assert (rendered.model, rendered.parameters) == ("gpt-5-mini", {"temperature": 0.2})
    assert rendered.attributes == {
        "gen_ai.prompt.name": "support-triage",
        "prompt_verdict.lineage": "support-triage",
        "prompt_verdict.version": prompt.version,
        "prompt_verdict.tag": "production",
        "prompt_verdict.repository": "acme/shop",
    }
    assert prompt.using("large").render({"who.name": ""}).model == "gpt-5"
    assert prompt.model.name == "fast"


def test_what_is_rendered_belongs_to_the_caller(make):
    prompt = make()["support-triage"].using("large")
    prompt.render().parameters["reasoning"]["effort"] = "high"
    assert prompt.render().parameters == {"reasoning": {"effort": "low"}}
    with pytest.raises(AttributeError):
        prompt.version = "x"


def test_unknown_names_are_errors_with_near_names(make):
    prompts = make()
    with pytest.raises(UnknownNameError, match="production named 'suport-triage'; near names: support-triage"):
        prompts["suport-triage"]
    with pytest.raises(KeyError, match="the prompt support-triage has no model 'x'; near names: fast, large"):
        prompts["support-triage"].using("x")
    assert "support-triage" in prompts
    assert list(prompts) == ["support-triage"]


def test_a_promotion_is_seen_and_what_is_unchanged_is_not_sent_again(hub, make, eventually):
    prompts = make()
    assert text(prompts) == "v0"
    eventually(lambda: [status for _, _, status in hub.seen][1:3] == [304, 304])
    hub.put(version(1))
    eventually(lambda: text(prompts) == "v1")
    assert hub.seen[0][:2] == ("/v1/acme/shop/tags/production", hub.seen[0][1])
    assert hub.seen[0][1]["authorization"] == f"Bearer {TOKEN}"


def test_the_hub_comes_first_then_the_newer_copy(hub, make, tmp_path):
    make(bundle=bundle(tmp_path, version(5)))  # the hub has version 0, which the cache keeps
    hub.stop()
    assert text(make()) == "v0"
    assert text(make(bundle=bundle(tmp_path, version(5)))) == "v5"
    hub.put(version(7))
    hub.start()
    assert text(make(bundle=bundle(tmp_path, version(5)))) == "v7"
    hub.stop()
    assert text(make(bundle=bundle(tmp_path, version(5)))) == "v7"


def test_the_cache_is_of_one_hub_repository_and_tag_and_private(hub, make, tmp_path):
    make()
    (file,) = (tmp_path / "cache").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert file.read_bytes() == hub.body
    for other in ({"hub": NOWHERE}, {"tag": "staging"}):
        with pytest.raises(LoadError):
            make(**other)


def test_without_a_source_the_error_says_what_was_tried(make, tmp_path):
    with pytest.raises(LoadError) as raised:
        make(hub=NOWHERE, bundle=tmp_path / "no.json", cache=tmp_path / "none")
    said = str(raised.value)
    assert "acme/shop at production" in said
    assert f"hub {NOWHERE}: ConnectError" in said
    assert "cache" in said
    assert f"bundle {tmp_path / 'no.json'}: No such file" in said


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"token": "pv_other"}, "it answers 401 .check PROMPTVERDICT_TOKEN"),
        ({"tag": "stagging"}, "it answers 404 .check the tag"),
    ],
)
def test_a_refusal_is_an_error_and_only_a_copy_of_the_same_tag_helps(make, tmp_path, caplog, more, why):
    make()
    other = {"cache": tmp_path / "other", **more}
    with pytest.raises(LoadError, match=why):
        make(**other, bundle=bundle(tmp_path, document(entry("other"), tag="preview")))
    kept = bundle(tmp_path, document(entry("kept"), tag=more.get("tag", "production")))
    caplog.clear()
    assert text(make(**other, bundle=kept)) == "kept"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_hub_that_never_answers_delays_nothing(make, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        prompts = make(hub=url, bundle=bundle(tmp_path, version(3)), refresh_s=60)
        assert text(prompts) == "v3"
        assert not prompts._asked.is_set()


def test_a_hub_that_never_answers_is_named_where_nothing_else_is_there(make, monkeypatch):
    monkeypatch.setattr(module, "FIRST_LOAD_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(LoadError, match=r"no answer within 0.1 s; cache .*; bundle: none"):
            make(hub=url)


BAD = {
    "malformed": ({"served": b"{"}, "not a valid prompt set"),
    "of another tag": ({"served": document(entry("wrong"), tag="staging")}, "it is the tag 'staging'"),
    "too large": ({"served": b" " * (17 * 2**20)}, "the answer is larger than 16 MiB"),
    "no gzip": ({"served": b"wrong", "content_encoding": "gzip"}, "DecodingError"),
    "an error": ({"served": b"", "status": 500}, "it answers 500"),
    "a redirect": (
        {"served": b"", "status": 307, "location": "/elsewhere"},
        "it redirects (307), which is not followed",
    ),
    "not modified, unasked": ({"served": b"", "status": 304}, "it answers 304"),
    "gone": ({"served": b"", "status": 404}, "it answers 404 (check the tag"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_answer_changes_nothing_and_is_logged_once(hub, make, eventually, caplog, name):
    prompts = make()
    assert text(prompts) == "v0"
    before = prompts._body
    answer, why = BAD[name]
    hub.put(**answer)
    seen = len(hub.seen)
    eventually(lambda: len(hub.seen) > seen + 2)  # what was under way has ended
    prompts._etag = ""  # so that a 304 is unasked
    seen = len(hub.seen)
    eventually(lambda: len(hub.seen) > seen + 3)
    assert text(prompts) == "v0"
    assert prompts._body == before
    (warning,) = (record.message for record in caplog.records if record.levelno >= logging.WARNING)
    assert why in warning
    assert "/elsewhere" not in [path for path, _, _ in hub.seen]
    hub.put(version(1), etag="é".encode().decode("latin-1"))  # an ETag that can't be sent back
    eventually(lambda: text(prompts) == "v1")
    eventually(lambda: "answers again" in caplog.text)
    hub.put(version(2))
    eventually(lambda: text(prompts) == "v2")


def test_an_error_of_our_own_ends_no_refreshing(hub, make, eventually, monkeypatch, caplog):
    prompts = make()

    def broken(*_):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(module, "parse", broken)
    hub.put(version(1))
    assert text(prompts) == "v0"
    eventually(lambda: "ZeroDivisionError: ours" in caplog.text)
    monkeypatch.setattr(module, "parse", parse)
    eventually(lambda: text(prompts) == "v1")


def test_a_cache_that_cannot_be_written_is_only_a_warning(hub, make, tmp_path, caplog):
    (tmp_path / "file").touch()
    assert text(make(cache=tmp_path / "file" / "cache")) == "v0"
    assert "Not a directory" in caplog.text


def test_retries_wait_longer_each_time_and_as_long_as_the_hub_asks(hub, make):
    prompts = make(refresh_s=60)
    waits = []

    def wait(**headers):
        hub.put(b"", status=503, **headers)
        prompts._refresh(prompts._hub)
        return prompts._due - module.time.monotonic()

    waits = [wait() for _ in range(9)]
    assert waits[0] <= 1 < waits[2] <= 4 < waits[4] <= 16
    assert 40 < waits[-1] <= 60
    assert 85 < wait(retry_after="90") <= 90
    assert 80 < wait(retry_after=format_datetime(datetime.now(UTC) + timedelta(seconds=90))) <= 90
    assert 3500 < wait(retry_after="9" * 30) <= 3600
    assert wait(retry_after="soon") <= 60
    hub.put(version(1))
    prompts._refresh(prompts._hub)
    assert prompts._failures == 0
    assert 47 < prompts._due - module.time.monotonic() <= 60


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"hub": None}, "no hub is given: set PROMPTVERDICT_HUB"),
        ({"token": None}, "no token is given: set PROMPTVERDICT_TOKEN"),
        ({"token": " "}, "the token is empty"),
        ({"token": "a\nb"}, "or has characters that no token has"),
        ({"hub": "prompts.example.com"}, "must look like https://"),
        ({"hub": "https://user:secret@x.example"}, "must look like https://"),
        ({"hub": "http://x:port"}, "not valid"),
        ({"tag": ""}, "a tag"),
        ({"refresh_s": 0}, "refresh_s"),
    ],
)
def test_wrong_settings_are_named(make, monkeypatch, more, why):
    for name in ("PROMPTVERDICT_HUB", "PROMPTVERDICT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SettingsError, match=why):
        make(**more)


def test_certificates_are_verified():
    verified = Hub("https://hub.example", TOKEN, "acme/shop", "production")._verify
    assert (verified.verify_mode, verified.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_hub_and_token_come_from_the_environment(hub, make, monkeypatch):
    monkeypatch.setenv("PROMPTVERDICT_HUB", f"{hub.url}/")
    monkeypatch.setenv("PROMPTVERDICT_TOKEN", f"{TOKEN}\n")
    assert text(make(hub=None, token=None)) == "v0"


def test_an_empty_hub_reads_the_bundle_only(hub, make, monkeypatch, tmp_path):
    make()  # the cache of the hub is not read
    monkeypatch.setenv("PROMPTVERDICT_HUB", "")
    prompts = make(hub=None, bundle=bundle(tmp_path, version(5)))
    assert text(prompts) == "v5"
    assert prompts._stop.is_set()
    with pytest.raises(LoadError, match=r"can't be loaded\. hub none; cache: none; bundle: none"):
        make(hub="")


def test_a_dialect_whose_library_is_missing_names_the_extra(hub, make, monkeypatch, caplog):
    monkeypatch.setattr(template, "find_spec", lambda name: None if name == "jinja2" else name)
    hub.put(document(entry("{{ a }}", dialect="jinja"), entry(name="plain")))
    prompts = make()
    assert "to render support-triage, install promptverdict-client[jinja]" in caplog.text
    assert prompts["plain"].render(ticket="t").messages
    with pytest.raises(RenderError, match=r"written in jinja: install promptverdict-client\[jinja\]"):
        prompts["support-triage"].render(a=1)


def test_nothing_is_refreshed_after_the_end(hub, make):
    with make() as prompts:
        assert text(prompts) == "v0"
        (thread,) = (one for one in threading.enumerate() if one.name == "promptverdict")
        assert thread.daemon
    thread.join(30)
    assert not thread.is_alive()
    assert text(prompts) == "v0"
    assert "promptverdict" not in [one.name for one in threading.enumerate()]


def test_readers_see_no_failure_and_no_wrong_version_while_the_hub_is_killed(hub, make, eventually):
    """The short form of benchmarks/client.py."""
    prompts = make()
    kills, errors, ended = 10, [], threading.Event()

    def reader():
        last = 0
        try:
            while not ended.wait(0.001):
                prompt = prompts["support-triage"]
                number = int(prompt.render().messages[0]["content"].removeprefix("v"))
                assert last <= number <= hub.newest, "it never goes back, and is never ahead"
                last = number
        except (PromptsError, AssertionError) as error:
            errors.append(error)

    hub.newest = 0
    readers = [threading.Thread(target=reader) for _ in range(20)]
    for one in readers:
        one.start()
    for number in range(1, kills + 1):
        hub.stop()
        hub.newest = number
        hub.put(version(number))
        hub.start()
    eventually(lambda: text(prompts) == f"v{kills}" or errors)
    ended.set()
    for one in readers:
        one.join()
    assert errors == []
    assert text(prompts) == f"v{kills}"
