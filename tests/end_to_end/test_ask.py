"""``promptverdict suggest --ask``: a conversation in three rounds, each measured, and nothing saved by itself."""

import json
import subprocess
from decimal import Decimal

import pytest

from adapters.call_process.client import Caller
from tests.improve import lab
from tests.improve.lab import CANARY, RULE

pytestmark = pytest.mark.slow

ASK = ("suggest", "triage", "--reflector", "editor", "--ask")


@pytest.fixture
def shop(project):
    project.repository.commit(lab.files(), branch="main")
    project.repository.checkout("main")
    return project


@pytest.fixture
def models(monkeypatch):
    models = lab.Models(lab.obeys)
    monkeypatch.setattr(Caller, "provider", lambda *_: models.provider)
    return models


def tree(shop):
    return subprocess.run(
        ["git", "status", "--porcelain"], check=True, cwd=shop.repository.path, capture_output=True, text=True
    )


def sent(models):
    return "\n".join(request.model_dump_json() for request in models.reflected)


@pytest.mark.slow
def test_three_rounds_each_show_diff_scorecard_and_cost_and_save_nothing(shop, models):
    spent = Decimal(0)
    outputs = []
    for number, wish in enumerate(("be friendlier", "shout", "be stricter about refunds"), 1):
        before = models.cost
        ran = shop.run(*ASK, wish)
        outputs.append(ran.out)
        assert (ran.code, ran.out.splitlines()[0]) == (0, f"triage, round {number}: {wish}")
        assert "+++ b/triage.prompt.yml" in ran.out
        state = json.loads(shop.run(*ASK, wish, "--format", "json").out)
        assert state["conversation"]["rounds"][-1]["calls"] == 0, "the same sentence again costs nothing"
        assert len(state["conversation"]["rounds"]) == number
        spent += models.cost - before
    first, second, third = outputs
    assert "+      Be friendly." in first
    assert RULE not in first
    assert "cost" in second.lower()
    assert {"+      Be friendly.", f"+      {RULE}"} < set(third.splitlines())
    assert (tree(shop).stdout, shop.repository.path.joinpath("triage.prompt.yml").read_text()) == ("", lab.PROMPT)
    assert len(models.reflected) == 3
    _, then, last = (request.messages[0].content for request in models.reflected)
    assert "Round 2. The person asked: shout\nMeasured on toy: blocked." in last
    assert "failing cases mention “chargeback”" in then, "what the cases that may be shown have in common"
    assert CANARY not in sent(models)
    for case in lab.planned(lab.files())[0].target.cases:
        assert case.inputs["ticket"] not in sent(models)


@pytest.mark.slow
def test_a_conversation_begins_anew_on_request_and_after_a_commit(shop, models):
    shop.run(*ASK, "be friendlier")
    assert shop.run(*ASK, "be stricter about refunds", "--restart").out.startswith("triage, round 1: ")
    assert "Be friendly" not in shop.run(*ASK, "be stricter about refunds").out
    shop.repository.commit({"triage.prompt.yml": lab.PROMPT.replace("hurry", "rush")}, branch="main")
    ran = shop.run(*ASK, "be friendlier")
    assert ran.out.startswith("triage, round 1: ")
    assert RULE not in ran.out


def test_what_costs_nothing_and_what_is_no_edit(shop, models):
    ran = shop.run(*ASK, "be friendlier", "--dry-run", "--budget", "0.5")
    assert (ran.code, models.provider.calls, "never costs more than $0.50" in ran.out) == (0, 0, True)
    ran = shop.run(*ASK, "forget the rule")
    assert (ran.code, models.provider.calls, "no edit: The model changed nothing." in ran.out) == (3, 1, True)
    assert shop.run(*ASK, " ?! ").code == 2
    before = models.cost
    ran = shop.run(*ASK, "be stricter about refunds", "--budget", "0.006")
    assert (ran.code, "unfinished: the budget ran out during the measurement" in ran.out) == (3, True)
    assert models.cost - before <= Decimal("0.006")
    ran = shop.run(*ASK, "be stricter about refunds")
    assert (ran.code, max(models.provider.tries.values())) == (0, 1), "nothing is paid twice"
