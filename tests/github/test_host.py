"""The GitHub adapter against our fake: idempotent writes, lost answers, refusals told apart, limits honored."""

import pytest
from github import Auth

from adapters.github import GitHubHost
from schemas.errors import HostError, NotFound, PermissionMissing
from schemas.host import CommitState, CommitStatus, ReviewState
from tests.fakes.github.routes import pull_json

MARKER = "<!-- prompt-verdict"
GREEN = CommitStatus(context="prompt-verdict", state=CommitState.SUCCESS, description="#1 approved")


def body(text):
    return f"{MARKER} 0a1b2c3 -->\n{text}"


@pytest.fixture
def pull(scene):
    return scene.open_pull({"prompt.md": "new\n"})[0]


def ours(scene):
    return [comment["body"] for comment in scene.repository.comments if comment["author"] == "github-actions[bot]"]


def test_a_pull_request_is_read_as_it_is_now(host, scene, pull):
    found = host.pull_request(pull.number)
    assert (found.head_sha, found.base_ref, found.author, found.is_open) == (pull.head_sha, "main", "ada", True)
    assert found.head_repository == "acme/shop"
    assert [p.number for p in host.pull_requests_of(pull.head_sha)] == [pull.number]


def test_a_pull_request_that_is_not_there_is_said_so(host):
    with pytest.raises(NotFound):
        host.pull_request(77)


def test_the_comment_is_made_once_and_then_updated(host, scene, pull):
    assert host.find_comment(pull.number, MARKER) is None
    first = host.write_comment(pull.number, body("running"), MARKER, None)
    found = host.find_comment(pull.number, MARKER)
    assert found == first
    host.write_comment(pull.number, body("approved"), MARKER, found)
    assert ours(scene) == [body("approved")]


def test_right_before_each_try_it_is_looked_whether_the_write_is_still_wanted(github, host, scene, pull):
    """A pause between two tries may be long: what was true before the first need not be before the second."""
    looks = []

    def look():
        looks.append(1)
        if len(looks) == 3:
            raise LookupError("not wanted any more")

    known = host.write_comment(pull.number, body("running"), MARKER, None, look)
    github.fail("PATCH", "comments", status=502, times=2)
    with pytest.raises(LookupError):
        host.write_comment(pull.number, body("approved"), MARKER, known, look)
    assert ours(scene) == [body("running")]


def test_of_two_comments_made_at_once_the_older_one_stays_and_nobody_elses_is_touched(host, scene, pull):
    scene.comment(pull.number, "eve", body("hers"))
    assert host.find_comment(pull.number, MARKER) is None
    scene.comment(pull.number, "github-actions[bot]", body("of the other run"))
    written = host.write_comment(pull.number, body("approved"), MARKER, None)
    assert ours(scene) == [body("approved")]
    assert host.find_comment(pull.number, MARKER) == written
    assert len(scene.repository.comments) == 2


def test_our_comment_is_found_behind_250_others(host, scene, pull):
    for n in range(250):
        scene.comment(pull.number, "ada", f"remark {n}")
    made = host.write_comment(pull.number, body("here"), MARKER, None)
    assert host.find_comment(pull.number, MARKER) == made


@pytest.mark.parametrize(
    ("by", "text"),
    [
        ("eve", body("mine now")),
        ("github-actions[bot]", f"> {MARKER} 0a1b2c3 -->"),
        ("github-actions[bot]", f"{MARKER}-other -->"),
        ("github-actions[bot]", f"hello\n{MARKER} 0a1b2c3 -->\n"),
    ],
)
def test_nobody_elses_comment_and_no_marker_further_down_is_ours(host, scene, pull, by, text):
    scene.comment(pull.number, by, text)
    assert host.find_comment(pull.number, MARKER) is None


def test_a_deleted_comment_comes_back(host, scene, pull):
    made = host.write_comment(pull.number, body("one"), MARKER, None)
    scene.repository.comments.clear()
    host.write_comment(pull.number, body("two"), MARKER, made)
    assert ours(scene) == [body("two")]


@pytest.mark.parametrize("how", [{"lost": True}, {"cut": True}, {"status": 502}, {"lost": True, "times": 2}])
def test_a_lost_answer_never_makes_a_second_comment(github, host, scene, pull, how):
    github.fail("POST", "/issues/1/comments", **how)
    host.write_comment(pull.number, body("once"), MARKER, None)
    assert ours(scene) == [body("once")]


@pytest.mark.parametrize("how", [{"lost": True}, {"cut": True}, {"status": 500}])
def test_a_lost_answer_never_makes_a_second_status(github, host, scene, pull, how):
    github.fail("POST", "/statuses/", **how)
    host.set_status(pull.head_sha, GREEN)
    assert [status["state"] for status in scene.repository.statuses] == ["success"]


def test_an_outage_ends_in_an_error_that_names_it(github, host, pull, naps):
    github.fail("POST", "/statuses/", status=503, times=99)
    with pytest.raises(HostError, match="503"):
        host.set_status(pull.head_sha, GREEN)
    github.fail("GET", "/pulls/1$", status=503, times=99)
    naps.clear()
    with pytest.raises(HostError, match="503, 4 tries"):
        host.pull_request(1)
    assert len(naps) == 3


def test_a_passing_hiccup_is_not_seen(github, host, pull):
    github.fail("GET", "/pulls/1$", cut=True, times=2)
    assert host.pull_request(1).number == 1


@pytest.mark.parametrize(
    ("status", "message", "headers", "least"),
    [
        (403, "You have exceeded a secondary rate limit.", {"retry-after": "7"}, 7),
        (429, "slow down", {"retry-after": "3"}, 3),
        (403, "You have exceeded a secondary rate limit.", {}, 60),
    ],
)
def test_a_rate_limit_is_waited_for_as_github_says(github, host, pull, naps, status, message, headers, least):
    github.fail("POST", "/statuses/", status=status, message=message, headers=headers)
    host.set_status(pull.head_sha, GREEN)
    assert naps == [least]


def test_a_rate_limit_beyond_the_deadline_is_an_error_at_once(github, host, pull, naps):
    github.fail("GET", "/pulls/1$", status=403, message="API rate limit exceeded", headers={"retry-after": "3600"})
    with pytest.raises(HostError, match="rate limit"):
        host.pull_request(1)
    assert naps == []


def test_a_missing_permission_is_named_and_not_retried(github, scene, pull, naps):
    token = github.actions_token(scene.repository, contents="read", pull_requests="write")
    host = GitHubHost("acme/shop", Auth.Token(token), api_url=github.api_url, sleep=naps.append)
    with pytest.raises(PermissionMissing) as refused:
        host.set_status(pull.head_sha, GREEN)
    assert refused.value.permission == "statuses: write"
    assert (naps, github.count("POST")) == ([], 1)


def test_a_bad_token_is_said_to_be_one(github, scene):
    with pytest.raises(HostError, match="doesn't know this token"):
        GitHubHost.with_token("acme/shop", "ghp_wrong", api_url=github.api_url).pull_request(1)


def test_a_refusal_carries_githubs_reason(host, pull):
    with pytest.raises(HostError, match="too long"):
        host.write_comment(pull.number, body("x" * 70_000), MARKER, None)


def test_the_writer_of_a_status_is_who_we_are(github, scene, pull):
    host = GitHubHost.with_token("acme/shop", github.user_token("ada"), api_url=github.api_url)
    host.set_status(pull.head_sha, GREEN)
    made = host.write_comment(pull.number, body("as ada"), MARKER, None)
    assert host.find_comment(pull.number, MARKER) == made


@pytest.mark.parametrize(
    ("login", "may"), [("mia", True), ("ada", True), ("rob", False), ("nobody", False), ("", False)]
)
def test_who_may_write(host, login, may):
    assert host.may_write(login) is may


def test_doubt_about_a_permission_is_a_no(github, host):
    github.fail("GET", "/permission", status=500, times=99)
    assert not host.may_write("mia")


def test_reviews_come_with_their_commit(host, scene, pull):
    scene.review(pull, "mia", "APPROVED")
    (review,) = host.reviews(pull.number)
    assert (review.reviewer, review.state, review.commit) == ("mia", ReviewState.APPROVED, pull.head_sha)


def test_statuses_of_our_context_come_newest_first(host, scene, pull):
    host.set_status(pull.head_sha, CommitStatus(context="other", state=CommitState.SUCCESS, description=""))
    host.set_status(pull.head_sha, GREEN.model_copy(update={"state": CommitState.PENDING}))
    host.set_status(pull.head_sha, GREEN)
    assert [s.state for s in host.statuses(pull.head_sha, "prompt-verdict")] == [
        CommitState.SUCCESS,
        CommitState.PENDING,
    ]


def test_artifacts_come_newest_first_and_tell_whose_they_are(host, scene, pull):
    scene.artifact("prompt-verdict", {"a": b"old"}, head_sha=pull.head_sha)
    scene.artifact("prompt-verdict", {"a": b"new"}, head_sha=pull.head_sha, head_repository_id=1)
    scene.artifact("other", {"a": b"?"}, head_sha=pull.head_sha)
    assert [a.same_repository for a in host.artifacts("prompt-verdict")] == [False, True]


def test_an_artifact_is_fetched_without_our_token(host, scene, pull):
    scene.artifact("prompt-verdict", {"a": b"data"}, head_sha=pull.head_sha)
    (artifact,) = host.artifacts("prompt-verdict")
    assert host.download(artifact, max_bytes=10_000).startswith(b"PK")
    with pytest.raises(HostError, match="larger than 10 bytes"):
        host.download(artifact, max_bytes=10)


def test_the_environments_proxies_are_not_used(host, pull, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert host.pull_request(1).number == 1


def test_the_base_of_a_pull_request_stays_where_it_was_and_the_branch_is_read(github, host, scene, pull):
    """GitHub does not keep ``base.sha`` current, so we never take it for the tip."""
    before = scene.git.resolve("refs/heads/main")
    tip = scene.git.commit("main", {"README.md": "moved\n"})
    assert pull_json(github, scene.repository, pull)["base"]["sha"] == before
    assert host.branch("main") == tip
    scene.git.commit("release", {"README.md": "release\n"}, parents=(tip,))
    scene.retarget(pull, "release")
    assert pull_json(github, scene.repository, pull)["base"]["sha"] == host.branch("release")


@pytest.mark.parametrize("name", ["main", "release/2026.1", "a b#c%d"])
def test_a_tag_of_the_same_name_is_no_branch(host, scene, name):
    if name != "a b#c%d":
        tip = scene.git.commit(name, {"README.md": "tip\n"}, parents=(scene.git.resolve("refs/heads/main"),))
        scene.git.set_ref(f"refs/tags/{name}", scene.git.commit("other", {"README.md": "tag\n"}))
        assert host.branch(name) == tip
    else:
        with pytest.raises(NotFound):
            host.branch(name)


@pytest.mark.parametrize("words", ["🔥 vip fell", "slice 𠀀", "𝛑 by 3 points", "é and ☃ stay", "x" * 139 + "🇩"])
def test_a_status_gets_through_whatever_its_words_are(github, host, scene, pull, words):
    """GitHub refuses characters of four bytes in a status; the head would stay pending for good."""
    host.set_status(pull.head_sha, CommitStatus(context="prompt-verdict", state="failure", description=words))
    (status,) = scene.repository.statuses
    assert status["state"] == "failure"
    assert status["description"] == "".join("□" if ord(sign) > 0xFFFF else sign for sign in words)


@pytest.mark.parametrize("times", [1, 2])
def test_a_status_that_is_refused_is_written_in_plain_words(github, host, scene, pull, times):
    github.fail("POST", "/statuses/", status=422, times=times)
    host.set_status(pull.head_sha, GREEN)
    (status,) = scene.repository.statuses
    assert (status["state"], status["description"]) == ("success", "success: see the job")
    assert (status["target_url"] == GREEN.target_url) == (times == 1 or GREEN.target_url is None)
    github.fail("POST", "/statuses/", status=403, times=1)
    with pytest.raises(HostError):
        host.set_status(pull.head_sha, GREEN)
    assert len(scene.repository.statuses) == 1
