"""Ways to pass without evidence: answers counted twice, and new prompts that bring their own measure."""

import json

import pytest

from tests.end_to_end.conftest import CONFIG, PROMPT, cases

TRIAGE, TESTS = "prompts/triage.prompt.yml", "tests/triage.jsonl"
REWORDED = PROMPT.replace("You sort support tickets", "You assign support tickets")
BROKEN = PROMPT.replace("money back, returns, refund requests", "zebra crossings").replace(
    "payments, cards", "payments, cards, money back, returns, refund requests"
)
NEW = """\
  fresh:
    use_case: classification
    prompt: prompts/fresh.prompt.yml
    tests: tests/fresh.jsonl
    labels: [billing, refunds]
"""


def rows(number=60):
    return [json.loads(line) for line in cases(number).splitlines()]


def lines(of):
    return "".join(json.dumps(row) + "\n" for row in of)


def checked(project, base, head):
    start = project.repository.commit(base, branch="main")
    project.repository.commit(head, branch="x", parent=start)
    ran = project.check("x")
    assert ran.out, ran.err
    return ran


def test_one_question_asked_sixty_times_is_one_answer(project):
    same = lines([{**row, "inputs": rows(1)[0]["inputs"], "expected": "billing"} for row in rows()])
    ran = checked(project, {TESTS: same}, {TRIAGE: REWORDED})
    assert ran.card["status"] == "inconclusive"


def test_a_copied_case_joins_the_written_cluster_of_its_twin(project):
    """Two clusters that share a question are one; the other cases stand alone and still decide."""
    written = rows()
    for index in range(40):
        written[index]["cluster"] = f"c{index // 20}"
    written[20]["inputs"], written[20]["expected"] = written[0]["inputs"], written[0]["expected"]
    ran = checked(project, {TESTS: lines(written)}, {TRIAGE: REWORDED})
    apart = [{**row, "cluster": "c0"} if "cluster" in row else row for row in written]
    again = checked(project, {TESTS: lines(apart)}, {TRIAGE: REWORDED})
    assert ran.card["lineages"][0]["overall"]["interval"] == pytest.approx(
        again.card["lineages"][0]["overall"]["interval"], abs=0.02
    )


@pytest.mark.parametrize("copies", [["X"], ["X", "Y"], ["X", None]])
def test_copies_that_the_head_adds_do_not_make_bases_cases_one(project, copies):
    """Else what blocks would be a single draw, from which nothing can be told."""
    added = [
        {**row, "id": f"{number}{row['id']}"} | ({"cluster": cluster} if cluster else {})
        for number, cluster in enumerate(copies)
        for row in rows()
    ]
    ran = checked(project, {}, {TRIAGE: BROKEN, TESTS: lines([*rows(), *added])})
    assert (ran.code, ran.card["status"]) == (1, "blocked")
    assert ran.card["lineages"][0]["overall"]["interval"]["high"] < 0


def fresh(base_gate, own="", prompt=PROMPT, number=60):
    return (
        {"promptverdict.yaml": CONFIG + base_gate, "prompts/bad.prompt.yml": BROKEN},
        {
            "promptverdict.yaml": CONFIG + NEW + own + base_gate,
            "prompts/fresh.prompt.yml": prompt,
            "tests/fresh.jsonl": cases(number),
        },
    )


def test_a_new_lineage_passes_where_bases_floor_is_shown_to_hold(project):
    ran = checked(project, *fresh("gate: {floor: {overall: 0.9}}\n"))
    assert (ran.code, ran.card["status"]) == (0, "approved")


@pytest.mark.parametrize(
    ("base_gate", "own", "prompt", "number"),
    [
        ("gate: {floor: {overall: 0.9}, inconclusive: block}\n", "    gate: {margin: {overall: 1.0}, inconclusive: pass}\n", PROMPT, 1),
        ("gate: {floor: {slices: {adversarial: 0.9}}}\n", "", BROKEN, 3),
        ("gate: {floor: {slices: {adversarial: 0.9}}}\n", "    reference: prompts/bad.prompt.yml\n", BROKEN, 60),
        ("", "    gate: {floor: {overall: 0.0}}\n", PROMPT, 60),
    ],
    ids=["own-margin", "floor-without-cases", "own-reference", "own-floor"],
)  # fmt: skip
def test_a_new_lineage_does_not_choose_what_it_passes_by(project, base_gate, own, prompt, number):
    ran = checked(project, *fresh(base_gate, own, prompt, number))
    assert (ran.code, ran.card["status"]) == (5, "needs_review")


def test_a_prompt_that_base_lacks_needs_more_than_an_open_floor(project):
    gate = "gate: {floor: {slices: {adversarial: 0.9}}}\n"
    ran = checked(project, {"promptverdict.yaml": CONFIG + gate, TRIAGE: None}, {TRIAGE: BROKEN})
    assert (ran.code, ran.card["status"]) == (5, "needs_review")


def test_a_prompt_that_lost_its_variable_takes_an_answer_for_every_case(project):
    """One request for 60 different tickets: one answer to it is not 60 answers."""
    ran = checked(project, {}, {TRIAGE: PROMPT.replace("{{ticket}}", "lost")})
    assert ran.card["status"] == "blocked"
    spent = ran.card["spending"]
    assert (spent["made"], spent["stored"]) == (spent["planned"] - spent["not_needed"], 0)
    again = project.check("x")
    assert (again.card["status"], again.card["spending"]["made"]) == ("blocked", 0)
