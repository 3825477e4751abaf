"""The demo's repository is real, and the same wherever it is built."""

import subprocess
from pathlib import Path

import pytest

from demo.staging import stage
from schemas.errors import UsageError
from schemas.verdicts import VerdictStatus

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return folder, stage(folder)


def git(folder, *arguments):
    return subprocess.run(["git", "-C", folder, *arguments], capture_output=True, check=True, text=True).stdout


def test_every_pull_request_is_a_branch_on_top_of_main(staged):
    folder, pull_requests = staged
    for each in pull_requests:
        assert git(folder, "rev-parse", each.branch).strip() == each.head
        assert git(folder, "merge-base", "main", each.branch).strip() == each.base
        assert git(folder, "log", "-1", "--format=%s", each.head).strip() == each.title
        assert git(folder, "diff", "--name-only", each.base, each.head)


def test_the_verdicts_that_the_demo_shows_are_all_there(staged):
    expected = [each.expect for each in staged[1]]
    assert expected.count(VerdictStatus.APPROVED) >= 2
    assert {VerdictStatus.BLOCKED, VerdictStatus.NEEDS_REVIEW} <= set(expected)


def test_main_ends_with_what_the_examples_show(staged):
    folder, _ = staged
    for path in git(folder, "ls-tree", "-r", "--name-only", "-z", "main").strip("\0").split("\0"):
        assert (folder / path).read_bytes() == (EXAMPLES / path).read_bytes()


def test_every_version_of_a_prompt_is_a_commit(staged):
    folder, _ = staged
    for prompt in (
        "prompts/support/triage.prompt.yml",
        "prompts/resume/match",
        "prompts/outreach/email.yaml",
        "prompts/support/agent.prompt.yml",
    ):
        assert len(git(folder, "log", "--format=%h", "main", "--", prompt).split()) == 5


def test_the_same_commits_on_every_machine(staged, tmp_path):
    assert stage(tmp_path / "again") == staged[1]


def test_the_users_git_configuration_has_no_say(staged, tmp_path, monkeypatch):
    (tmp_path / "config").write_text("[core]\n\tautocrlf = true\n[commit]\n\tgpgsign = true\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert stage(tmp_path / "again") == staged[1]


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(UsageError, match="the folder is not empty"):
        stage(tmp_path)
    assert (tmp_path / "mine").read_text() == "precious"
