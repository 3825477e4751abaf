"""Whatever stdout, stderr and the output folder are: one line, the verdict's own exit code, never a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.conftest import PATH, PROMPT, run_command
from tests.repositories import Repository

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
REWORDED = PROMPT.replace("You sort support tickets", "You assign support tickets")
ODD = "::error::x"


@pytest.fixture
def shell(project):
    """Runs a line of shell in the repository; ``$CHECK`` checks a branch that is approved."""
    project.branch("x", {"prompts/triage.prompt.yml": REWORDED})

    def run(line, **environment):
        given = {"PATH": PATH, "HOME": str(project.home), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        given |= {"CHECK": f"{sys.executable} -m action check --head x", **environment}
        return subprocess.run(
            ["bash", "-c", line], cwd=project.repository.path, env=given, capture_output=True, timeout=60, check=False
        )

    return run


@pytest.mark.parametrize(
    ("line", "environment", "code"),
    [
        ("$CHECK --format markdown", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, 0),
        ("$CHECK >&-", {}, 0),
        ("$CHECK 2>&-", {}, 0),
        ("set -o pipefail; $CHECK --format html | true", {}, 0),
        ("$CHECK >/dev/full", {}, 3),
    ],
    ids=["locale-C", "closed", "closed-stderr", "early-reader", "full"],
)
def test_no_stdout_changes_the_verdict_or_prints_a_traceback(shell, line, environment, code):
    ran = shell(line, **environment)
    assert ran.returncode == code, ran.stderr.decode()
    assert b"Traceback" not in ran.stderr
    assert b"Exception ignored" not in ran.stderr


def test_text_for_a_pipe_is_utf_8_whatever_the_locale(shell):
    assert shell("$CHECK", PYTHONIOENCODING="latin-1").stdout.decode("utf-8").startswith("✅")


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/nope"])
def test_an_output_folder_that_can_not_be_is_refused_before_anything_is_paid(project, place):
    project.branch("x", {"prompts/triage.prompt.yml": REWORDED})
    (project.home / "file").write_text("")
    ran = project.check("x", "--output", str(project.home / place))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert not (project.home / ".cache").exists()


def test_a_report_that_can_not_be_written_leaves_the_verdict(project):
    project.branch("x", {"prompts/triage.prompt.yml": REWORDED})
    (project.home / "out/scorecard.json").mkdir(parents=True)
    ran = project.check("x", "--output", str(project.home / "out"))
    assert (ran.code, ran.card["status"]) == (0, "approved")
    assert "scorecard.json: not written" in ran.err


def test_a_demo_in_a_file_is_refused(project):
    (project.home / "file").write_text("")
    ran = project.run("demo", "--output", project.home / "file")
    assert (ran.code, ran.err.count("\n")) == (2, 1)


def test_our_own_bug_is_an_error_and_not_blocked(project, monkeypatch):
    def bug(*_):
        raise ValueError("our own")

    monkeypatch.setattr("action.cli.check.open_repository", bug)
    ran = project.check("main")
    assert ran.code == 3
    assert "ValueError: our own" in ran.err


def test_no_text_of_a_repository_is_a_runner_command(project):
    tests = (project.repository.git("show", "main:tests/triage.jsonl") + "\n").replace('"typical"', f'"{ODD}"')
    base = project.repository.commit({"tests/triage.jsonl": tests}, branch="main")
    project.repository.commit(
        {
            "prompts/triage.prompt.yml": PROMPT.replace("money back, returns, refund requests", "zebras").replace(
                "Answer", f"{ODD}\n      ##[error]x\n      Answer"
            )
        },
        branch="x",
        parent=base,
    )
    out = project.home / "out"
    printed = [
        project.run("check", "--head", "x", "--output", out).out,
        project.run("diff", "triage", "main", "x").out,
        project.run("decide", out / "experiments/1.json.gz").out,
    ]
    assert ": :error: :x" in printed[0]
    assert "# #[error]" in printed[1]
    assert ": :error: :x" in printed[2]
    for line in "\n".join(printed).splitlines():
        assert not line.lstrip().startswith("::")
        assert "##[" not in line


def test_a_repository_without_prompts_gets_a_configuration_all_the_same(tmp_path):

    repository = Repository(tmp_path / "r")
    repository.commit({"a.py": "x"})
    ran = run_command("init", cwd=repository.path, home=tmp_path)
    assert ran.code == 0, ran.err
    assert (repository.path / ".github/workflows/prompt-verdict.yml").exists()
