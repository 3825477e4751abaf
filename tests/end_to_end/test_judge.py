"""A judge decides only where it is known to grade as people do."""

import json

import pytest

pytestmark = pytest.mark.slow

CONFIG = """\
version: 1
models:
  toy: {provider: offline, model: offline-large, price: {input: 1, output: 4}, parameters: {temperature: 0}}
defaults: {model: toy}
lineages:
  letters:
    use_case: generation
    prompt: letter.txt
    tests: cases.jsonl
    rubric: rubric.yaml
    judge: {model: toy, labels: labels.jsonl}
"""
RUBRIC = "dimensions:\n  brevity:\n    description: How short it is.\n"
PROMPT = "Write a short email to the person below.\n\nName: {{name}}\n"
LONGER = PROMPT.replace("a short email", "an email")
CASES = "".join(json.dumps({"id": f"c{n}", "inputs": {"name": f"Ann {n}"}}) + "\n" for n in range(40))


def labels(grade, number=40):
    """Answers of ``number`` lengths; ``grade`` says what a person makes of so many words."""
    words = [10 + 8 * n for n in range(number)]
    rows = [
        {"id": f"l{n}", "inputs": {"name": "Ann"}, "output": "word " * n, "grades": {"brevity": grade(n)}}
        for n in words
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def like_the_judge(words):
    return next((grade for grade, limit in ((5, 90), (4, 120), (3, 160), (2, 220)) if words <= limit), 1)


def unlike_the_judge(words):
    return 6 - like_the_judge(words)


def checked(project, people, *arguments, config=CONFIG):
    files = {"promptverdict.yaml": CONFIG, "rubric.yaml": RUBRIC, "letter.txt": PROMPT, "cases.jsonl": CASES}
    graded = {} if people is None else {"labels.jsonl": people}
    config = config if people is not None else config.replace(", labels: labels.jsonl", "")
    project.base = project.repository.commit({**files, **graded, "promptverdict.yaml": config}, branch="main")
    project.branch("longer", {"letter.txt": LONGER})
    return project.check("longer", "--base", "main", "--yes", *arguments).card


def warnings(card):
    return " ".join(found["what"] for found in card["lineages"][0]["warnings"])


def test_a_judge_that_grades_as_people_do_decides(project):
    card = checked(project, labels(like_the_judge))
    assert card["status"] == "blocked"
    confidence = card["lineages"][0]["confidence"]
    assert confidence["judge_agreement"] > 0.9
    assert confidence["judge"]["dimensions"]["brevity"]["unmet"] == []
    assert "doesn't gate" not in warnings(card)


def test_its_grades_are_paid_once(project):
    first = checked(project, labels(like_the_judge))
    again = project.check("longer", "--base", "main", "--yes").card
    assert float(first["spending"]["judge_cost_usd"]) > 0
    assert float(again["spending"]["judge_cost_usd"]) == again["spending"]["made"] == 0
    project.repository.checkout("main")
    calibrated = project.run("judge", "calibrate", "letters", "--budget", "0")
    assert "0 judge calls (80 are stored)" in calibrated.err  # the command asks what a check asks


@pytest.mark.parametrize(
    ("people", "why"),
    [
        (labels(unlike_the_judge), "brevity has κ −0."),
        (labels(lambda words: min(5, 1 + like_the_judge(words))), "a bias of more than half a grade"),
        (labels(like_the_judge, number=12), "12 answers, no bias (0.00 … 0.00): 18 more answers needed"),
        (labels(lambda words: 5, number=9), "over 9 answers"),
        (None, "people have not graded any sample answers yet"),
        ('{"id": "x"}\n', "could not be compared with people's grades"),
    ],
    ids=["disagrees", "too strict", "too few", "one grade", "no labels", "unreadable"],
)
def test_any_other_judge_decides_nothing_and_the_scorecard_says_why(project, people, why):
    card = checked(project, people)
    assert card["status"] == "needs_review"
    assert why in warnings(card)


def test_a_judge_that_can_not_be_asked_stops_its_lineage_before_anything_is_paid(project):
    other = "  other: {provider: openai, model: gpt-4o, price: {input: 1, output: 4}}\ndefaults:"
    config = CONFIG.replace("defaults:", other).replace("model: toy, labels", "model: other, labels")
    card = checked(project, labels(like_the_judge), config=config)
    assert (card["status"], card["spending"]["made"]) == ("error", 0)
    assert "the judge could not be compared with people's grades" in card["lineages"][0]["headline"]
    assert "OPENAI_API_KEY" in card["lineages"][0]["headline"]


def test_a_calibration_that_the_budget_does_not_allow_is_said(project):
    card = checked(project, labels(like_the_judge), "--budget", "0.01")
    assert "the budget of $0.01" in json.dumps(card, ensure_ascii=False)
    assert card["status"] == "error"


def test_the_plan_tells_the_judges_calls_from_the_arms(project):
    checked(project, labels(like_the_judge), "--budget", "0.01")
    (experiment,) = project.run("plan", "--head", "longer", "--base", "main", "--format", "json").card["experiments"]
    assert [arm["calls"] for arm in experiment["arms"]] == [40, 40]
    judge = experiment["judge"]
    assert judge["calls"] == 2 * (40 + 40 + 40 + 5)  # both arms, the sample answers and the probes, in two blind calls
    assert 0 < float(judge["cost_usd"]) < float(judge["worst_usd"])
    assert "judge     offline-large: 250 calls" in project.run("plan", "--head", "longer", "--base", "main").out


def test_a_rubric_that_can_not_be_read_is_the_reason_and_not_that_there_is_none(project):
    files = {"promptverdict.yaml": CONFIG.replace(", labels: labels.jsonl", ""), "letter.txt": PROMPT}
    broken = {"cases.jsonl": CASES, "rubric.yaml": "dimensions:\n  - brevity\n"}
    project.base = project.repository.commit({**files, **broken}, branch="main")
    project.branch("longer", {"letter.txt": LONGER})
    card = project.check("longer", "--base", "main", "--yes").card
    assert card["status"] == "error"
    assert card["lineages"][0]["headline"].startswith("letters: rubric.yaml:2:3: dimensions can't be a list")
    assert "nothing scores the generated text" not in json.dumps(card)
