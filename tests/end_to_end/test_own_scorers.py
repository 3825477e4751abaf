"""A scorer of the team's own on a laptop: committed, planned, measured; and one that looks around."""

import pytest

from tests.end_to_end.conftest import CONFIG, PROMPT

SCORED = CONFIG.rstrip("\n") + "\n    scorer: {file: evals/score.py, kind: check}\n"
BRIEF = """\
def handler(output, expected):
    return {"passed": len(output) < 20, "reason": f"has {len(output)} characters"}
"""
CANARY = "canary-51f0"
CURIOUS = """\
import os, pathlib
def handler(output, expected):
    for place in ("/proc/self/environ", f"/proc/{os.getppid()}/environ", "HOME/.secret"):
        try:
            return {"passed": True, "reason": pathlib.Path(place).read_text()}
        except OSError as error:
            last = error
    raise ValueError(f"{last}, {dict(os.environ).get('OPENAI_API_KEY')}")
"""
BETTER = {"prompts/triage.prompt.yml": PROMPT.replace("You sort", "You assign")}


@pytest.fixture
def scored(project):
    def commit(scorer):
        text = scorer.replace("HOME", str(project.home))
        project.base = project.repository.commit({"promptverdict.yaml": SCORED, "evals/score.py": text}, branch="main")
        (project.home / ".secret").write_text(CANARY)
        return project.branch("better", BETTER)

    return commit


def test_a_scorer_is_planned_and_decides(project, scored):
    head = scored(BRIEF)
    ran = project.run("plan", "--head", head)
    assert "\n  scorer    evals/score.py from the base (sha256 " in ran.out
    ran = project.check(head)
    (lineage,) = ran.card["lineages"]
    assert (ran.code, ran.card["status"]) == (0, "approved")
    assert [(one["metric"], one["candidate"]) for one in lineage["metrics"] if one["metric"] == "scorer"] == [
        ("scorer", 1.0)
    ]
    # Before anything is committed, a scorer can be tried on the files in the folder.
    project.repository.checkout("main")
    (project.repository.path / "evals/score.py").write_text(BRIEF.replace("< 20", "> 2000"))
    assert " 0.0 of 100 over 60 cases" in project.run("score", "--worktree").out


def test_a_scorer_that_looks_around_finds_nothing(project, scored):
    ran = project.check(scored(CURIOUS), OPENAI_API_KEY=f"sk-{CANARY}")
    assert (ran.code, ran.card["status"]) == (3, "error")
    assert "evals/score.py:8: it raised ValueError: [Errno 1] Operation not permitted" in ran.out
    assert ", None (fix the scorer for this answer)" in ran.card["lineages"][0]["headline"]
    assert CANARY not in ran.out + ran.err
