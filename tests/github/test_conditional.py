"""A question whose answer hasn't changed costs nothing of the rate limit, and is still asked each time."""

from types import SimpleNamespace

import pytest

from adapters.github import conditional
from adapters.github.app import GitHubApp


@pytest.fixture
def answers():
    return []


@pytest.fixture
def registered(github, scene):
    return github.app("prompt-verdict", [scene.repository], checks="write", pull_requests="write", contents="read")


@pytest.fixture
def app(github, registered, naps, answers):
    return GitHubApp(
        registered[0].id, registered[0].private_key, api_url=github.api_url, sleep=naps.append,
        answered=lambda status, left: answers.append((status, left)),
    )  # fmt: skip


def asked(github, path):
    return [one.status for one in github.asked if one.path.endswith(path)]


def test_an_unchanged_answer_is_not_counted_and_a_changed_one_is_seen(github, scene, app, registered, answers):
    pull, _ = scene.open_pull({"prompt.md": "new\n"})
    host = app.host(registered[1], "acme/shop")
    first = host.pull_request(pull.number)
    assert host.pull_request(pull.number) == first
    assert app.host(registered[1], "acme/shop").pull_request(pull.number) == first
    assert asked(github, "/pulls/1") == [200, 304, 304]
    scene.push(pull, {"prompt.md": "newer\n"})
    assert host.pull_request(pull.number).head_sha == pull.head_sha != first.head_sha
    assert asked(github, "/pulls/1") == [200, 304, 304, 200]
    assert [status for status, _ in answers].count(304) == 2
    assert answers[-1][1] == pytest.approx(4999 / 5000)


def test_each_token_has_its_own_answers(github, scene, app, registered):
    pull, _ = scene.open_pull({"prompt.md": "new\n"})
    host = app.host(registered[1], "acme/shop")
    host.pull_request(pull.number)
    app._forget((registered[1], "acme/shop", ()))
    host.pull_request(pull.number)
    assert asked(github, "/pulls/1") == [200, 200]


def test_a_list_keeps_its_next_page(github, scene, app, registered):
    pull, _ = scene.open_pull({"prompt.md": "new\n"})
    for number in range(101):
        scene.comment(pull.number, "ada", f"hello {number}")
    host = app.host(registered[1], "acme/shop")
    assert host.find_comment(1, "<!-- none -->") == host.find_comment(1, "<!-- none -->") is None
    assert asked(github, "/issues/1/comments") == [200, 200, 304, 304]


def test_what_was_used_longest_ago_goes_first(monkeypatch):
    adapter = conditional.ConditionalAdapter(None)
    monkeypatch.setattr(conditional, "MOST_BYTES", 10)
    monkeypatch.setattr(conditional, "LARGEST", 8)
    for name, size in ((b"a", 4), (b"b", 4), (b"a", 4), (b"c", 5), (b"d", 9)):
        adapter._keep(name, SimpleNamespace(content=b"x" * size))
    assert list(adapter._kept) == [b"a", b"c"]
    assert adapter._bytes == 9


@pytest.mark.parametrize(
    ("left", "limit", "share"), [("1", "4", 0.25), ("", "", None), ("²", "9", None), ("1", "0", None)]
)
def test_the_share_that_is_left_is_read_or_unknown(left, limit, share):
    headers = {"x-ratelimit-remaining": left, "x-ratelimit-limit": limit}
    assert conditional._left(SimpleNamespace(headers=headers)) == share
