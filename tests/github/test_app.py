"""The App on GitHub: its checks are made once, its tokens reach one repository and no log, its deliveries can be repaired."""

import logging
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from github.Requester import HTTPRequestsConnectionClass
from pydantic import ValidationError

from adapters.github import GitHubApp
from adapters.github.app import convert_manifest
from schemas.errors import ConfigError, HostError, NotFound, PermissionMissing
from schemas.host import Annotation, CheckAction, CheckConclusion, CheckRun, RequiredCheck, Role
from tests.fakes.github import Hook

PERMISSIONS = {"checks": "write", "pull_requests": "write", "contents": "read"}
RERUN = CheckAction(label="Re-run", description="Measure again", identifier="rerun")
MARKER = "<!-- prompt-verdict-answer 77"


class Clock:
    def __init__(self):
        self.now = datetime.now(UTC).timestamp()

    def __call__(self):
        return self.now


@pytest.fixture
def clock(github):
    github.clock = Clock()
    return github.clock


@pytest.fixture
def registered(github, scene):
    return github.app("prompt-verdict", [scene.repository], **PERMISSIONS)


@pytest.fixture
def app(github, registered, clock, naps):
    return GitHubApp(
        registered[0].id, registered[0].private_key, api_url=github.api_url, sleep=naps.append, clock=clock
    )


@pytest.fixture
def host(app, registered):
    return app.host(registered[1], "acme/shop")


@pytest.fixture
def pull(scene):
    return scene.open_pull({"prompt.md": "new\n"})[0]


def notes(count):
    return tuple(
        Annotation(level="error", path="prompt.md", start_line=n + 1, end_line=n + 1, title=f"t{n}", message=f"m{n}")
        for n in range(count)
    )


def run(pull, **changes):
    return CheckRun(
        **{
            "name": "prompt-verdict", "head_sha": pull.head_sha, "external_id": "run-1", "title": "measuring",
            "summary": "measuring", **changes,
        }
    )  # fmt: skip


def stored(scene):
    return [
        (
            check["external_id"],
            check["status"],
            check["conclusion"],
            [a["message"] for a in check["output"]["annotations"]],
        )
        for check in scene.repository.check_runs
    ]


# --- check runs


def test_a_check_is_made_under_way_and_completed_with_its_text_and_button(host, scene, pull):
    number = host.create_check(run(pull, actions=(RERUN,)))
    assert stored(scene) == [("run-1", "in_progress", None, [])]
    host.update_check(
        number, run(pull, conclusion=CheckConclusion.FAILURE, title="blocked", text="why", actions=(RERUN,))
    )
    (check,) = host.checks(pull.head_sha, "prompt-verdict")
    assert (check.id, check.conclusion, check.title) == (number, "failure", "blocked")
    assert scene.repository.check_runs[0]["actions"][0]["identifier"] == "rerun"


@pytest.mark.parametrize("count", [0, 1, 50, 51, 130])
def test_annotations_come_fifty_at_a_time_each_once(host, scene, pull, count):
    number = host.create_check(run(pull, annotations=notes(count)))
    for _ in range(2):
        host.update_check(number, run(pull, annotations=notes(count), conclusion=CheckConclusion.SUCCESS))
    assert stored(scene) == [("run-1", "completed", "success", [f"m{n}" for n in range(count)])]


@pytest.mark.parametrize("how", [{"lost": True}, {"cut": True}, {"status": 502}, {"lost": True, "times": 2}])
def test_a_lost_answer_never_makes_a_second_check(github, host, scene, pull, how):
    github.fail("POST", "/check-runs$", **how)
    number = host.create_check(run(pull, annotations=notes(60)))
    assert stored(scene) == [("run-1", "in_progress", None, [f"m{n}" for n in range(60)])]
    assert [check.id for check in host.checks(pull.head_sha, "prompt-verdict")] == [number]


@pytest.mark.parametrize("how", [{"lost": True}, {"cut": True}, {"status": 500}])
@pytest.mark.parametrize("skip", [0, 1, 2])
def test_a_lost_answer_never_annotates_twice(github, host, scene, pull, how, skip):
    number = host.create_check(run(pull))
    github.fail("PATCH", "/check-runs/", skip=skip, **how)
    host.update_check(number, run(pull, conclusion=CheckConclusion.FAILURE, annotations=notes(120)))
    assert stored(scene) == [("run-1", "completed", "failure", [f"m{n}" for n in range(120)])]


def test_who_was_killed_between_making_a_check_and_noting_it_finds_it_again(host, scene, pull):
    first = host.create_check(run(pull))
    assert host.create_check(run(pull, conclusion=CheckConclusion.SUCCESS)) == first
    assert len(scene.repository.check_runs) == 1


def test_another_run_is_another_check_and_the_newest_comes_first(host, pull):
    first, second = (host.create_check(run(pull, external_id=name)) for name in ("run-1", "run-2"))
    assert [check.id for check in host.checks(pull.head_sha, "prompt-verdict")] == [second, first]
    assert host.checks(pull.head_sha, "another") == ()


def test_a_check_of_another_app_is_not_ours(github, host, scene, pull):
    from adapters.github import AppHost

    other, installation = github.app("other", [scene.repository], **PERMISSIONS)
    theirs = GitHubApp(other.id, other.private_key, api_url=github.api_url).host(installation, "acme/shop")
    assert isinstance(theirs, AppHost)
    theirs.create_check(run(pull))
    assert host.checks(pull.head_sha, "prompt-verdict") == ()
    host.create_check(run(pull))
    assert len(scene.repository.check_runs) == 2


def test_an_outage_while_a_check_is_made_is_an_error_after_a_few_tries(github, host, pull):
    github.fail("POST", "/check-runs$", status=503, times=99)
    with pytest.raises(HostError, match="503"):
        host.create_check(run(pull))
    assert github.count("POST", "/check-runs$") == 3


def test_annotating_gives_up_in_an_outage(github, host, pull):
    number = host.create_check(run(pull))
    github.fail("PATCH", "/check-runs/", skip=1, status=503, times=99)
    with pytest.raises(HostError, match="503"):
        host.update_check(number, run(pull, annotations=notes(3)))


def test_a_check_that_is_gone_is_said_so(host, pull):
    with pytest.raises(NotFound):
        host.update_check(99, run(pull))


def test_a_missing_permission_is_named_with_what_mends_it(github, scene, pull, naps):
    app, installation = github.app("weak", [scene.repository], checks="read", pull_requests="write", contents="read")
    host = GitHubApp(app.id, app.private_key, api_url=github.api_url).host(installation, "acme/shop")
    with pytest.raises(PermissionMissing, match=r"checks: write.*App's settings"):
        host.create_check(run(pull))


@pytest.mark.parametrize(
    "wrong", [{"conclusion": "neutral"}, {"conclusion": "skipped"}, {"title": "x" * 256}, {"external_id": ""}]
)
def test_what_github_would_count_as_passed_or_refuse_can_not_be_written(pull, wrong):
    with pytest.raises(ValidationError):
        run(pull, **wrong)


# --- comments and people


def test_an_answer_is_given_once_and_stays_as_it_was_given(github, host, scene, pull):
    body = f"{MARKER} -->\nmeasuring again"
    github.fail("POST", "/issues/1/comments", lost=True)
    first = host.comment(1, body, MARKER)
    assert host.comment(1, f"{MARKER} -->\nsomething else", MARKER) == first
    assert [(c["author"], c["body"]) for c in scene.repository.comments] == [("prompt-verdict[bot]", body)]


def test_answers_to_two_commands_do_not_get_in_each_others_way(host, scene, pull):
    host.comment(1, f"{MARKER} -->\none", MARKER)
    host.comment(1, f"{MARKER}8 -->\ntwo", f"{MARKER}8")
    assert len(scene.repository.comments) == 2
    assert host.find_comment(1, "<!-- prompt-verdict") is None


def test_a_reaction_is_put_once(github, host, scene, pull):
    number = scene.comment(1, "mia", "/verdict help")["comment"]["id"]
    github.fail("POST", "/reactions$", lost=True)
    host.react(number, "eyes")
    assert [r["content"] for r in scene.repository.reactions] == ["eyes"]
    with pytest.raises(NotFound):
        host.react(number + 99, "eyes")


@pytest.mark.parametrize("role", list(Role))
def test_a_role_is_read_as_it_is_now(host, scene, role):
    scene.repository.roles["bob"] = role.value
    assert host.role("bob") is role


@pytest.mark.parametrize(
    ("permission", "fine", "role"),
    [
        ("read", "admin", Role.READ), ("write", "admin", Role.WRITE), ("none", "write", Role.NONE), ("admin", "read", Role.READ),
        ("write", "release-captain", Role.WRITE), ("write", None, Role.WRITE), ("owner", "admin", Role.NONE), (None, "admin", Role.NONE),
    ],
)  # fmt: skip
def test_of_two_words_for_a_role_the_weaker_counts(permission, fine, role):
    from adapters.github import answers

    assert answers.role({"permission": permission, "role_name": fine}) is role


def test_nobody_has_no_role_and_an_outage_is_no_answer(github, host):
    assert host.role("") is Role.NONE
    github.fail("GET", "/collaborators/ghost/permission", status=404)
    assert host.role("ghost") is Role.NONE
    github.fail("GET", "/collaborators/mia/permission", status=503, times=99)
    with pytest.raises(HostError):
        host.role("mia")


def test_every_open_pull_request_is_listed(host, scene, pull):
    scene.repository.pulls |= {n: replace(pull, number=n) for n in range(1, 104)}
    scene.repository.pulls[7].state = "closed"
    assert [p.number for p in host.open_pull_requests()] == [n for n in range(103, 0, -1) if n != 7]


def test_what_a_branch_requires_is_read_from_rulesets_and_from_classic_protection(host, scene):
    assert host.required_checks("main") == ()
    assert host.required_checks("gone") == ()
    scene.repository.required_checks["main"] = [
        {"context": "prompt-verdict", "integration_id": 12},
        {"context": "lint"},
    ]
    scene.repository.protected_checks["main"] = [{"context": "build", "app_id": -1}]
    assert host.required_checks("main") == (
        RequiredCheck(name="prompt-verdict", app_id=12, up_to_date=False),
        RequiredCheck(name="lint", app_id=None, up_to_date=False),
        RequiredCheck(name="build", app_id=None),
    )


# --- tokens


def test_a_token_reaches_one_repository_and_is_kept(github, app, registered, scene):
    other = github.repository("acme/private", private=True)
    other.git.commit("main", {"a": "b\n"})
    registered[0].installations[registered[1]] |= {"acme/private"}
    host = app.host(registered[1], "acme/shop")
    host.commit("main")
    app.host(registered[1], "acme/shop").commit("main")
    assert github.count("POST", "/access_tokens$") == 1
    (asked,) = [a.body for a in github.asked if a.path.endswith("/access_tokens")]
    assert asked == {"repositories": ["shop"]}
    host._at = "/repos/acme/private"
    with pytest.raises(NotFound):
        host.commit("main")


def test_no_token_of_the_bot_writes_contents(github, app, registered):
    """An account may grant it, for people."""
    registered[0].permissions["contents"] = "write"
    host = app.host(registered[1], "acme/shop")
    host.commit("main")
    host.commit("main")
    used = [github.tokens[token] for token, _ in app._tokens.values()]
    assert [one.permissions["contents"] for one in used] == ["read"]
    assert used[0].permissions["checks"] == "write"
    assert github.count("POST", "/access_tokens$") == 2


def test_git_gets_a_token_that_only_reads(github, app, registered):
    token = app.token(registered[1], "acme/shop")
    assert github.tokens[token].permissions == {"contents": "read", "metadata": "read"}
    assert github.tokens[token].repositories == {"acme/shop"}


def test_a_token_is_asked_for_again_five_minutes_before_it_expires(app, registered, clock):
    first = app.token(registered[1], "acme/shop")
    clock.now += 3600 - 302
    assert app.token(registered[1], "acme/shop") == first
    clock.now += 3
    assert app.token(registered[1], "acme/shop") != first


def test_a_host_outlives_its_token(host, clock):
    first = host.commit("main")
    clock.now += 7200
    assert host.commit("main") == first


def test_a_token_that_github_forgot_is_replaced_once(github, host, naps):
    host.commit("main")
    github.tokens.clear()
    host.commit("main")
    github.fail("GET", "/commits/", status=401, times=9)
    with pytest.raises(HostError, match=r"doesn't know this token.*private key"):
        host.commit("main")
    assert naps == []


def test_twenty_threads_share_one_token_and_their_answers_are_their_own(github, app, registered, scene, monkeypatch):
    """PyGithub keeps a request in its connection until it is sent: there the threads are made to meet."""
    plain = HTTPRequestsConnectionClass.request

    def slow(connection, *arguments, **options):
        plain(connection, *arguments, **options)
        time.sleep(0.01)

    monkeypatch.setattr(HTTPRequestsConnectionClass, "request", slow)
    shas = {f"b{n}": scene.git.commit(f"b{n}", {"a": f"{n}\n"}) for n in range(20)}
    host = app.host(registered[1], "acme/shop")
    found = {}
    gate = threading.Barrier(20)

    def ask(name):
        gate.wait()
        found[name] = [host.commit(name) for _ in range(3)]

    threads = [threading.Thread(target=ask, args=(name,)) for name in shas]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {name: [sha] * 3 for name, sha in shas.items()}
    assert github.count("POST", "/access_tokens$") == 1


def test_hosts_of_one_app_share_its_connections(github, app, registered):
    for _ in range(5):
        app.host(registered[1], "acme/shop").commit("main")
    pools = app._session.get_adapter(github.api_url).poolmanager.pools
    servers = pools.keys()
    assert [pools[server].num_connections for server in servers] == [1]


def test_neither_the_key_nor_a_token_is_logged_or_shown(github, app, host, registered, caplog):
    for name in (None, "github", "github.Requester", "urllib3", "requests"):
        caplog.set_level(logging.DEBUG, logger=name)
    host.commit("main")
    github.fail("GET", "/pulls/", status=403, message="no")
    with pytest.raises(HostError) as refused:
        host.pull_request(1)
    shown = caplog.text + str(refused.value) + repr(app) + repr(host) + repr(vars(host))
    for token in github.tokens:
        assert token not in shown
    assert "PRIVATE KEY" not in shown
    assert "eyJ" not in shown


@pytest.mark.parametrize(
    "key", ["", "not a key", "-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n-----END RSA PRIVATE KEY-----"]
)
def test_what_is_no_key_is_refused_without_being_shown(key):
    with pytest.raises(ConfigError, match="isn't an RSA key in PEM") as refused:
        GitHubApp(1, key)
    assert "c2VjcmV0" not in str(refused.value)
    assert refused.value.__cause__ is refused.value.__context__ is None


def test_the_key_of_another_app_is_refused_by_github(github, registered, app):
    stranger = GitHubApp(registered[0].id, github.app("other", [])[0].private_key, api_url=github.api_url)
    github.apps = {registered[0].id: registered[0]}
    with pytest.raises(HostError, match="private key"):
        stranger.itself()


def test_an_enterprise_servers_address_has_its_path_before_every_call(github, registered, pull):
    app = GitHubApp(registered[0].id, registered[0].private_key, api_url=f"{github.api_url}/api/v3/")
    assert app.host(registered[1], "acme/shop").pull_request(1).number == 1
    assert app.itself().id == registered[0].id


# --- the App's own state


def test_the_app_knows_itself_and_where_it_is_installed(app, registered, scene):
    registered[0].events = ("pull_request",)
    itself = app.itself()
    assert (itself.slug, itself.login, itself.owner) == ("prompt-verdict", "prompt-verdict[bot]", "acme")
    assert itself.permissions == {"metadata": "read", **PERMISSIONS}
    assert itself.events == ("pull_request",)
    (installed,) = app.installations()
    assert (installed.id, installed.account, installed.suspended) == (registered[1], "acme", False)
    (found,) = app.repositories(installed.id)
    assert (found.id, found.full_name, found.default_branch) == (scene.repository.id, "acme/shop", "main")


def test_a_suspended_installation_is_said_so(app, registered):
    registered[0].suspended.add(registered[1])
    assert [one.suspended for one in app.installations()] == [True]
    with pytest.raises(HostError, match="suspended"):
        app.token(registered[1], "acme/shop")


@pytest.fixture
def delivered(github, registered, scene, pull):
    """130 deliveries, of which none arrived: nobody listens."""
    github.hooks.append((registered[0], Hook("http://127.0.0.1:9/hook", "s", frozenset({"pull_request"}))))
    github.webhooks.drop.add("pull_request")
    payload = scene.pull_event("opened", pull)
    start = github.clock.now
    for n in range(130):
        github.clock.now = start - 130 * 60 + n * 60
        github.webhooks.emit("pull_request", payload)
    github.clock.now = start
    return payload


def test_deliveries_are_read_back_to_a_time_over_all_pages(app, clock, delivered, registered, scene):
    now = datetime.fromtimestamp(clock.now, UTC)
    everything = app.deliveries(now - timedelta(days=1))
    assert len(everything) == len({one.guid for one in everything}) == 130
    assert everything[0].delivered_at > everything[-1].delivered_at
    assert not any(one.arrived for one in everything)
    assert (everything[0].installation_id, everything[0].repository_id) == (registered[1], scene.repository.id)
    assert len(app.deliveries(now - timedelta(minutes=10, seconds=1))) == 10


def test_a_delivery_can_be_read_and_is_known_again_by_its_guid(github, app, clock, delivered, registered):
    newest, *_ = app.deliveries(datetime.fromtimestamp(clock.now - 3600, UTC))
    payload = app.delivery(newest.id)
    assert payload == {"installation": {"id": registered[1], "node_id": "I_1"}, **delivered}
    github.webhooks.redeliver(newest.id)
    again = app.deliveries(datetime.fromtimestamp(clock.now - 30, UTC))
    assert [(one.guid, one.redelivery) for one in again] == [(newest.guid, True)]


def test_where_webhooks_go_is_told_without_the_secret(app, delivered):
    hook = app.hook()
    assert (hook.url, hook.content_type, hook.verifies_tls, hook.has_secret) == (
        "http://127.0.0.1:9/hook",
        "json",
        True,
        True,
    )


def test_a_code_of_the_manifest_flow_makes_an_app_once(github):
    manifest = {
        "name": "Our Verdict",
        "url": "https://example.com",
        "default_permissions": PERMISSIONS,
        "default_events": ["push"],
    }
    github.manifests["c0de"] = manifest
    made = convert_manifest("c0de", api_url=github.api_url)
    assert made["slug"] == "our-verdict"
    assert GitHubApp(made["id"], made["pem"], api_url=github.api_url).itself().events == ("push",)
    with pytest.raises(NotFound):
        convert_manifest("c0de", api_url=github.api_url)
    with pytest.raises(HostError, match="not a code from GitHub"):
        convert_manifest("../../app", api_url=github.api_url)


@pytest.mark.parametrize("annotated", [0, 3, 60])
@pytest.mark.parametrize("times", [0, 1, 2])
def test_a_check_gets_its_conclusion_whatever_its_words_are(github, host, scene, pull, annotated, times):
    number = host.create_check(run(pull))
    github.fail("PATCH", "/check-runs/", status=422, message="Invalid request", times=times)
    wanted = run(pull, title="🔥 vip: blocked", annotations=notes(annotated), conclusion=CheckConclusion.FAILURE)
    if times == 2 and not annotated:
        with pytest.raises(HostError, match="422"):
            host.update_check(number, wanted)
        return
    host.update_check(number, wanted)
    (check,) = scene.repository.check_runs
    assert (check["status"], check["conclusion"]) == ("completed", "failure")
    plain = times == 2 or (times == 1 and not annotated)
    assert check["output"]["title"] == ("failure" if plain else "□ vip: blocked")
    assert ("did not take the report" in check["output"]["summary"]) == plain
