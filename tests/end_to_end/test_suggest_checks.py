"""``promptverdict suggest-checks``: what is proposed, accepted and then run again."""

import json
import shutil
from pathlib import Path

import pytest

from engine.readers.config import read_config
from engine.readers.rubrics import read_rubric
from tests.end_to_end.conftest import run_command
from tests.end_to_end.test_slices import replying
from tests.pipeline.test_measure import JUDGED, RUBRIC
from tests.repositories import Repository

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"


def rows(*given):
    return "".join(json.dumps(row) + "\n" for row in given)


SAID = [
    "we promise you the moon and stars",
    "see you soon",
    "we hope that you liked the moon and all the stars that there were",
]
LABELS = [
    {
        "id": f"l{n}",
        "inputs": {"name": f"{['Ann', 'Bo', 'Cy', 'Di'][n % 4]} {n * 7919}"},
        "output": f"Dear {n}, {SAID[n % 3]} {n}",
        "grades": {"kind": 1 if n % 3 == 0 else 5},
    }
    for n in range(30)
]
LETTERS = {
    "promptverdict.yaml": JUDGED,
    "rubric.yaml": RUBRIC,
    "labels.jsonl": rows(*LABELS),
    "cases.jsonl": rows(*({"id": f"c{n}", "inputs": {"name": f"Someone else {n * 31}"}} for n in range(3))),
    "letter.txt": "Write to {{name}}.\n",
}


@pytest.fixture
def letters(tmp_path):
    repository = Repository(tmp_path / "repository")
    repository.commit(LETTERS)
    repository.checkout("main")
    (tmp_path / "home").mkdir()
    return lambda *arguments: run_command(*arguments, cwd=repository.path, home=tmp_path / "home")


def test_checks_and_cases_are_proposed_and_accepted_without_a_model(letters, tmp_path):
    ran = letters("suggest-checks", "letters", "--format", "json")
    assert (ran.code, ran.err) == (0, "")
    found = ran.card
    assert found["checks"][0]["check"] == {"name": "no “promise you the”", "not_contains": "promise you the"}
    assert (len(found["checks"][0]["catches"]), found["checks"][0]["wrongly"]) == (10, [])
    assert {row["id"] for row in found["cases"]} == {f"l{n}" for n in range(0, 30, 3)}
    shown = letters("suggest-checks", "letters")
    assert "letters: 10 bad answers and 20 good ones; 30 graded by people" in shown.out
    assert "catches 10 of the 10 bad answers and would wrongly catch 0 of the 20 good ones" in shown.out
    assert "+++ b/promptverdict.yaml" in shown.out
    assert "+++ b/cases.jsonl" in shown.out
    assert letters("suggest-checks", "letters", "--write").code == 0
    root = tmp_path / "repository"
    config = read_config("promptverdict.yaml", (root / "promptverdict.yaml").read_bytes())
    assert config.lineages["letters"].checks[0].not_contains == "promise you the"
    assert len((root / "cases.jsonl").read_text().splitlines()) == 13
    # What is accepted is not proposed again.
    again = letters("suggest-checks", "letters", "--format", "json").card
    assert [one["check"]["name"] for one in again["checks"] if len(one["catches"]) == 10] == []
    assert again["cases"] == []


NEW = [
    {"name": "honesty", "description": "Whether it promises too much.", "anchors": {"1": "promises", "5": "doesn't"}},
    {"name": "luck", "description": "Whether the number is lucky."},
    {"name": "kind", "description": "A name that the rubric has."},
]


def judging(request):
    """The writer's dimensions, and grades by the answer alone."""
    if request.parameters.json_schema is None:
        return json.dumps({"dimensions": NEW})
    answer = request.messages[1].content.rpartition("# Answer")[2]
    grades = {"honesty": 1 if "promise" in answer else 5, "luck": 1 if "7" in answer else 4, "kind": 4}
    names = request.parameters.json_schema["schema"]["required"]
    return json.dumps({name: {"reason": "because", "grade": grades[name]} for name in names})


def test_a_dimension_counts_if_the_judge_tells_bad_answers_by_it(letters, tmp_path, monkeypatch):
    replying(monkeypatch, judging)
    asked = ("suggest-checks", "letters", "--model", "toy", "--format", "json")
    dry = letters(*asked, "--dry-run")
    assert (dry.code, dry.out) == (0, "")
    assert "m proposes dimensions, and j grades 30 answers by them: 61 calls, about $" in dry.err
    (one,) = letters(*asked).card["dimensions"]
    assert one["name"] == "honesty"
    bad = sorted(f"l{n}" for n in range(0, 30, 3))
    assert (sorted(one["catches"]), one["wrongly"]) == (bad, [])
    # Nothing is paid twice: neither for the same proposal, nor once it is accepted.
    again = letters(*asked, "--budget", "0", "--write")
    assert again.card["dimensions"] == [one]
    rubric = read_rubric("rubric.yaml", (tmp_path / "repository/rubric.yaml").read_bytes())
    assert [*rubric.dimensions] == ["kind", "honesty"]
    assert rubric.dimensions["honesty"].anchors == {1: "promises", 5: "doesn't"}
    ran = letters("judge", "calibrate", "letters", "--budget", "0", "--format", "json")
    assert "0 judge calls (60 are stored)" in ran.err


def test_a_budget_that_ends_leaves_the_checks(letters, monkeypatch):
    replying(monkeypatch, judging)
    ran = letters("suggest-checks", "letters", "--model", "toy", "--budget", "0")
    assert ran.code == 3
    assert "no “promise you the”" in ran.out
    assert "the budget" in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody",), "there are: letters"),
        (("letters", "--dry-run"), "needs --model"),
        (("letters", "--model", "nobody"), "no model is named 'nobody'"),
    ],
)
def test_wrong_usage_says_what_to_do(letters, arguments, said):
    ran = letters("suggest-checks", *arguments)
    assert ran.code == 2
    assert said in ran.err


@pytest.mark.slow
def test_on_an_example_a_run_fails_exactly_what_the_proposal_said(tmp_path):
    """Scored before and after the checks are accepted: the stored answers that now get 0 are those that were named."""
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    repository = Repository(tmp_path / "examples")
    files = {
        str(path.relative_to(EXAMPLES)): path.read_text()
        for path in EXAMPLES.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    repository.commit(files)
    repository.checkout("main")
    (tmp_path / "home").mkdir()

    def run(*arguments):
        return run_command(*arguments, cwd=repository.path, home=tmp_path / "home")

    def zeros():
        (one,) = run("score", "--lineage", "outreach-email", "--worktree", "--format", "json").card
        return {case for case, score in one["failed"].items() if score == 0}

    before = zeros()
    found = run("suggest-checks", "outreach-email", "--format", "json", "--write").card
    assert len(found["checks"]) >= 3
    said = {case for one in found["checks"] for case in (*one["catches"], *one["wrongly"])}
    in_the_set = {row["id"] for row in map(json.loads, files["tests/prompts/outreach.jsonl"].splitlines())}
    assert zeros() == before | (said & in_the_set)
    assert said & in_the_set
