"""What somebody sees who tries the command for the first time."""

from tests.end_to_end.conftest import CONFIG
from tests.end_to_end.test_check import BROKEN


def test_an_edit_that_is_not_committed_is_pointed_out(project):
    project.repository.checkout("main")
    (project.repository.path / "prompts/triage.prompt.yml").write_text(BROKEN)
    for command in ("plan", "check"):
        ran = project.run(command)
        assert ran.code == 0
        assert "1 file with uncommitted changes left out (include them with --worktree)" in ran.err


def test_a_configuration_that_is_not_merged_is_pointed_out(project):
    project.repository.checkout("main")
    (project.repository.path / "promptverdict.yaml").write_text(CONFIG + "mode: inform\n")
    assert "commit and merge them first" in project.run("check").err
    assert "commit and merge them first" in project.run("plan").err


def test_a_repository_without_a_configuration_is_pointed_to_init(project):
    project.repository.commit({"promptverdict.yaml": None}, branch="main")
    project.repository.checkout("main")
    for command in ("plan", "check"):
        assert "there is no promptverdict.yaml; promptverdict init writes one" in project.run(command).err
    assert "without --dry-run" in project.run("init", "--dry-run").err


def test_before_the_configuration_is_merged_edits_can_be_measured_all_the_same(project):
    old = project.repository.commit({"promptverdict.yaml": None}, branch="main")
    project.repository.commit({"promptverdict.yaml": CONFIG}, branch="install", parent=old)
    project.repository.checkout("install")
    (project.repository.path / "prompts/triage.prompt.yml").write_text(BROKEN)
    ran = project.run("check", "--worktree", "--base", "main")
    assert (ran.code, "check --base HEAD --worktree measures" in ran.err) == (0, True)
    assert project.run("check", "--base", "HEAD", "--worktree").code == 1


def test_nothing_is_pointed_out_where_nothing_was_left_out(project):
    project.repository.checkout("main")
    assert project.run("check").err.count("\n") == 1  # what is compared with what


def test_inform_says_why_a_blocked_prompt_passes(project):
    base = project.repository.commit({"promptverdict.yaml": CONFIG + "mode: inform\n"}, branch="main")
    project.repository.commit({"prompts/triage.prompt.yml": BROKEN}, branch="broken", parent=base)
    ran = project.check("broken")
    assert (ran.code, ran.card["status"]) == (0, "blocked")
    assert "mode: inform" in ran.err


def test_power_names_the_drop_that_more_cases_would_rule_out(project):
    project.repository.checkout("main")
    out = project.run("power").out
    assert "more cases would rule out 5 points\n" in out
    assert "more cases would rule out 10 points\n" in out
