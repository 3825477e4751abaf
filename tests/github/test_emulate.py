"""The happy path against somebody else's GitHub (npm “emulate”): our fake and our adapter don't only agree with each other."""

import shutil
import socket
import subprocess
import textwrap
import time
from pathlib import Path

import pytest
from github import Auth, Github, InputGitTreeElement

from adapters.github import GitHubApp, GitHubHost
from schemas.errors import HostError
from schemas.host import CheckConclusion, CheckRun, ReviewState, Role
from tests.fakes.github.identity import key_pair

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "node_modules" / ".bin" / "emulate"
NODE = shutil.which("node")
MARKER = "<!-- prompt-verdict"
SEED = """\
tokens:
  token-ada: {login: ada, scopes: [repo, user]}
  token-mia: {login: mia, scopes: [repo, user]}
  token-rob: {login: rob, scopes: [repo, user]}
github:
  users:
    - {login: ada, name: Ada, email: ada@example.com}
    - {login: mia, name: Mia, email: mia@example.com}
    - {login: rob, name: Rob, email: rob@example.com}
  repos:
    - {owner: ada, name: shop, auto_init: true}
  apps:
    - app_id: 12345
      slug: prompt-verdict
      name: Prompt Verdict
      private_key: |
KEY
      permissions: {checks: write, contents: read, issues: read, metadata: read, pull_requests: write}
      events: [pull_request, check_run]
      webhook_url: http://127.0.0.1:9/webhook
      webhook_secret: the secret of the test
      installations:
        - {installation_id: 100, account: ada, repository_selection: all}
"""
KEY = key_pair(0)[0]
pytestmark = [
    pytest.mark.node,
    pytest.mark.skipif(NODE is None or not PROGRAM.exists(), reason="npm packages are missing: run `make node-setup`"),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("emulate")
    (folder / "seed.yaml").write_text(SEED.replace("KEY", textwrap.indent(KEY.rstrip(), " " * 8)))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [str(PROGRAM), "start", "-s", "github", "-p", str(port), "--seed", "seed.yaml", "--base-url", address]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        else:
            pytest.skip(f"emulate didn't start: {(folder / 'log').read_text()[-300:]}")
        yield address
    finally:
        process.terminate()
        process.wait(10)


def person(url, login):
    return Github(
        auth=Auth.Token(f"token-{login}"),
        base_url=url,
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )


@pytest.fixture(scope="module")
def pull(url):
    """A pull request of Ada's, made by PyGithub's own objects."""
    repository = person(url, "ada").get_repo("ada/shop")
    base = repository.get_branch(repository.default_branch).commit
    tree = repository.create_git_tree(
        [InputGitTreeElement("prompt.md", "100644", "blob", content="Sort.\n")], repository.get_git_tree(base.sha)
    )
    commit = repository.create_git_commit("A prompt", tree, [repository.get_git_commit(base.sha)])
    repository.create_git_ref("refs/heads/change", commit.sha)
    return repository.create_pull(base=repository.default_branch, head="change", title="A prompt", body="")


@pytest.fixture
def host(url):
    return GitHubHost("ada/shop", Auth.Token("token-ada"), api_url=url, login="ada", sleep=lambda _: None)


def test_a_pull_request_reads_the_same(host, pull):
    found = host.pull_request(pull.number)
    assert (found.head_sha, found.author, found.is_open) == (pull.head.sha, "ada", True)
    assert found.head_repository == "ada/shop"
    assert host.commit("change") == pull.head.sha
    assert host.branch(found.base_ref) == host.commit("main")


def test_one_comment_over_several_pages(url, host, pull):
    theirs = person(url, "mia").get_repo("ada/shop").get_pull(pull.number)
    for n in range(105):
        theirs.create_issue_comment(f"remark {n}")
    assert host.find_comment(pull.number, MARKER) is None
    made = host.write_comment(pull.number, f"{MARKER} 0a1b2c3 -->\nrunning", MARKER, None)
    found = host.find_comment(pull.number, MARKER)
    assert found.id == made.id
    host.write_comment(pull.number, f"{MARKER} 0a1b2c3 -->\napproved", MARKER, found)
    bodies = [c.body for c in pull.get_issue_comments() if c.user.login == "ada"]
    assert bodies == [f"{MARKER} 0a1b2c3 -->\napproved"]


def test_reviews_and_permissions(url, host, pull):
    person(url, "mia").get_repo("ada/shop").get_pull(pull.number).create_review(event="APPROVE", body="fine")
    (review,) = host.reviews(pull.number)
    assert (review.reviewer, review.state, review.commit) == ("mia", ReviewState.APPROVED, pull.head.sha)
    assert host.may_write("ada")
    assert not host.may_write("rob")


@pytest.fixture
def app(url):
    return GitHubApp(12345, KEY, api_url=url, sleep=lambda _: None)


def test_the_app_signs_in_and_knows_where_it_is(app, url):
    assert app.itself().slug == "prompt-verdict"
    assert app.itself().permissions["checks"] == "write"
    (installed,) = app.installations()
    assert (installed.id, installed.account, installed.suspended) == (100, "ada", False)
    with pytest.raises(HostError):
        GitHubApp(12345, key_pair(1)[0], api_url=url, sleep=lambda _: None).itself()


def test_the_app_makes_one_check_and_completes_it(app, pull):
    host = app.host(100, "ada/shop")
    run = CheckRun(
        name="prompt-verdict", head_sha=pull.head.sha, external_id="run-1", title="measuring", summary="measuring"
    )
    number = host.create_check(run)
    assert host.create_check(run) == number
    done = run.model_copy(update={"conclusion": CheckConclusion.FAILURE, "title": "blocked", "text": "why"})
    host.update_check(number, done)
    (check,) = host.checks(pull.head.sha, "prompt-verdict")
    assert (check.id, check.external_id, check.conclusion, check.title) == (number, "run-1", "failure", "blocked")


def test_the_app_answers_a_command_once_and_asks_for_roles(app, url, pull):
    host = app.host(100, "ada/shop")
    asked = person(url, "ada").get_repo("ada/shop").get_pull(pull.number).create_issue_comment("/verdict help")
    marker = f"<!-- prompt-verdict-answer {asked.id}"
    first = host.comment(pull.number, f"{marker} -->\nhelp", marker)
    assert host.comment(pull.number, f"{marker} -->\nhelp", marker) == first
    assert host.role("ada") is Role.ADMIN
    assert host.role("rob") in (Role.NONE, Role.READ)
    assert [one.number for one in host.open_pull_requests()] == [pull.number]


def test_a_draft_becomes_one_pull_request_of_its_person(url):
    """The last step of the playground: two files, sent twice, by Ada's own token."""
    from adapters.github.proposals import Proposal, Proposals
    from adapters.github.sign_in import person_of
    from adapters.github.transport import new_session

    repository = person(url, "ada").get_repo("ada/shop")
    for path, text in (("draft.md", "Sort.\n"), ("promptverdict.yaml", "version: 1\n")):
        repository.create_file(path, f"Add {path}", text)
    ada = person_of("token-ada", api_url=url, proxy=None, ca_bundle=None, session=new_session(None))
    proposals = ada.proposals("ada/shop")
    assert isinstance(proposals, Proposals)
    prompt, config = proposals.file("draft.md"), proposals.file("promptverdict.yaml")
    wanted = Proposal(
        "prompt-verdict/draft-0a1b2c", b"Sort it.\n", "Sort it", "Made in the playground.",
        more=((config, b"version: 1\nmodels: {}\n"),),
    )  # fmt: skip
    first, again = proposals.open(prompt, wanted), proposals.open(prompt, wanted)
    assert (first.number, first.is_new, again.is_new) == (again.number, True, False)
    opened = repository.get_pull(first.number)
    assert (opened.user.login, opened.title, opened.state) == ("ada", "Sort it", "open")
    contents = {
        path: repository.get_contents(path, ref=wanted.branch).decoded_content for path in (prompt.path, config.path)
    }
    assert contents == {"draft.md": b"Sort it.\n", "promptverdict.yaml": b"version: 1\nmodels: {}\n"}
