"""`bot setup`: a page, GitHub's manifest flow, files for this user only; never over anything that is there."""

import html
import io
import json
import re
import stat
import threading
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from adapters.github.app import GitHubApp
from bot.operations.app_manifest import EVENTS, PERMISSIONS, missing_events, missing_permissions, ruleset
from bot.operations.setup import AppSetup, api_url_of, setup
from bot.settings import SiteSettings, read_settings
from schemas.errors import HostError, NotFound, UsageError
from tests.fakes.github import FakeGitHub, description

HOOK = "https://verdict.example.com/webhook"
OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


@pytest.fixture
def github(tmp_path):
    with FakeGitHub(tmp_path / "github") as fake:
        yield fake
    assert fake.violations == []


class Browser:
    """Waits for the page's address on the terminal, then does what a person does."""

    def __init__(self, github, answer):
        self.github, self.answer = github, answer
        self.terminal = io.StringIO()
        self.page = ""
        self.seen = []

    def flush(self):
        self.walking = threading.Thread(target=self.walk, daemon=True)
        self.walking.start()

    def write(self, text):
        self.terminal.write(text)

    def walk(self):
        address = re.search(r"http://127\.0\.0\.1:[0-9]+/", self.terminal.getvalue())[0]
        with OPEN(address) as page:
            self.page = page.read().decode()
        action = html.unescape(re.search(r'action="([^"]+)"', self.page)[1])
        manifest = json.loads(html.unescape(re.search(r'name=manifest value="([^"]+)"', self.page)[1]))
        self.github.manifests["c0de"] = manifest
        self.seen = [action, manifest]
        state = action.partition("state=")[2]
        for path in self.answer(state):
            try:
                with OPEN(address.rstrip("/") + path) as answer:
                    self.seen.append(answer.status)
            except urllib.error.HTTPError as refused:
                with refused:
                    self.seen.append(refused.code)


def plan(github, tmp_path, **more):
    return AppSetup(**{"webhook_url": HOOK, "folder": tmp_path / "keys", "server_url": github.server_url, **more})


def run(github, tmp_path, answer=lambda state: [f"/made?code=c0de&state={state}"], **more):
    browser = Browser(github, answer)
    setup(plan(github, tmp_path, **more), browser, wait_s=20)
    browser.walking.join(10)
    return browser


def test_the_app_is_registered_and_its_files_are_for_this_user_only(github, tmp_path):
    browser = run(github, tmp_path)
    (app,) = github.apps.values()
    folder = tmp_path / "keys"
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == dict.fromkeys(
        ["app.pem", "webhook-secret", "client-secret", "app.env", "ruleset.json"], 0o600
    )
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / "app.pem").read_text() == app.private_key
    said = browser.terminal.getvalue()
    assert str(app.id) in said
    assert app.private_key not in said
    assert app.callback_urls == (HOOK.replace("/webhook", "/login/callback"),)
    assert "hook-secret" not in said.replace(str(folder / "webhook-secret"), "").replace("webhook-secret,", "")
    assert json.loads((folder / "ruleset.json").read_text()) == ruleset(app.id)


def test_the_files_are_settings_that_start_the_bot(github, tmp_path):
    run(github, tmp_path)
    lines = (tmp_path / "keys" / "app.env").read_text().splitlines()
    variables = dict(line.split("=", 1) for line in lines)
    (tmp_path / "keys" / "webhook-secret").write_text("a secret that is long enough")
    settings = read_settings({**variables, "PROMPTVERDICT_DATA": str(tmp_path), "PROMPTVERDICT_SLOT": "one"})
    assert settings.api_url == f"{github.server_url}/api/v3"
    app = GitHubApp(settings.app_id, settings.private_key.get_secret_value(), api_url=settings.api_url)
    itself = app.itself()
    assert not missing_permissions(itself.permissions)
    assert not missing_events(itself.events)
    assert isinstance(settings.private_key, SecretStr)
    (made,) = github.apps.values()
    assert settings.site == SiteSettings(
        client_id=made.client_id, client_secret=made.client_secret, public_url=HOOK.removesuffix("/webhook")
    )


def test_the_manifest_asks_for_the_least_and_sends_the_browser_to_the_right_account(github, tmp_path):
    action, asked, *_ = run(github, tmp_path, organization="acme-corp", name="Our Verdict").seen
    assert action.startswith(f"{github.server_url}/organizations/acme-corp/settings/apps/new?state=")
    assert asked["default_permissions"] == PERMISSIONS
    assert {name for name, level in PERMISSIONS.items() if level == "write"} == {"checks", "pull_requests"}
    assert asked["default_events"] == list(EVENTS)
    assert (asked["hook_attributes"], asked["public"]) == ({"url": HOOK, "active": True}, False)
    assert urlsplit(asked["redirect_url"]).hostname == "127.0.0.1"


@pytest.mark.parametrize(
    ("option", "permission"),
    [("opens_pull_requests", "contents"), ("deploys", "deployments"), ("opens_issues", "issues")],
)
def test_more_permissions_are_asked_for_only_on_request(github, tmp_path, option, permission):
    browser = run(github, tmp_path, **{option: True})
    assert browser.seen[1]["default_permissions"] == {**PERMISSIONS, permission: "write"}
    assert f"{permission}: write" in browser.terminal.getvalue()


def test_an_answer_that_we_did_not_ask_for_is_not_taken(github, tmp_path):
    browser = run(
        github,
        tmp_path,
        lambda state: [
            "/made?code=evil&state=guessed",
            f"/made?state={state}",
            "/other",
            f"/made?code=c0de&state={state}",
        ],
    )
    assert browser.seen[2:5] == [403, 403, 404]
    assert len(github.apps) == 1


def test_a_page_of_another_name_is_not_answered(github, tmp_path):
    answers = []

    def rebound(state):
        address = re.search(r"http://127\.0\.0\.1:[0-9]+/", browser.terminal.getvalue())[0]
        request = urllib.request.Request(address, headers={"host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            OPEN(request)
        with refused.value as answer:
            answers.append(answer.code)
        return [f"/made?code=c0de&state={state}"]

    browser = Browser(github, rebound)
    setup(plan(github, tmp_path), browser, wait_s=20)
    assert answers == [403]


@pytest.mark.parametrize("name", ["app.pem", "webhook-secret", "app.env", "ruleset.json"])
def test_nothing_is_ever_overwritten(github, tmp_path, name):
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / name).write_text("in use")
    with pytest.raises(UsageError, match=f"already has {name}"):
        setup(plan(github, tmp_path), io.StringIO())
    assert (tmp_path / "keys" / name).read_text() == "in use"
    assert not github.asked


def test_a_dangling_link_counts_as_a_file(github, tmp_path):
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "app.pem").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="already has"):
        setup(plan(github, tmp_path), io.StringIO())


def test_a_file_that_appears_meanwhile_is_not_overwritten_either(github, tmp_path):
    def meanwhile(state):
        (tmp_path / "keys" / "app.pem").write_text("in use")
        return [f"/made?code=c0de&state={state}"]

    with pytest.raises(UsageError, match=r"is registered, but .*app\.pem can't be written: File exists"):
        run(github, tmp_path, meanwhile)
    assert (tmp_path / "keys" / "app.pem").read_text() == "in use"


def test_a_code_that_github_does_not_know_writes_nothing(github, tmp_path):
    with pytest.raises(NotFound):
        run(github, tmp_path, lambda state: [f"/made?code=other&state={state}"])
    assert list((tmp_path / "keys").iterdir()) == []


def test_nobody_comes(github, tmp_path):
    with pytest.raises(UsageError, match="not registered within an hour"):
        setup(plan(github, tmp_path), io.StringIO(), wait_s=0)


def test_an_app_without_a_secret_keeps_its_key_and_says_what_is_missing(github, tmp_path, monkeypatch):
    from adapters.github import app

    made = {"id": 5, "slug": "x", "pem": "KEY", "webhook_secret": None}
    monkeypatch.setattr(app, "convert_manifest", lambda *_, **__: made)
    with pytest.raises(HostError, match=r"without a webhook secret.*webhook-secret"):
        run(github, tmp_path)
    assert (tmp_path / "keys" / "app.pem").read_text() == "KEY"


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"webhook_url": "http://verdict.example.com/webhook"}, "--webhook-url"),
        ({"webhook_url": "https://verdict.example.com/"}, "--webhook-url"),
        ({"webhook_url": "https://verdict.example.com/webhook?x=1"}, "--webhook-url"),
        ({"webhook_url": "verdict.example.com"}, "--webhook-url"),
        ({"name": ""}, "--name"),
        ({"name": "x" * 35}, "--name"),
        ({"organization": "../evil"}, "--organization"),
        ({"server_url": "http://github.example.com"}, "--github"),
        ({"server_url": "https://github.com/acme"}, "--github"),
    ],
)
def test_a_plan_that_can_not_work_is_refused_before_anything_happens(github, tmp_path, wrong, where):
    with pytest.raises(UsageError, match=where):
        setup(plan(github, tmp_path, **wrong), io.StringIO())
    assert not (tmp_path / "keys").exists()


def test_each_github_has_its_api_somewhere_else():
    assert api_url_of("https://github.com") == "https://api.github.com"
    assert api_url_of("https://acme.ghe.com") == "https://api.acme.ghe.com"
    assert api_url_of("https://github.acme.example") == "https://github.acme.example/api/v3"


@pytest.mark.skipif(description() is None, reason="npm packages are missing: run `make node-setup`")
def test_the_ruleset_is_one_that_github_takes():
    body = json.dumps(ruleset(123)).encode()
    assert description().complaints("POST", "/repos/acme/shop/rulesets", "", body) == []
    assert ruleset(123)["rules"][0]["parameters"]["required_status_checks"] == [
        {"context": "prompt-verdict", "integration_id": 123}
    ]


def test_a_weaker_permission_is_missing_and_a_stronger_one_is_not():
    assert missing_permissions({**PERMISSIONS, "checks": "read"}) == ("checks: write",)
    assert missing_permissions({**PERMISSIONS, "contents": "write"}) == ()
    assert missing_permissions({**PERMISSIONS, "contents": "strange"}) == ("contents: read",)
    assert missing_events(tuple(EVENTS[1:])) == (EVENTS[0],)
