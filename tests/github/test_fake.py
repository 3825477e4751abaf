"""The fake itself: it keeps GitHub's promises and GitHub's limits, else what is tested on it means nothing."""

import hashlib
import hmac
import json
import subprocess
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from github import Auth, GithubIntegration

from adapters.github import GitHubHost
from tests.fakes.github import Hook, description
from tests.fakes.github.git import ENVIRONMENT
from tests.fakes.github.openapi import MISSING

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def call(github, method, path, body=None, token=None):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"{github.api_url}{path}", data, headers, method=method)
    try:
        with DIRECT.open(request) as answer:
            return answer.status, json.loads(answer.read() or b"null"), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null"), error.headers


@pytest.fixture
def token(github, scene):
    return github.actions_token(scene.repository, contents="read", issues="write", checks="write", statuses="write")


def test_a_partial_clone_fetches_any_commit_by_its_id_without_blobs(github, scene, tmp_path):
    pull, _ = scene.open_pull({"prompt.md": "new\n"}, fork="eve/shop")
    there = tmp_path / "there.git"

    def git(*arguments):
        command = ["git", "-C", str(there), *arguments]
        return subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT).stdout.decode()

    there.mkdir()
    git("init", "--quiet", "--bare")
    git("fetch", "--quiet", "--filter=blob:none", f"{github.server_url}/acme/shop.git", pull.head_sha)
    assert "prompt.md" in git("ls-tree", "-r", "--name-only", pull.head_sha)
    assert "?" in git("rev-list", "--objects", "--missing=print", pull.head_sha)


def test_a_private_repository_is_not_cloned_without_a_token(github, scene):
    scene.repository.private = True
    status, _, headers = call(github, "GET", "/acme/shop.git/info/refs?service=git-upload-pack")
    assert (status, headers["www-authenticate"]) == (401, 'Basic realm="GitHub"')


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("POST", "/repos/acme/shop/issues/1/comments", {"body": "x" * 65_537}, "too long"),
        ("POST", "/repos/acme/shop/issues/1/comments", {"body": " "}, "blank"),
        ("POST", "/repos/acme/shop/statuses/{sha}", {"state": "success", "description": "x" * 141}, "140"),
        ("POST", "/repos/acme/shop/check-runs", {"name": "c", "head_sha": "{sha}", "output": {"title": "t", "summary": "x" * 65_536}}, "65535"),
    ],
)  # fmt: skip
def test_githubs_limits_hold(github, scene, token, method, path, body, words):
    pull, _ = scene.open_pull({"prompt.md": "new\n"})
    sha = {"sha": pull.head_sha}
    body = {name: value.format(**sha) if isinstance(value, str) else value for name, value in body.items()}
    status, answer, _ = call(github, method, path.format(**sha), body, token)
    assert status == 422
    assert words in json.dumps(answer)
    github.violations.clear()  # the published description says so too


def test_annotations_are_appended_50_at_a_time(github, scene, token):
    note = {"path": "a", "start_line": 1, "end_line": 1, "annotation_level": "notice", "message": "m"}
    output = {"title": "t", "summary": "s", "annotations": [note] * 50}
    made = {"name": "c", "head_sha": scene.git.resolve("main"), "output": output}
    _, run, _ = call(github, "POST", "/repos/acme/shop/check-runs", made, token)
    status, run, _ = call(github, "PATCH", f"/repos/acme/shop/check-runs/{run['id']}", {"output": output}, token)
    assert (status, run["output"]["annotations_count"]) == (200, 100)
    output["annotations"].append(note)
    assert call(github, "PATCH", f"/repos/acme/shop/check-runs/{run['id']}", {"output": output}, token)[0] == 422
    github.violations.clear()


def test_too_many_writes_a_minute_meet_the_secondary_limit(github, scene, token):
    scene.open_pull({"a": "b"})
    seen = {call(github, "POST", "/repos/acme/shop/issues/1/comments", {"body": "x"}, token)[0] for _ in range(80)}
    status, answer, headers = call(github, "POST", "/repos/acme/shop/issues/1/comments", {"body": "x"}, token)
    assert (seen, status, headers["retry-after"]) == ({201}, 403, "60")
    assert "secondary rate limit" in answer["message"]


def test_webhooks_are_signed_and_a_redelivery_keeps_its_id(github, scene):
    arrived = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            arrived.append((dict(self.headers), self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        github.hooks.append(
            (None, Hook(f"http://127.0.0.1:{server.server_address[1]}/", "s3cret", frozenset({"push"})))
        )
        (delivery,) = github.webhooks.emit("push", {"ref": "refs/heads/main"})
        github.webhooks.emit("star", {})
        github.webhooks._attempt("push", delivery.body, None, delivery.hook, delivery.guid, redelivery=True, wait=True)
        server.shutdown()
    (headers, raw), (again, _) = arrived
    wanted = "sha256=" + hmac.new(b"s3cret", raw, hashlib.sha256).hexdigest()
    assert {name.lower(): value for name, value in headers.items()}["x-hub-signature-256"] == wanted
    assert again["X-Github-Delivery"] == headers["X-Github-Delivery"]


def test_an_app_signs_in_and_gets_a_token_for_one_repository(github, scene):
    github.repository("acme/other")
    app, installation = github.app("prompt-verdict", [scene.repository], contents="read", statuses="write")
    auth = Auth.AppAuth(app.id, app.private_key)
    token = GithubIntegration(auth=auth, base_url=github.api_url).get_access_token(installation).token
    assert call(github, "GET", "/repos/acme/shop", token=token)[0] == 200
    assert call(github, "GET", "/repos/acme/other", token=token)[0] == 404
    stranger, _ = github.app("stranger", [])
    stranger.id = app.id
    wrong = Auth.AppAuth(app.id, type(app).make(1, "x", {}, 9).private_key).token
    assert call(github, "GET", "/app", token=wrong)[0] == 401


@pytest.mark.skipif(description() is None, reason=MISSING)
@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("POST", "/repos/a/b/statuses/c", {"state": "green"}, "is not one of"),
        ("POST", "/repos/a/b/statuses/c", {"state": "success", "color": "red"}, "unknown property color"),
        ("POST", "/repos/a/b/statuses/c", {}, "'state' is a required property"),
        ("GET", "/repos/a/b/pulls?nonsense=1", None, "unknown query parameter nonsense"),
        ("GET", "/repos/a/b/pulls/x/y/z", None, "no such operation"),
    ],
)  # fmt: skip
def test_what_github_does_not_describe_is_a_violation(github, method, path, body, words):
    path, _, query = path.partition("?")
    raw = b"" if body is None else json.dumps(body).encode()
    assert words in " ".join(description().complaints(method, path, query, raw))
    assert github.violations == []


def test_an_installation_token_works_with_the_adapter(github, scene):
    app, installation = github.app("prompt-verdict", [scene.repository], pull_requests="read")
    scene.open_pull({"a": "b"})
    auth = Auth.AppAuth(app.id, app.private_key).get_installation_auth(installation)
    host = GitHubHost("acme/shop", auth, api_url=github.api_url, login=app.login)
    assert host.pull_request(1).number == 1


@pytest.mark.skipif(description() is None, reason=MISSING)
def test_an_answer_that_github_would_not_give_is_a_violation():
    lies = description().lies("GET", "/repos/a/b/pulls/1", 200, {"number": "seven", "color": "red"})
    assert len(lies) == 2
    assert description().lies("GET", "/repos/a/b/pulls/1", 200, {"number": 7}) == []
