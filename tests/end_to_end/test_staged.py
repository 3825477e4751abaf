"""The pull requests of the demo, by the real main job on a real repository: each gets the verdict that it deserves."""

import json

import pytest

from demo.staging import stage
from schemas.verdicts import VerdictStatus
from tests.end_to_end.conftest import run_command

pytestmark = pytest.mark.slow

CODES = {VerdictStatus.APPROVED: 0, VerdictStatus.BLOCKED: 1, VerdictStatus.NEEDS_REVIEW: 5}


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("staged")
    return folder, {each.name: each for each in stage(folder / "repository")}


def check(folder, head):
    (folder / "home").mkdir(exist_ok=True)
    arguments = ("check", "--base", "main", "--head", head, "--yes", "--format", "json")
    return run_command(*arguments, cwd=folder / "repository", home=folder / "home")


@pytest.mark.parametrize(
    "name",
    [
        "better-triage",
        "trusting-triage",
        "explained-match",
        "reworded-triage",
        "looser-gate",
        "cheaper-model",
        "quicker-refunds",
    ],
)
def test_each_gets_the_verdict_that_it_deserves(staged, name):
    folder, pull_requests = staged
    each = pull_requests[name]
    ran = check(folder, each.branch)
    assert (ran.card["status"], ran.code) == (each.expect, CODES[each.expect])
    (lineage,) = ran.card["lineages"]
    reasons = [reason for reason in (*ran.card["reasons"], *lineage["reasons"]) if reason["status"] == each.expect]
    assert (reasons[0]["code"], reasons[0]["slice"]) == (each.because, each.slice)
    again = check(folder, each.branch)
    assert again.card["spending"]["made"] == 0
    assert again.card["status"] == each.expect


def test_a_model_swap_has_a_heading_of_its_own(staged):
    folder, pull_requests = staged
    (lineage,) = check(folder, pull_requests["cheaper-model"].branch).card["lineages"]
    assert (lineage["baseline_model"], lineage["model"]) == ("offline-large", "offline-small")
    before, after = (lineage["swap"][arm]["words"] for arm in ("baseline", "candidate"))
    assert after > 1.2 * before


def test_a_conversation_is_shown_step_by_step_and_says_which_one_is_wrong(staged):
    folder, pull_requests = staged
    card = check(folder, pull_requests["quicker-refunds"].branch).card
    assert card["lineages"][0]["diff"]["tokens_before"] is None, "the input of conversations is not the prompt's length"
    (lineage,) = card["lineages"]
    ran = [case for case in lineage["cases"] if case["id"].startswith("refund-") and case["result"] == "regressed"]
    worse = ran[0]
    before, after = (worse[arm][0]["text"].split("\n") for arm in ("baseline", "candidate"))
    assert [line.partition("(")[0] for line in before[:2]] == ["1. look_up_order", "2. refund_order"]
    assert after[0].startswith("1. refund_order(")
    assert before[2].partition(" ")[2] == after[1].partition(" ")[2]  # the customer reads the same
    assert worse["reason"].startswith("didn't call look_up_order before step 1")
    assert worse["expected"].startswith("calls: look_up_order(")
    assert card["spending"]["made"] + card["spending"]["stored"] <= card["spending"]["planned"]


def test_a_case_keeps_its_input_its_line_and_both_answers_in_full(staged):
    folder, pull_requests = staged
    (lineage,) = check(folder, pull_requests["cheaper-model"].branch).card["lineages"]
    lines = (folder / "repository" / lineage["tests"]).read_text().splitlines()
    for case in lineage["cases"]:
        written = json.loads(lines[case["line"] - 1])
        assert (case["id"], dict(case["inputs"])) == (written["id"], written["inputs"])
    worse = next(case for case in lineage["cases"] if case["result"] == "regressed")
    assert all("\n" in answer["text"] for answer in (worse["baseline"][0], worse["candidate"][0]))
    assert {metric["kind"] for metric in worse["metrics"]} == {"dimension"}
    (lineage,) = check(folder, pull_requests["trusting-triage"].branch).card["lineages"]
    assert lineage["swap"] is None


def test_the_average_rises_where_the_adversarial_slice_falls(staged):
    folder, pull_requests = staged
    (lineage,) = check(folder, pull_requests["trusting-triage"].branch).card["lineages"]
    assert lineage["overall"]["change"] > 0
    adversarial = next(effect for effect in lineage["slices"] if effect["slice"] == "adversarial")
    assert adversarial["change"] < -0.1
    others = {effect["result"] for effect in lineage["slices"] if effect is not adversarial}
    assert "too_few_cases" not in others  # it stopped early: nobody is told to write more cases


def test_the_judge_that_decides_was_held_against_people(staged):
    folder, pull_requests = staged
    (lineage,) = check(folder, pull_requests["cheaper-model"].branch).card["lineages"]
    assert lineage["confidence"]["judge_agreement"] > 0.7
