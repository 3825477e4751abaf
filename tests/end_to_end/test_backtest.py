"""``promptverdict backtest``: what the gate would have said about the earlier changes of a prompt."""

import json

import pytest

from tests.end_to_end.conftest import CONFIG, PROMPT
from tests.end_to_end.test_check import BROKEN, REWORDED

OLD, NEW = "prompts/sort.prompt.yml", "prompts/triage.prompt.yml"


@pytest.fixture
def history(project):
    """A prompt that was born elsewhere, broken and mended; two commits in between change something else."""
    commit = project.repository.commit
    commit({OLD: PROMPT, NEW: None}, branch="main", message="Begin")
    commit({OLD: REWORDED}, branch="main", message="Reword \x1b[31m::error::\u202e")
    commit({"README.md": "words\n"}, branch="main", message="Describe")
    commit({OLD: None, NEW: REWORDED}, branch="main", message="Move")
    commit({NEW: BROKEN}, branch="main", message="Break")
    commit({NEW: REWORDED + "# mended\n"}, branch="main", message="Mend")
    return project


def documents(ran):
    return json.loads(ran.out)


@pytest.mark.slow
def test_every_change_gets_its_verdict_and_nothing_is_paid_twice(history):
    ran = history.run("backtest", "triage", "--format", "json")
    found = documents(ran)
    subjects = [step["revision"]["subject"] for step in found["steps"]]
    assert subjects[1:] == ["Break", "Mend"]
    assert subjects[0].startswith("Reword")
    assert [step["verdict"] for step in found["steps"]] == ["approved", "blocked", "approved"]
    assert [version["cases"] for version in found["versions"]] == [60] * 4
    scores = [version["score"] for version in found["versions"]]
    assert scores[2] < min(scores[0], scores[1]) <= scores[3]
    assert (ran.code, found["unfinished"], found["calls"] > 0) == (0, None, True)
    again = documents(history.run("backtest", "triage", "--format", "json"))
    assert again["calls"] == 0
    assert (again["steps"], again["versions"]) == (found["steps"], found["versions"])
    table = history.run("backtest", "triage").out
    assert "The gate would have stopped 1 of 3 changes:" in table
    assert table.count("█ ") == 4
    assert not {"\x1b", "\u202e"} & set(table)  # texts of the history are visible characters
    assert "\n::error" not in table
    assert len(documents(history.run("backtest", "triage", "--last", "1", "--format", "json"))["versions"]) == 2
    today = history.run("score", "--head", "main", "--format", "json")
    assert documents(today)[0]["score"] == pytest.approx(scores[3])


@pytest.mark.slow
def test_a_budget_ends_it_and_the_same_command_goes_on(history):
    dry = history.run("backtest", "triage", "--dry-run")
    assert dry.out.startswith("3 changes: 240 calls for one run of every case, about $")
    whole = documents(history.run("backtest", "triage", "--format", "json", "--store", "a.sqlite"))
    some = str(float(whole["cost_usd"]) / 2)
    ran = history.run("backtest", "triage", "--format", "json", "--budget", some)
    part = documents(ran)
    assert (ran.code, len(part["steps"]) < 3) == (3, True)
    assert float(part["cost_usd"]) <= float(some)
    assert part["unfinished"].startswith("the budget is spent")
    rest = documents(history.run("backtest", "triage", "--format", "json"))
    assert part["calls"] + rest["calls"] == whole["calls"]
    assert rest["steps"] == whole["steps"]


@pytest.mark.parametrize(
    ("lineage", "says"),
    [("triage", "triage has no earlier version"), ("sort", "unknown lineage 'sort'")],
)
def test_without_a_history_or_a_lineage_it_says_so(project, lineage, says):
    ran = project.run("backtest", lineage)
    assert (ran.code, says in ran.err) == (2, True)


def test_a_prompt_that_is_gone_has_no_versions(project):
    project.repository.commit({NEW: None}, branch="main")
    ran = project.run("backtest", "triage")
    assert (ran.code, "the prompt of triage can't be read: it doesn't exist" in ran.err) == (2, True)


def test_a_constant_changes_only_with_its_own_text(project):
    code = "{other}{prompt}"
    prompt = 'TRIAGE = """Sort the ticket: billing or refunds?\n\n{ticket}\n%s"""\n'
    commit = project.repository.commit
    config = CONFIG.replace("prompts/triage.prompt.yml", "src/prompts.py#TRIAGE")
    for other, text in (
        ("A = 1\n", ""),
        ("A = 1\n", prompt % ""),
        ("A = 2\n", prompt % ""),
        ("", prompt % "One word.\n"),
    ):
        files = {"src/prompts.py": code.format(other=other, prompt=text), "promptverdict.yaml": config}
        commit(files, branch="main", message=f"{other!r} {text[-10:]!r}")
    found = documents(project.run("backtest", "triage", "--format", "json"))
    (step,) = found["steps"]  # neither the file before the constant, nor the change of another one
    assert (len(found["versions"]), step["verdict"] in ("error", "not_applicable")) == (2, False)
