"""What kinds of pull requests there are, and the verdict and exit code of each."""

import json

import pytest

from tests.end_to_end.conftest import CONFIG, PROMPT, cases

REWORDED = PROMPT.replace("You sort support tickets", "You assign support tickets")
BROKEN = PROMPT.replace("- refunds: money back, returns, refund requests\n", "- refunds: zebra crossings\n")
PATH = "prompts/triage.prompt.yml"
ROWS = cases().splitlines()


def proposed(project, head, base=None, *arguments):
    """A check of ``head``'s files on top of ``base``'s."""
    parent = project.repository.commit(base or {"NOTES.md": "base"}, branch="main")
    project.repository.commit(head, branch="pr", parent=parent)
    return project.check("pr", *arguments)


def codes(card):
    return {reason["code"] for each in card["lineages"] for reason in each["reasons"]}


def test_an_inconclusive_verdict_passes_unless_the_gate_says_otherwise(project):
    few = {"tests/triage.jsonl": "\n".join(ROWS[:6]) + "\n"}
    ran = proposed(
        project, {PATH: REWORDED}, few | {"promptverdict.yaml": CONFIG + "gate: {margin: {overall: 0.01}}\n"}
    )
    assert (ran.code, ran.card["status"], ran.card["passes"]) == (0, "inconclusive", True)
    gate = "gate: {margin: {overall: 0.01}, inconclusive: block}\n"
    ran = proposed(project, {PATH: REWORDED}, few | {"promptverdict.yaml": CONFIG + gate, PATH: PROMPT})
    assert (ran.code, ran.card["status"], ran.card["passes"]) == (4, "inconclusive", False)


def test_in_the_mode_that_informs_nothing_is_held_up(project):
    ran = proposed(project, {PATH: BROKEN}, {"promptverdict.yaml": CONFIG + "mode: inform\n"})
    assert (ran.code, ran.card["status"], ran.card["passes"]) == (0, "blocked", True)


def test_a_looser_gate_needs_review(project):
    ran = proposed(
        project,
        {"promptverdict.yaml": CONFIG + "gate: {inconclusive: pass}\n"},
        {"promptverdict.yaml": CONFIG + "gate: {inconclusive: block}\n"},
    )
    assert (ran.code, ran.card["status"]) == (5, "needs_review")


def test_a_typo_in_the_configuration_is_wrong_usage(project):
    ran = proposed(project, {"promptverdict.yaml": CONFIG.replace("labels:", "lables:"), PATH: REWORDED})
    assert ran.code == 2
    assert "did you mean labels" in ran.err


def test_a_prompt_that_can_not_be_filled_in_is_an_error(project):
    ran = proposed(project, {PATH: PROMPT.replace("{{ticket}}", "{{tickets}}")})
    assert (ran.code, ran.card["status"]) == (3, "error")
    assert f"{PATH} can't be filled in" in ran.card["lineages"][0]["headline"]


def test_a_baseline_that_can_not_be_filled_in_is_said_and_the_candidate_judged_alone(project):
    ran = proposed(project, {PATH: PROMPT}, {PATH: PROMPT.replace("{{ticket}}", "{{tickets}}")})
    assert (ran.code, ran.card["status"]) == (5, "needs_review")
    assert "the baseline prompt can't be filled in" in json.dumps(ran.card["lineages"][0]["warnings"])


def test_a_case_that_the_head_adds_does_not_do_away_with_the_baseline(project):
    """With a floor the candidate would be judged by that alone, however far it fell."""
    row = {"id": "odd", "inputs": {"other": "x"}, "expected": "billing", "slices": ["typical"]}
    config = CONFIG.replace("triage.prompt.yml", "triage.txt") + "gate: {floor: {overall: 0.5}}\n"
    text = "Sort tickets.\n- billing: invoices, charges, payments, cards\n- refunds: money back\n\nTicket: {{ ticket%s }}\n"
    base = {"promptverdict.yaml": config, "prompts/triage.txt": text % " | trim"}
    head = {"prompts/triage.txt": text % " | default('none')", "tests/triage.jsonl": cases() + json.dumps(row) + "\n"}
    ran = proposed(project, head, base)
    assert (ran.code, ran.card["status"]) == (3, "error")
    assert "give the added case the inputs" in ran.card["lineages"][0]["headline"]


def test_a_deleted_prompt_needs_review_and_costs_nothing(project):
    ran = proposed(project, {PATH: None})
    assert (ran.code, ran.card["status"], ran.card["spending"]["made"]) == (5, "needs_review", 0)
    assert "deleted_lineage" in codes(ran.card)


SECOND = "  second: {use_case: classification, prompt: prompts/second.prompt.yml, tests: tests/triage.jsonl, labels: [billing, refunds]%s}\n"


def test_a_new_lineage_needs_review_unless_it_holds_its_floor(project):
    new = {"prompts/second.prompt.yml": PROMPT}
    ran = proposed(project, new | {"promptverdict.yaml": CONFIG + SECOND % ""})
    assert (ran.code, ran.card["status"]) == (5, "needs_review")
    assert ran.card["lineages"][0]["spending"]["made"] == 60  # without a baseline there is one arm
    ran = proposed(
        project,
        new | {"promptverdict.yaml": CONFIG + SECOND % ", gate: {floor: 0.5}"},
        {"promptverdict.yaml": CONFIG, "prompts/second.prompt.yml": None},
    )
    assert ran.card["lineages"][0]["status"] == "needs_review"
    assert "is 100.0, not below its floor of 50" in json.dumps(ran.card["lineages"][0]["reasons"])


def test_a_lineage_may_name_several_models_and_each_is_an_experiment(project):
    models = "  toy: {provider: offline, model: offline-large, price: {input: 1, output: 4}}\n"
    config = CONFIG.replace(models, models + models.replace("toy", "tiny").replace("large", "small"))
    config = config.replace("defaults: {model: toy}", "defaults: {model: [toy, tiny]}")
    ran = proposed(project, {PATH: BROKEN}, {"promptverdict.yaml": config})
    assert sorted((each["lineage"], each["model"]) for each in ran.card["lineages"]) == [
        ("triage", "tiny"),
        ("triage", "toy"),
    ]
    assert ran.code == 1
    plan = project.run("plan", "--head", "pr", "--format", "json").card
    assert [arm["model"] for each in plan["experiments"] for arm in each["arms"]] == ["offline-large"] * 2 + [
        "offline-small"
    ] * 2


def test_the_worst_verdict_of_several_lineages_counts(project):
    base = {"promptverdict.yaml": CONFIG + SECOND % "", "prompts/second.prompt.yml": PROMPT}
    ran = proposed(project, {PATH: BROKEN, "prompts/second.prompt.yml": REWORDED}, base)
    assert [(each["lineage"], each["status"]) for each in ran.card["lineages"]] == [
        ("triage", "blocked"),
        ("second", "approved"),
    ]
    assert ran.code == 1
    assert ran.card["title"].startswith("blocked: triage")
    assert "`second` is approved." in ran.card["summary"]
    one = project.check("pr", "--lineage", "second")
    assert (one.code, [each["lineage"] for each in one.card["lineages"]]) == (0, ["second"])


def test_removed_cases_run_as_base_has_them_and_the_removal_needs_review(project):
    ran = proposed(project, {PATH: BROKEN, "tests/triage.jsonl": "\n".join(ROWS[:40]) + "\n"})
    assert (ran.code, len(ran.card["lineages"][0]["cases"])) == (1, 60)
    assert {"drop", "tests_changed"} <= codes(ran.card)


def test_added_cases_can_only_tighten(project):
    more = cases(90).splitlines()[60:]
    ran = proposed(project, {PATH: BROKEN, "tests/triage.jsonl": "\n".join([*ROWS, *more]) + "\n"})
    (card,) = ran.card["lineages"]
    assert (ran.code, len(card["cases"]), card["overall"]["cases"]) == (1, 90, 60)
    ran = proposed(project, {PATH: REWORDED, "tests/triage.jsonl": "\n".join([*ROWS, *more]) + "\n"})
    assert (ran.code, ran.card["lineages"][0]["overall"]["cases"]) == (0, 60)


def test_windows_line_endings_change_nothing_that_a_model_sees(project):
    ran = proposed(project, {PATH: PROMPT.replace("\n", "\r\n")})
    assert (ran.code, ran.card["spending"]["made"]) == (0, 0)
    assert ran.card["status"] in ("approved", "not_applicable")


def test_a_label_that_is_not_in_the_set_is_an_error_at_its_line_and_nothing_is_paid(project):
    wrong = cases().replace('"expected": "billing"', '"expected": "biling"', 1)
    ran = proposed(project, {PATH: REWORDED}, {"tests/triage.jsonl": wrong})
    assert (ran.code, ran.card["status"], ran.card["spending"]["made"]) == (3, "error", 0)
    assert "tests/triage.jsonl:1" in ran.card["lineages"][0]["headline"]


def test_a_candidate_that_is_no_prompt_is_an_error(project):
    ran = proposed(project, {PATH: "messages: [\n"})
    assert (ran.code, ran.card["status"]) == (3, "error")
    assert "the candidate prompt can't be read" in ran.card["lineages"][0]["headline"]


def test_extraction_and_checks_are_measured_too(project):
    rows = [
        {
            "id": f"x{n}",
            "inputs": {"letter": f"Name: Ann {n}\nAge: {20 + n}"},
            "expected": {"name": f"Ann {n}", "age": 20 + n},
        }
        for n in range(24)
    ]
    config = CONFIG[: CONFIG.index("  triage:")] + (
        "  people:\n    use_case: extraction\n    prompt: people.txt\n    tests: people.jsonl\n"
        "    fields: {name: {kind: exact}, age: {kind: number}}\n    checks: [{name: brief, max_words: 200}]\n"
    )
    prompt = "Extract as JSON with the fields name and age.\n\n{{letter}}\n"
    base = {
        "promptverdict.yaml": config,
        "people.txt": prompt,
        "people.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
    }
    ran = proposed(project, {"people.txt": prompt.replace("Extract", "Return")}, base)
    (card,) = ran.card["lineages"]
    assert card["spending"]["made"] > 0
    assert {effect["metric"] for effect in card["metrics"]} >= {"name", "age", "brief"}


@pytest.mark.parametrize("output_format", ["terminal", "markdown", "json", "html"])
def test_every_format_tells_the_verdict_of_a_pull_request_without_any_lineage(project, output_format):
    project.branch("docs", {"README.md": "hello"})
    ran = project.run("check", "--head", "docs", "--format", output_format)
    assert ran.code == 0
    assert "nothing to evaluate" in ran.out.lower() or "not_applicable" in ran.out
