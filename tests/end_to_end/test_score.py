"""``promptverdict score``: the first use shows something before anything has changed."""

import json

import pytest

from tests.end_to_end.conftest import CONFIG, PROMPT, cases
from tests.end_to_end.test_check import BROKEN


def test_today_s_prompts_are_scored_without_a_change(project):
    project.repository.commit({"prompts/triage.prompt.yml": BROKEN}, branch="main")
    project.repository.checkout("main")
    ran = project.run("score")
    assert ran.code == 0
    assert "scoring HEAD" in ran.err
    head, slices, first, *_ = ran.out.splitlines()
    assert head.startswith("triage · toy: ")
    assert "of 100 over 60 cases" in head
    assert slices.strip().startswith("typical ")
    (document,) = json.loads(project.run("score", "--format", "json").out)
    assert (document["lineage"], document["cases"], document["reasons"]) == ("triage", 60, [])
    assert f"{100 * document['score']:.1f} of 100" in head
    assert len(document["failed"]) == round(60 * (1 - document["score"])) > 0
    assert "0.0, expected “refunds”, answered “billing”, asked “I want my money back for" in first
    assert next(iter(document["failed"])) == first.strip().partition(":")[0]


def test_the_model_that_the_prompt_file_names_is_asked_as_in_check(project):
    named = {"prompts/triage.prompt.yml": f"model: openai/gpt-4o-mini\n{PROMPT}"}
    project.repository.commit(named, branch="main")
    project.repository.checkout("main")
    ran = project.run("score")
    assert (ran.code, ran.out.partition(": ")[0]) == (3, "triage · openai/gpt-4o-mini")
    assert "OPENAI_API_KEY" in ran.out


def test_edits_that_are_not_committed_are_scored_on_request(project):
    project.repository.checkout("main")
    before = json.loads(project.run("score", "--format", "json").out)[0]["score"]
    (project.repository.path / "prompts/triage.prompt.yml").write_text(PROMPT.replace("refunds", "returns"))
    after = json.loads(project.run("score", "--worktree", "--format", "json").out)[0]["score"]
    assert after < before


def test_a_prompt_that_can_t_be_scored_says_why_and_hides_no_other(project):
    second = CONFIG.partition("lineages:\n")[2].replace("triage:", "broken:", 1).replace("triage.prompt", "none.prompt")
    files = {"promptverdict.yaml": CONFIG.rstrip("\n") + "\n" + second, "tests/triage.jsonl": cases()}
    project.repository.commit(files, branch="main")
    project.repository.checkout("main")
    ran = project.run("score")
    assert ran.code == 3
    assert "of 100 over 60 cases" in ran.out
    assert ": not scored\n  broken: there is no prompt prompts/none.prompt.yml." in ran.out


def test_the_version_is_said(project):
    assert project.run("--version").out.startswith("promptverdict ")


TABLE = ["ticket,label"] + [f'"{r["inputs"]["ticket"]}",{r["expected"]}' for r in map(json.loads, cases().splitlines())]
ASSERTED = """\
prompts: [file://prompts/answer.txt]
tests:
  - {vars: {question: "Can I get my money back?"}, assert: [{type: icontains, value: refund}]}
  - {vars: {question: "Where is my bill?"}, assert: [{type: contains-any, value: [a, e]}]}
"""
CONSTANT = {"src/prompts.py": 'TRIAGE_PROMPT = """Sort the ticket: is it about billing or refunds?\n\n{ticket}\n"""\n'}
TRIAGE = {**CONSTANT, "data/tickets.csv": "\n".join(TABLE) + "\n"}
ANSWER = {"prompts/answer.txt": "Answer: {{question}}\n", "promptfooconfig.yaml": ASSERTED}


def without_configuration(project, files):
    gone = dict.fromkeys(("promptverdict.yaml", "prompts/triage.prompt.yml", "tests/triage.jsonl"))
    project.repository.commit({**gone, **files}, branch="main")
    project.repository.checkout("main")


def test_one_command_gives_a_first_score_where_nothing_is_configured(project):
    """A repository that has only a constant in Python and a table. Then ``init`` writes what was used."""
    without_configuration(project, TRIAGE)
    ran = project.run("score")
    assert (ran.code, ran.out.partition(": ")[0]) == (0, "triage · offline-small")
    assert "of 100 over 60 cases" in ran.out
    assert project.repository.git("status", "--porcelain") == ""
    first, proposed, model, *_, last = ran.err.splitlines()
    assert "no promptverdict.yaml in HEAD" in first
    assert "without writing a file" in first
    assert proposed.startswith("  triage: src/prompts.py#TRIAGE_PROMPT with data/tickets.csv")
    assert "a free toy model with made-up prices; set ANTHROPIC_API_KEY or OPENAI_API_KEY for a real model" in model
    assert last.startswith("next: run promptverdict init to write promptverdict.yaml")
    initialized = project.run("init")
    assert (initialized.code, "gated: src/prompts.py#TRIAGE_PROMPT -> classification" in initialized.err) == (0, True)
    again = project.run("score")
    assert (again.code, "promptverdict.yaml is not committed" in again.err) == (2, True)
    assert project.run("score", "--worktree").out == ran.out


def test_of_several_prompts_one_is_chosen_and_failed_assertions_say_what_they_wanted(project):
    without_configuration(project, {**TRIAGE, **ANSWER})
    ran = project.run("score")
    assert (ran.code, ran.out) == (2, "")
    assert "  answer: prompts/answer.txt with promptfooconfig.yaml" in ran.err
    assert "  triage: src/prompts.py#TRIAGE_PROMPT with data/tickets.csv" in ran.err
    assert "2 prompts have test cases (choose with --lineage NAME (may be repeated))" in ran.err
    ran = project.run("score", "--lineage", "answer")
    assert (ran.code, "triage" in ran.err + ran.out) == (0, False)
    (failed,) = (line for line in ran.out.splitlines() if "0.0, " in line)
    assert ": 0.0, fails icontains “refund”, answered “" in failed
    assert failed.endswith(", asked “Can I get my money back?”")
    wrong = project.run("score", "--lineage", "other")
    assert (wrong.code, "unknown lineage 'other' (there are: answer, triage)" in wrong.err) == (2, True)


@pytest.mark.parametrize(
    ("key", "answering"),
    [({}, "offline-small instead of openai/gpt-4o"), ({"OPENAI_API_KEY": "k"}, "answered by openai/gpt-4o\n")],
)
def test_a_named_model_without_a_key_is_replaced_and_one_with_a_key_is_asked(project, key, answering):
    named = PROMPT.replace("name:", "model: openai/gpt-4o\nname:", 1)
    assert "model:" in named
    without_configuration(project, {"prompts/a.prompt.yml": named, "data/tickets.csv": TRIAGE["data/tickets.csv"]})
    # Nothing may be spent here, so the budget ends the run before the first call.
    ran = project.run("score", "--budget", "0.0000001", **key)
    assert answering in ran.err
    assert ("the models need OPENAI_API_KEY: " in project.run("init", "--dry-run", **key).err) is (key == {})


def test_where_no_prompt_has_cases_the_next_step_is_said(project):
    without_configuration(project, CONSTANT)
    ran = project.run("score")
    assert (ran.code, ran.out) == (2, "")
    assert "not gated: src/prompts.py#TRIAGE_PROMPT (no test set was found)" in ran.err
    assert "promptverdict init writes a test set to fill in" in ran.err
