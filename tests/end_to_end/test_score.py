"""``promptverdict score``: the first use shows something before anything has changed."""

import json

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
    assert first.strip().endswith("0.0, expected “refunds”, answered “billing”")
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


def test_a_repository_without_a_configuration_is_pointed_to_init(project):
    project.repository.commit({"promptverdict.yaml": None}, branch="main")
    project.repository.checkout("main")
    ran = project.run("score")
    assert (ran.code, "promptverdict init" in ran.err) == (2, True)


def test_the_version_is_said(project):
    assert project.run("--version").out.startswith("promptverdict ")


def test_two_commands_give_a_first_score_where_nothing_is_written_by_hand(project):
    """A repository that has only a constant in Python and a table, whose columns have other names."""
    rows = [json.loads(line) for line in cases().splitlines()]
    project.repository.commit(
        {
            **dict.fromkeys(("promptverdict.yaml", "prompts/triage.prompt.yml", "tests/triage.jsonl")),
            "src/prompts.py": 'TRIAGE_PROMPT = """Sort the ticket: is it about billing or refunds?\n\n{ticket}\n"""\n',
            "data/tickets.csv": "text,label\n" + "".join(f'"{r["inputs"]["ticket"]}",{r["expected"]}\n' for r in rows),
        },
        branch="main",
    )
    project.repository.checkout("main")
    ran = project.run("init")
    assert (ran.code, "gated: src/prompts.py#TRIAGE_PROMPT -> classification" in ran.err) == (0, True)
    project.repository.git("add", "-A")
    project.repository.git("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "Install")
    ran = project.run("score")
    assert (ran.code, ran.out.partition(": ")[0]) == (0, "triage · main")
    assert "of 100 over 60 cases" in ran.out
