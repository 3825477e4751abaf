"""The main job on real git repositories, through the command line."""

import gzip
import json

import pytest

from tests.end_to_end.conftest import CONFIG, PROMPT, cases

REWORDED = PROMPT.replace("You sort support tickets", "You assign support tickets")
BROKEN = PROMPT.replace("- refunds: money back, returns, refund requests\n", "- refunds: zebra crossings\n")


def test_a_harmless_rewording_is_approved(project):
    project.branch("rewording", {"prompts/triage.prompt.yml": REWORDED})
    ran = project.check("rewording")
    assert (ran.code, ran.card["status"], ran.card["passes"]) == (0, "approved", True)
    assert ran.card["spending"]["made"] > 0


def test_a_broken_prompt_is_blocked_with_its_cases(project):
    project.branch("broken", {"prompts/triage.prompt.yml": BROKEN})
    ran = project.check("broken")
    assert (ran.code, ran.card["status"]) == (1, "blocked")
    (card,) = ran.card["lineages"]
    assert card["overall"]["change"] < 0
    assert card["reasons"][0]["cases"]


def test_a_second_check_of_the_same_commits_calls_nothing_and_says_the_same(project):
    project.branch("broken", {"prompts/triage.prompt.yml": BROKEN})
    first = project.check("broken").card
    second = project.check("broken").card
    third = project.check("broken")
    assert second["spending"]["made"] == 0
    assert second["spending"]["stored"] == first["spending"]["made"] + first["spending"]["stored"]
    assert comparable(first) == comparable(second)
    second["seconds"] = None
    assert second == third.card | {"seconds": None}


def comparable(card):
    """What was measured and decided, without where the answers came from and how long the run took."""
    text = json.loads(json.dumps(card))
    text["seconds"] = None
    for spending in (text["spending"], *(lineage["spending"] for lineage in text["lineages"])):
        for name in ("made", "stored", "cost_usd"):
            del spending[name]
    return text


def test_swapping_base_and_head_flips_every_sign(project):
    mode = "gate: {mode: fixed, repetitions: 1}\n"
    base = project.repository.commit({"promptverdict.yaml": CONFIG + mode}, branch="main")
    project.repository.commit({"prompts/triage.prompt.yml": BROKEN}, branch="a", parent=base)
    forth = project.check("a").card["lineages"][0]
    back = project.check("main", "--base", "a", *history(project)).card["lineages"][0]
    signs = {case["id"]: case["change"] for case in forth["cases"]}
    assert any(signs.values())
    assert {case["id"]: -case["change"] for case in back["cases"]} == pytest.approx(signs)
    assert back["overall"]["change"] == pytest.approx(-forth["overall"]["change"])


def history(project):
    """For the way back the merge base has to be the broken commit."""
    project.repository.commit({"prompts/triage.prompt.yml": PROMPT}, branch="main", parent="refs/heads/a")
    return ()


def test_an_unrelated_change_evaluates_nothing_and_says_so(project):
    project.branch("unrelated", {"README.md": "hello"})
    ran = project.check("unrelated")
    assert (ran.code, ran.card["status"], ran.card["lineages"]) == (0, "not_applicable", [])
    assert "no prompt" in ran.card["summary"].lower()


def test_only_the_lineage_that_changed_runs(project):
    lineages = "".join(
        f"  l{n}: {{use_case: classification, prompt: p/{n}.prompt.yml, tests: tests/triage.jsonl, labels: [billing, refunds]}}\n"
        for n in range(40)
    )
    config = CONFIG[: CONFIG.index("  triage:")] + lineages
    base = project.repository.commit(
        {"promptverdict.yaml": config} | {f"p/{n}.prompt.yml": PROMPT for n in range(40)}, branch="main"
    )
    project.repository.commit({"p/7.prompt.yml": REWORDED}, branch="one", parent=base)
    card = project.check("one").card
    assert [lineage["lineage"] for lineage in card["lineages"]] == ["l7"]


def test_a_prompt_with_inline_tests_needs_no_configuration(project):
    rows = "".join(
        f"  - {{input: {json.dumps(row['inputs']['ticket'])}, expected: {row['expected']}}}\n"
        for row in map(json.loads, cases(20).splitlines())
    )
    prompt = (
        PROMPT.replace("{{ticket}}", "{{input}}")
        + "model: offline/offline-large\ntestData:\n"
        + rows
        + "evaluators:\n  - name: right\n    string: {equals: '{{expected}}'}\n"
    )
    base = project.repository.commit({"promptverdict.yaml": None, "prompts/triage.prompt.yml": prompt}, branch="main")
    project.repository.commit(
        {"prompts/triage.prompt.yml": prompt.replace("You sort", "You assign")}, branch="pr", parent=base
    )
    ran = project.check("pr")
    assert ran.card["lineages"], ran.err
    assert (ran.code, ran.card["lineages"][0]["lineage"]) == (0, "triage")


def test_uncommitted_edits_are_measured_on_request(project):
    project.repository.checkout("main")
    (project.repository.path / "prompts/triage.prompt.yml").write_text(BROKEN)
    assert project.check("HEAD").card["status"] == "not_applicable"
    ran = project.run("check", "--worktree", "--format", "json")
    assert (ran.code, ran.card["status"]) == (1, "blocked")


def test_the_output_folder_gets_the_scorecard_and_the_records(project, tmp_path):
    project.branch("rewording", {"prompts/triage.prompt.yml": REWORDED})
    ran = project.check("rewording", "--output", str(tmp_path / "out"))
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"scorecard.json", "scorecard.md", "report.html", "experiments"}
    assert json.loads((tmp_path / "out/scorecard.json").read_text()) == ran.card


def test_a_recorded_experiment_is_decided_again_offline_and_equal(project, tmp_path):
    project.branch("broken", {"prompts/triage.prompt.yml": BROKEN})
    card = project.check("broken", "--output", str(tmp_path / "out")).card["lineages"][0]
    record = tmp_path / "out/experiments/1.json.gz"
    again = project.run("decide", record, "--format", "json")
    assert again.code == 1
    assert again.card["overall"] == card["overall"]
    assert again.card["reasons"] == card["reasons"]
    assert project.run("decide", record, "--format", "json").out == again.out
    # A record of an earlier version, uncompressed.
    (tmp_path / "old.json").write_bytes(gzip.decompress(record.read_bytes()))
    assert project.run("decide", tmp_path / "old.json", "--format", "json").out == again.out
    (tmp_path / "cut.json.gz").write_bytes(record.read_bytes()[:-20])
    cut = project.run("decide", tmp_path / "cut.json.gz")
    assert (cut.code, "the compressed file is cut off" in cut.err) == (2, True)
    assert project.run("decide", tmp_path / "out/scorecard.json").code == 2


@pytest.mark.parametrize(("output_format", "start"), [("terminal", "✅ Prompt Verdict"), ("html", "<!doctype html>")])
def test_every_format_prints(project, output_format, start):
    project.branch("rewording", {"prompts/triage.prompt.yml": REWORDED})
    ran = project.run("check", "--head", "rewording", "--format", output_format)
    assert ran.code == 0
    assert ran.out.lower().startswith(start.lower())


def test_markdown_begins_with_the_verdict(project):
    project.branch("rewording", {"prompts/triage.prompt.yml": REWORDED})
    ran = project.run("check", "--head", "rewording", "--format", "markdown")
    assert "Prompt Verdict: approved" in ran.out.splitlines()[1] + ran.out.splitlines()[0]


def test_a_budget_that_is_too_small_decides_nothing_and_keeps_what_was_paid(project):
    project.branch("broken", {"prompts/triage.prompt.yml": BROKEN})
    ran = project.check("broken", "--budget", "0.02")
    assert (ran.code, ran.card["status"]) == (3, "error")
    made = ran.card["spending"]["made"]
    assert made > 0
    assert float(ran.card["spending"]["cost_usd"]) <= 0.02
    full = project.check("broken").card
    assert full["spending"]["stored"] >= made


def test_the_plan_spends_nothing(project):
    project.branch("broken", {"prompts/triage.prompt.yml": BROKEN})
    ran = project.run("plan", "--head", "broken", "--format", "json")
    (experiment,) = ran.card["experiments"]
    assert [arm["calls"] for arm in experiment["arms"]] == [60, 60]
    assert float(ran.card["cost_usd"]) > 0
    assert not (project.home / ".cache").exists()
    text = project.run("plan", "--head", "broken")
    assert "60 cases" in text.out
    assert "because of prompt" in text.out


def test_a_lineage_is_named_as_the_monorepo_knows_it_affected_or_not(project):
    package = CONFIG.replace("  triage:", "  {name}:")
    files = {"promptverdict.yaml": None}
    for name in ("mail", "chat"):
        files |= {
            f"{name}/promptverdict.yaml": package.replace("{name}", name),
            f"{name}/tests/triage.jsonl": cases(20),
        }
        files[f"{name}/prompts/triage.prompt.yml"] = PROMPT
    base = project.repository.commit(files, branch="main")
    project.repository.commit({"mail/prompts/triage.prompt.yml": REWORDED}, branch="mail", parent=base)
    assert project.check("mail", "--lineage", "chat").card["lineages"] == []
    assert [each["lineage"] for each in project.check("mail", "--lineage", "mail").card["lineages"]] == ["mail"]
    ran = project.check("mail", "--lineage", "male")
    assert (ran.code, ran.err.splitlines()[1]) == (
        2,
        "promptverdict: unknown lineage 'male' (there are: chat, mail)",
    )


def test_a_case_is_explained_without_another_call(project):
    project.branch("broken", {"prompts/triage.prompt.yml": BROKEN})
    checked = project.check("broken")
    (card,) = checked.card["lineages"]
    case = next(one for one in card["cases"] if one["result"] == "regressed")
    ran = project.run("explain", case["id"], "--head", "broken", COLUMNS="70")
    assert ran.code == 0
    assert f"{case['id']}: got worse · typical · change −" in ran.out
    assert case["inputs"][0][1] in " ".join(ran.out.split())
    assert ran.out.index("expected") < ran.out.index("baseline said") < ran.out.index("candidate says")
    assert "run by run (points): baseline 100.0" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 70
    unknown = project.run("explain", case["id"] + "x", "--head", "broken")
    assert (unknown.code, f"did you mean {case['id']}" in unknown.err) == (2, True)


def test_where_nothing_could_be_measured_explain_says_why(project):
    config = CONFIG.replace("provider: offline, model: offline-large", "provider: openai, model: gpt-4o-mini")
    base = project.repository.commit({"promptverdict.yaml": config}, branch="main")
    project.repository.commit({"prompts/triage.prompt.yml": BROKEN}, branch="broken", parent=base)
    ran = project.run("explain", "t-001", "--head", "broken")
    assert (ran.code, "there is no key for" in ran.err) == (2, True)
