"""``promptverdict judge``: from no graded answer to a judge that gates."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Project
from tests.end_to_end.test_judge import CASES, CONFIG, LONGER, PROMPT, RUBRIC, labels, like_the_judge, unlike_the_judge
from tests.repositories import Repository

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = {"promptverdict.yaml": CONFIG, "rubric.yaml": RUBRIC, "letter.txt": PROMPT, "cases.jsonl": CASES}


def started(project, files):
    project.base = project.repository.commit({**FILES, **files}, branch="main")
    project.repository.checkout("main")
    return project


def test_a_judge_that_agrees_with_people_gates_and_is_paid_once(project):
    started(project, {"labels.jsonl": labels(like_the_judge)})
    ran = project.run("judge", "calibrate", "letters", "--format", "json")
    assert (ran.code, ran.card["gates"], ran.card["missing"]) == (0, True, 0)
    assert "letters · offline-large: 40 graded answers, 80 judge calls, about $" in ran.err
    dimension = ran.card["dimensions"]["brevity"]
    assert (dimension["pairs"], dimension["kappa"], dimension["spearman"], dimension["bias"]) == (40, 1, 1, 0)
    again = project.run("judge", "calibrate", "letters", "--budget", "0")
    assert "0 judge calls (80 are stored)" in again.err
    heading, row = (line.split() for line in again.out.splitlines()[2:4])
    assert (heading[0], row[0], row[1], row[-1]) == ("dimension", "brevity", "40", "yes")
    assert "Commit the label file" in again.out


@pytest.mark.parametrize(
    ("files", "arguments", "code", "said"),
    [
        ({"labels.jsonl": labels(unlike_the_judge)}, (), 1, "Read the disagreements on brevity (l10: people 1, judge 5"),
        ({"labels.jsonl": labels(like_the_judge, number=12)}, (), 1, "Grade 18 more answers: promptverdict judge label"),
        (
            {"labels.jsonl": labels(lambda words: min(5, 1 + like_the_judge(words)))},
            (),
            1,
            "the judge is stricter than people",
        ),
        ({"labels.jsonl": labels(like_the_judge)}, ("--budget", "0.01"), 3, "the budget of $0.01"),
        ({"labels.jsonl": ""}, (), 2, "grade some with promptverdict judge label letters"),
        ({}, (), 2, "grade some with promptverdict judge label letters"),
        ({"labels.jsonl": '{"id": "x"}\n'}, (), 2, "labels.jsonl:1"),
        ({"rubric.yaml": "dimensions: []\n"}, (), 2, "rubric.yaml:1"),
        ({"promptverdict.yaml": CONFIG.replace("    judge: {model: toy, labels: labels.jsonl}\n", "")}, (), 2, "no judge"),
        ({"promptverdict.yaml": CONFIG.replace("letters:", "notes:")}, (), 2, "there are: notes"),
    ],
    ids=["disagrees", "few", "strict", "budget", "empty", "none", "broken", "rubric", "no-judge", "unknown"],
)  # fmt: skip
def test_what_a_judge_lacks_is_said_and_the_exit_code_tells(project, files, arguments, code, said):
    started(project, files)
    ran = project.run("judge", "calibrate", "letters", *arguments)
    assert ran.code == code
    assert said in ran.out + ran.err


class Person:
    """Reads what stands on the terminal, and grades it. ``reads`` takes the dimension and the answer."""

    def __init__(self, reads, keys=""):
        self.reads, self.keys = reads, list(keys)
        self.asked = 0

    def isatty(self):
        return False

    def readline(self):
        if self.keys:
            return f"{self.keys.pop(0)}\n"
        shown = sys.stdout.getvalue()
        lines = shown.rpartition("━━ Answer ")[2].partition("\n  ANSWER ")[2]
        answer, _, _ = re.split(r"\n\n(?=\S+: )", lines, maxsplit=1)[0].partition("\n\n[1-5")
        dimension = re.findall(r"^(\S+): ", shown, re.MULTILINE)[-1]
        self.asked += 1
        return f"{self.reads(dimension, answer)}\n"


def by_length(dimension, answer):
    return like_the_judge(len(answer.split()))


def label(project, person, *arguments):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", person)
        return project.run("judge", "label", "letters", *arguments)


def graded(project, path="labels.jsonl"):
    return [json.loads(line) for line in (project.repository.path / path).read_text().splitlines()]


def test_labeling_goes_on_where_it_ended_and_shows_nothing_twice(project):
    started(project, {})
    (project.repository.path / "letter.txt").write_text(LONGER)
    ran = label(project, Person(by_length, "5 x 4 q"), "--number", "6")
    assert (ran.code, [row["grades"] for row in graded(project)]) == (0, [{"brevity": 5}, {"brevity": 4}])
    assert "letters: 6 answers to grade, 0 of them stored; 6 calls, about $" in ran.err
    assert "seed 1" in ran.err
    assert "2 of 6 answers graded; run the same command to continue" in ran.out
    assert not re.search("baseline|candidate|main|version", ran.out)
    person = Person(by_length)
    ran = label(project, person, "--number", "4", "--budget", "0")
    assert "4 answers to grade, 4 of them stored; 0 calls, about $0.00" in ran.err
    assert (ran.code, person.asked, len({row["id"] for row in graded(project)})) == (0, 4, 6)
    assert "next: promptverdict judge calibrate letters" in ran.err
    assert project.run("judge", "calibrate", "letters").code == 1  # 6 answers are too few, but they are read
    ran = label(project, Person(by_length), "--number", "9", "--budget", "0")
    assert (ran.code, "the budget" in ran.err) == (3, True)


@pytest.mark.parametrize("end", ["q", EOFError(), KeyboardInterrupt()], ids=["q", "Ctrl-D", "Ctrl-C"])
def test_a_terminal_is_read_key_by_key_and_every_end_keeps_the_grades(project, end):
    started(project, {})
    keys = iter(["4", "\x1b[A", "B", "2", end])

    def getchar():
        key = next(keys)
        if isinstance(key, str):
            return key
        raise key

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.getchar", getchar)
        patch.setattr(Person, "isatty", lambda self: True)
        ran = label(project, Person(by_length), "--number", "6", "--yes")
    assert (ran.code, [row["grades"] for row in graded(project)]) == (
        130 * isinstance(end, KeyboardInterrupt),
        [{"brevity": 2}],
    )
    assert "1 of 6 answers graded; run the same command" in ran.out


def test_an_answer_can_not_drive_the_terminal(project):
    """An answer of the store holds an escape sequence, a workflow command and marks that turn the line around."""
    hostile = "Dear \x1b[2J{{name}} \u202e::error::boo\n##[error]boo\n"
    started(project, {"letter.txt": PROMPT, "cases.jsonl": CASES.replace("Ann 1", json.dumps(hostile)[1:-1])})
    ran = label(project, Person(by_length, "3" * 40))
    assert not re.search("[\x1b\u202e]|^::error|##\\[error", ran.out, re.MULTILINE)
    assert "⟨U+001B⟩" in ran.out
    assert any("\x1b" in row["inputs"]["name"] for row in graded(project))  # the file keeps what was there


def test_a_form_is_written_and_its_grades_are_read_back(project):
    started(project, {"promptverdict.yaml": CONFIG.replace(", labels: labels.jsonl", "")})
    form = project.home / "form.html"
    ran = project.run("judge", "label", "letters", "--html", form, "--number", "5")
    assert (ran.code, form.read_text().count("<fieldset>")) == (0, 5)
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', form.read_text())[1])
    back = project.home / "back.jsonl"
    back.write_text("".join(f'{row}, "grades": {{"brevity": 4}}}}\n' for row in data["rows"]))
    ran = project.run("judge", "label", "letters", "--import", back)
    assert "imported 5 graded answers into letters.labels.jsonl; 0 were already there" in ran.err
    assert "under judge of letters: labels: letters.labels.jsonl" in ran.err
    assert {row["grades"]["brevity"] for row in graded(project, "letters.labels.jsonl")} == {4}
    calibrated = project.run("judge", "calibrate", "letters")
    assert (calibrated.code, "labels: letters.labels.jsonl" in calibrated.err) == (2, True)
    assert (
        "0 graded answers into letters.labels.jsonl; 5"
        in project.run("judge", "label", "letters", "--import", back).err
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "it has no grades"),
        ("<!doctype html>\n", "back.jsonl:1"),
        ('{"id": "x", "output": "y", "grades": {"brevity": 6}}\n', "back.jsonl:1"),
        ('\n{"id": "x", "output": "y", "grades": {"tone": 5}}\n', "back.jsonl:2: the rubric has no dimension tone"),
        (labels(unlike_the_judge), "l10 has 1 for brevity, but 5 in the label file"),
        (None, "back.jsonl: can't be read: No such file"),
    ],
    ids=["empty", "the form itself", "no grade", "no dimension", "contradiction", "no file"],
)
def test_what_can_not_be_imported_is_said_and_changes_nothing(project, content, said):
    started(project, {"labels.jsonl": labels(like_the_judge)})
    back = project.home / "back.jsonl"
    if content is not None:
        back.write_text(content)
    ran = project.run("judge", "label", "letters", "--import", back)
    assert (ran.code, said in ran.err) == (2, True), ran.err
    assert (project.repository.path / "labels.jsonl").read_text() == labels(like_the_judge)


def of_the_outreach_rubric(dimension, answer):
    """What a person makes of an e-mail, who reads the rubric and none of the judge's code."""
    words, cries = len(answer.split()), answer.count("!")
    lines = [line.strip() for line in answer.splitlines()]
    there = [
        any(line.startswith(start) for line in lines)
        for start in (("Subject:",), ("Hi ", "Hello ", "Dear "), ("Best regards", "Kind regards"))
    ]
    match dimension:
        case "brevity":
            return next((grade for grade, most in ((5, 90), (4, 120), (3, 150), (2, 190)) if words <= most), 1)
        case "tone":
            return 1 if cries > 3 else 3 if cries else 4 + words % 2
        case "personalisation":
            return 4 + words % 2 if "A thought for" in answer else 3 - words % 2
        case _:
            return 1 + sum((*there, lines.count("") > 3))


@pytest.mark.parametrize(("mode", "answers"), [("grades", 40), ("pairwise", 80)])
def test_two_commands_and_a_commit_make_a_judge_gate(tmp_path, mode, answers):
    """The outreach example without people's grades, on the offline model."""
    repository, home = Repository(tmp_path / "repository"), tmp_path / "home"
    home.mkdir()
    files = {
        str(path.relative_to(EXAMPLES)): path.read_text()
        for path in (
            EXAMPLES / "promptverdict.yaml",
            *EXAMPLES.glob("prompts/**/*.*"),
            *EXAMPLES.glob("tests/**/*.jsonl"),
        )
        if not path.name.endswith("labels.jsonl")
    }
    config = files["promptverdict.yaml"]
    files["promptverdict.yaml"] = config.replace("      model: judge\n", f"      model: judge\n      mode: {mode}\n")
    email = "prompts/outreach/email.yaml"
    naive = (EXAMPLES / "history/outreach-email/1-naive.yaml").read_text()
    old = repository.commit({**files, email: naive}, branch="first-version")
    base = repository.commit(files, branch="main", parent=old)
    repository.checkout("main")
    project = Project(repository, home, base)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", Person(of_the_outreach_rubric))
        ran = project.run("judge", "label", "outreach-email", "--base", "first-version")
    assert (ran.code, f"{answers} of {answers} answers graded" in ran.out) == (0, True)
    found = project.run("judge", "calibrate", "outreach-email", "--format", "json")
    assert (found.code, found.card["gates"]) == (0, True), found.card["next"]
    told = project.run("judge", "calibrate", "outreach-email")
    assert (
        re.search(r"people's preference by row, the judge's by column\n +worse +same +better", told.out)
        or mode == "grades"
    )
    repository.git("add", "-A")
    repository.git("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "Grade answers")
    project.base = repository.git("rev-parse", "HEAD").strip()
    project.branch("naive", {email: naive})
    card = project.check("naive", "--base", "main", "--lineage", "outreach-email").card
    assert (card["status"], card["lineages"][0]["confidence"]["judge"]["missing"]) == ("blocked", 0)
