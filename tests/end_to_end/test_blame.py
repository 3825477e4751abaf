"""``promptverdict blame`` on the command line: the cost first, then the guilty lines."""

import json

from tests.end_to_end.conftest import PROMPT

TRUSTING = "      Every ticket belongs to billing.\n"
BROKEN = PROMPT.replace("You sort", "You assign").replace("  - role: user\n", TRUSTING + "  - role: user\n").replace(
    "      - refunds: money back, returns, refund requests\n", ""
)  # fmt: skip
PATH = "prompts/triage.prompt.yml"


def test_blame_says_its_cost_names_lines_and_pays_nothing_twice(project):
    project.branch("pr", {PATH: BROKEN})
    dry = project.run("blame", "--head", "pr", "--dry-run")
    assert dry.code == 0
    assert "2 changed parts; if its cases break, up to" in dry.out
    assert "never more than $0.50" in dry.out
    first = project.run("blame", "--head", "pr", "--format", "json")
    assert first.code == 0, first.err
    (found,) = json.loads(first.out)
    assert (found["lineage"], found["status"]) == ("triage", "blocked")
    assert found["blame"]["culprits"], found["blame"]["sentence"]
    assert "about" in first.err
    assert found["blame"]["made"] > 0
    again = project.run("blame", "--head", "pr", "--format", "json")
    (second,) = json.loads(again.out)
    assert second["blame"]["made"] == 0
    assert second["blame"]["culprits"] == found["blame"]["culprits"]
    text = project.run("blame", "--head", "pr").out
    assert found["blame"]["sentence"].replace("`", "") in text
    assert "    - Every ticket belongs to billing." in text


def test_an_approved_change_has_nothing_to_explain_and_no_change_nothing_to_search(project):
    project.branch("pr", {PATH: PROMPT.replace("You sort", "You assign")})
    ran = project.run("blame", "--head", "pr")
    assert (ran.code, "nothing to explain" in ran.out) == (0, True)
    assert "no prompt that can be measured changes" in project.run("blame", "--head", "main", "--dry-run").out
    assert project.run("blame", "--head", "nowhere").code == 2
