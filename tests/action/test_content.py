"""What a clearance is bound to: the content digest of the real preparation."""

import pytest

from action.pipeline import LivePipeline
from adapters.git.remote import RemoteRepository
from adapters.github.host import GitHubHost
from engine.approvals.trust import pull_request_of
from tests.action.stage import ALL
from tests.action.triage import BROKEN, CASES, CONFIG, FILES, REWORDED
from tests.fakes.github import Scene

TRIAGE, WORKFLOW = "prompts/triage.prompt.yml", ".github/workflows/verdict.yml"


@pytest.fixture
def scene(github):
    repository = github.repository("acme/shop", ada="write")
    repository.git.commit("main", {**FILES, WORKFLOW: "on: push\n"})
    return Scene(github, repository)


@pytest.fixture
def digest(github, scene, tmp_path):
    """The content digest of a pull request as it is now."""
    token = github.actions_token(scene.repository, **ALL)
    host = GitHubHost.with_token("acme/shop", token, api_url=github.api_url)
    tree = RemoteRepository(tmp_path / "copy.git", f"{github.server_url}/acme/shop.git", token)

    def of(pull):
        pull_request = pull_request_of(host.pull_request(pull.number), "acme/shop", host.branch("main"))
        tree.fetch((pull_request.base_sha, pull_request.head_sha))
        return LivePipeline(tree, str(tmp_path / "store"), {}).prepare(pull_request).content_digest

    return of


@pytest.fixture
def pull(scene):
    return scene.open_pull({TRIAGE: REWORDED})[0]


@pytest.mark.parametrize("files", [{"README.md": "unrelated\n"}, {"src/new.py": "x = 1\n"}])
def test_files_that_no_verdict_depends_on_are_not_in_it(digest, scene, pull, files):
    before = digest(pull)
    scene.push(pull, files)
    assert digest(pull) == before


@pytest.mark.parametrize(
    "files",
    [
        {TRIAGE: BROKEN},
        {"tests/triage.jsonl": CASES.replace("1000", "1001")},
        {"promptverdict.yaml": CONFIG + "gate: {margin: {overall: 0.4}}\n"},
        {WORKFLOW: "on: pull_request\n"},
        {WORKFLOW: None},
        {WORKFLOW: None, ".github/workflows/renamed.yml": "on: push\n"},
        {".github/CODEOWNERS": "* @ada\n"},
    ],
)
def test_what_is_measured_and_what_the_gate_lies_in_are(digest, scene, pull, files):
    before = digest(pull)
    scene.push(pull, files)
    assert digest(pull) != before


def test_the_policy_of_the_base_is(digest, scene, pull):
    before = digest(pull)
    scene.git.commit("main", {"promptverdict.yaml": CONFIG + "gate: {margin: {overall: 0.4}}\n"})
    assert digest(pull) != before
