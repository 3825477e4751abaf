"""`promptverdict doctor`: what is wrong, where, and how to fix it; never a secret."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from bot.operations.app_manifest import EVENTS, PERMISSIONS
from bot.operations.doctor import github_checks, provider_checks
from bot.operations.doctor.examine import doctor
from bot.store.records import Records
from schemas.errors import UsageError
from schemas.outcomes import CompletionError, ErrorKind
from tests.fakes.github import FakeGitHub, Hook, Scene

SECRET = "a webhook secret, long enough"
NOW = datetime.now(UTC)
HOOK = "https://verdict.example.com/webhook"


class World:
    """An installation that is in order, until a test breaks it."""

    def __init__(self, github, folder):
        self.github = github
        self.repository = github.repository("acme/shop", mia="maintain")
        self.repository.git.commit("main", {"README.md": "hello\n"})
        self.scene = Scene(github, self.repository)
        self.app, self.installation = github.app("prompt-verdict", [self.repository], **PERMISSIONS)
        self.app.events = EVENTS
        self.hook = Hook(HOOK, SECRET, frozenset(EVENTS))
        github.hooks.append((self.app, self.hook))
        github.webhooks.send = lambda delivery: setattr(delivery, "status_code", self.status)
        self.status = 202
        self.repository.required_checks["main"] = [{"context": "prompt-verdict", "integration_id": self.app.id}]
        self.database = f"sqlite:///{folder / 'bot.sqlite3'}"
        self.records = Records(self.database)
        self.records.migrate()
        self.variables = {
            "PROMPTVERDICT_APP_ID": str(self.app.id), "PROMPTVERDICT_PRIVATE_KEY": self.app.private_key,
            "PROMPTVERDICT_WEBHOOK_SECRET": SECRET, "PROMPTVERDICT_DATA": str(folder), "PROMPTVERDICT_SLOT": "one",
            "PROMPTVERDICT_API_URL": github.api_url, "DATABASE_URL": self.database, "OPENAI_API_KEY": "sk-very-secret-key",
        }  # fmt: skip

    def deliver(self, *statuses):
        _, payload = self.scene.open_pull({"a.md": "x\n"})
        for status in statuses:
            self.status = status
            self.github.webhooks.emit("pull_request", payload)

    def findings(self, **more):
        stream = io.StringIO()
        code = doctor(self.variables, stream, now=NOW + timedelta(seconds=2), as_document=True, **more)
        found = json.loads(stream.getvalue())
        assert code == (1 if found["level"] == "problem" else 0)
        return [row for row in found["findings"] if row["level"] != "ok"]

    def only(self, **more):
        (found,) = self.findings(**more)
        assert found["where"]
        return found["area"], found["level"], found["what"], found["hint"]


@pytest.fixture
def github(tmp_path):
    with FakeGitHub(tmp_path / "github") as fake:
        yield fake
    assert fake.violations == []


class Provider:
    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    async def complete(self, request, **_):
        self.asked.append(request)
        return self.answer

    async def aclose(self):
        pass


@pytest.fixture
def provider(monkeypatch):
    provider = Provider(None)
    monkeypatch.setattr(provider_checks, "provider_for", lambda model, variables: provider)
    return provider


@pytest.fixture
def world(github, tmp_path, provider):
    world = World(github, tmp_path)
    world.deliver(202)
    yield world
    world.records.close()


def test_an_installation_in_order_has_nothing_to_fix(world, provider):
    assert world.findings() == []
    (request,) = provider.asked
    assert (request.parameters.max_tokens, request.origin) == (1, "https://api.openai.com/v1")


def test_every_finding_is_read_by_people_too_and_no_secret_is_shown(world, provider):
    provider.answer = CompletionError(
        kind=ErrorKind.AUTHENTICATION, message=f"wrong key sk-very-secret-key for {SECRET}"
    )
    stream = io.StringIO()
    assert doctor(world.variables, stream, now=NOW) == 1
    text = stream.getvalue()
    assert "PROBLEM  provider: api.openai.com refuses (authentication): wrong key *** for ***" in text
    assert "fix:   put a valid key into OPENAI_API_KEY" in text
    assert text.rstrip().endswith("1 problems, 0 warnings, 7 in order")
    for secret in ("sk-very-secret-key", SECRET, "PRIVATE KEY"):
        assert secret not in text


def test_settings_that_start_no_bot_are_said_at_once(world):
    del world.variables["PROMPTVERDICT_WEBHOOK_SECRET"]
    with pytest.raises(UsageError, match="PROMPTVERDICT_WEBHOOK_SECRET is not set"):
        world.findings()


def test_a_wrong_key_of_the_app_is_one_finding_for_each_look_not_a_crash(world, github):
    world.variables["PROMPTVERDICT_PRIVATE_KEY"] = github.app("other", [])[0].private_key
    del github.apps[world.app.id]
    github.apps[1] = world.app
    github.apps = {1: world.app}
    found = world.findings()
    assert {(row["area"], row["level"]) for row in found} == {
        ("app", "problem"),
        ("webhook", "problem"),
        ("installation", "problem"),
    }
    assert all("private key" in row["hint"] for row in found)


def test_a_permission_and_an_event_that_the_app_lacks(world):
    world.app.permissions = {**PERMISSIONS, "checks": "read"}
    world.app.granted[world.installation] = dict(PERMISSIONS)
    world.app.events = tuple(event for event in EVENTS if event != "issue_comment")
    whats = [row["what"] for row in world.findings()]
    assert whats == ["the App does not request checks: write", "the App does not receive issue_comment"]


def test_an_account_that_has_not_accepted_a_permission(world):
    world.app.granted[world.installation] = {**PERMISSIONS, "pull_requests": "read"}
    area, level, what, hint = world.only()
    assert (area, level) == ("installation", "problem")
    assert "acme hasn't granted pull_requests: write" in what
    assert "accept" in hint


def test_nobody_installed_it(world):
    world.app.installations.clear()
    assert world.only()[:3] == ("installation", "warning", "the App is not installed anywhere")


def test_a_suspended_installation_is_not_asked_further(world):
    world.app.suspended.add(world.installation)
    assert world.only()[:3] == ("installation", "warning", "acme suspended the App")


@pytest.mark.parametrize(
    ("required", "level", "what"),
    [
        ([], "warning", "doesn't require"),
        ([{"context": "lint"}], "warning", "doesn't require"),
        ([{"context": "prompt-verdict"}], "problem", "from anyone"),
        ([{"context": "prompt-verdict", "integration_id": 15368}], "problem", "from another App"),
    ],
)
def test_a_check_that_is_not_pinned_to_the_app(world, required, level, what):
    world.repository.required_checks["main"] = required
    area, found, said, hint = world.only()
    assert (area, found) == ("ruleset", level)
    assert what in said
    assert "ruleset.json" in hint


def test_classic_protection_pins_as_well(world):
    world.repository.required_checks.clear()
    world.repository.protected_checks["main"] = [{"context": "prompt-verdict", "app_id": world.app.id}]
    assert world.findings() == []


def test_one_repository_can_be_looked_at_alone_and_many_are_bounded(world, github, monkeypatch):
    monkeypatch.setattr(github_checks, "MOST_REPOSITORIES", 1)
    other = github.repository("acme/other")
    other.git.commit("main", {"a": "b\n"})
    world.app.installations[world.installation] |= {"acme/other"}
    found = world.findings()
    assert [row["what"] for row in found] == [
        "acme/other doesn't require prompt-verdict: blocked pull requests can be merged", "1 repositories were not examined",
    ]  # fmt: skip
    assert world.findings(only="acme/shop") == []
    assert world.only(only="acme/gone")[:3] == ("installation", "problem", "no installation covers acme/gone")


@pytest.fixture
def pages(world):
    """The pages of this installation, in order."""
    world.variables |= {
        "PROMPTVERDICT_CLIENT_ID": world.app.client_id, "PROMPTVERDICT_CLIENT_SECRET": world.app.client_secret,
        "PROMPTVERDICT_PUBLIC_URL": "https://verdict.example.com",
    }  # fmt: skip
    return world


def said_about_pages(world):
    stream = io.StringIO()
    doctor(world.variables, stream, now=NOW)
    return [line for line in stream.getvalue().splitlines() if " pages: " in line]


def test_pages_in_order(pages):
    assert pages.findings() == []
    assert any("the pages give patches" in line for line in said_about_pages(pages))
    pages.app.permissions = {**PERMISSIONS, "contents": "write"}
    assert pages.findings() == []
    assert any("people with write access open pull requests" in line for line in said_about_pages(pages))
    pages.app.granted[pages.installation] = dict(PERMISSIONS)
    assert pages.only()[:3] == (
        "pages", "warning", "acme hasn't granted contents: write, so the pages give patches there",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "level", "what"),
    [
        ("CLIENT_ID", "Iv23other", "problem", "PROMPTVERDICT_CLIENT_ID is not that of prompt-verdict"),
        ("CLIENT_SECRET", "wrong-secret", "problem", "GitHub refuses the client secret"),
        ("PUBLIC_URL", "https://pages.example.com", "warning", "the pages have another host than the webhook"),
    ],
)
def test_pages_to_which_nobody_can_sign_in(pages, name, value, level, what):
    pages.variables[f"PROMPTVERDICT_{name}"] = value
    area, found, said, hint = pages.only()
    assert (area, found, said.startswith(what)) == ("pages", level, True)
    assert hint
    assert "wrong-secret" not in said + hint


def test_a_callback_that_github_does_not_know(pages, github, monkeypatch):
    monkeypatch.setattr(github.oauth, "token", lambda given: {"error": "redirect_uri_mismatch"})
    assert pages.only()[2] == "https://verdict.example.com/login/callback is not a callback URL of the App"


def test_one_installation_that_can_not_be_asked_hides_no_other(world, github):
    world.app.installations[77] = frozenset({"acme/shop"})
    github.fail("POST", "/installations/77/access_tokens", status=403, message="no", times=9)
    found = world.findings()
    assert [(row["area"], row["what"]) for row in found] == [("installation", "GitHub refused (403): no")]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"url": ""}, "no address"), ({"url": "https://verdict.example.com/"}, "at /webhook"), ({"secret": ""}, "are not signed"),
        ({"content_type": "form"}, "as a form"), ({"insecure_ssl": "1"}, "does not verify"),
    ],
)  # fmt: skip
def test_a_webhook_that_is_set_up_wrong(world, change, what):
    for name, value in change.items():
        setattr(world.hook, name, value)
    area, level, said, hint = world.only()
    assert (area, level) == ("webhook", "problem")
    assert what in said
    assert hint


@pytest.mark.parametrize(
    ("status", "what"), [(401, "secrets differ"), (404, "404"), (502, "didn't arrive"), (503, "stored")]
)
def test_the_newest_delivery_was_refused(world, status, what):
    world.deliver(status)
    area, level, said, hint = world.only()
    assert (area, level) == ("webhook", "problem")
    assert what in said
    assert hint


def test_what_was_lost_once_is_a_warning_and_what_was_sent_again_is_none(world):
    world.deliver(502)
    lost = world.github.webhooks.deliveries[-1]
    world.deliver(202)
    assert world.only()[:3] == ("webhook", "warning", "1 of 3 deliveries of the last day were lost")
    lost.status_code = 502
    world.status = 202
    again = world.github.webhooks._attempt(
        lost.event, lost.body, world.app, world.hook, lost.guid, redelivery=True, wait=True
    )
    assert again.status_code == 202
    assert world.findings() == []


def test_nothing_was_ever_sent(world):
    world.github.webhooks.deliveries.clear()
    assert world.only()[:3] == ("webhook", "warning", "GitHub sent nothing in the last day")


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        (ErrorKind.AUTHENTICATION, "problem"),
        (ErrorKind.QUOTA, "problem"),
        (ErrorKind.TRANSPORT, "problem"),
        (ErrorKind.RATE_LIMITED, "warning"),
    ],
)
def test_a_key_that_does_not_work(world, provider, kind, level):
    provider.answer = CompletionError(kind=kind, message="no")
    area, found, what, hint = world.only()
    assert (area, found) == ("provider", level)
    assert str(kind) in what
    assert hint


def test_a_house_server_that_minds_the_model_and_not_the_key_is_reached(world, provider):
    provider.answer = CompletionError(kind=ErrorKind.BAD_REQUEST, message="no such model")
    world.variables |= {"PROMPTVERDICT_KEY_ORIGINS": "HOUSE_KEY=https://llm.example/v1", "HOUSE_KEY": "house-secret"}
    del world.variables["OPENAI_API_KEY"]
    assert world.findings() == []
    assert provider.asked[0].origin == "https://llm.example/v1"


def test_no_key_at_all(world):
    del world.variables["OPENAI_API_KEY"]
    assert world.only()[:3] == ("provider", "warning", "there is no key of any model provider")


def test_a_database_that_is_not_there_is_not_made(world, tmp_path):
    world.variables["DATABASE_URL"] = f"sqlite:///{tmp_path / 'new.sqlite3'}"
    assert world.only()[:3] == ("database", "warning", "there is no database yet")
    assert not (tmp_path / "new.sqlite3").exists()


def test_a_database_that_can_not_be_read(world, tmp_path):
    (tmp_path / "bad.sqlite3").write_bytes(b"not a database" * 100)
    world.variables["DATABASE_URL"] = f"sqlite:///{tmp_path / 'bad.sqlite3'}"
    area, level, what, _ = world.only()
    assert (area, level) == ("database", "problem")
    assert "not a database" in what


def test_a_worker_that_is_gone_and_webhooks_that_wait(world):
    world.records.heartbeat("two", NOW - timedelta(minutes=5))
    assert world.only()[:3] == ("workers", "warning", "worker two sent no heartbeat for two minutes")
    world.records.forget_slot("two")
    world.records.receive("0aaaaaaa-1", "ping", b"{}", NOW - timedelta(minutes=20))
    area, level, what, _ = world.only()
    assert (area, level) == ("deliveries", "problem")
    assert what.startswith("1 webhooks wait")


def test_webhooks_that_failed(world):
    at = NOW - timedelta(minutes=1)
    world.records.receive("0aaaaaaa-1", "ping", b"{}", at)
    for _ in range(8):
        (claimed,) = world.records.claim("one", 1, 1.0, at)
        world.records.retry(claimed, at, "no")
    assert world.only()[:3] == ("deliveries", "problem", "1 webhooks failed")
