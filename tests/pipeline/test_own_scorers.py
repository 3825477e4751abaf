"""A lineage with a scorer of its own: its code is always base's, and what it can't score is never a pass."""

import pytest

from engine.commands.plan_report import plan_report
from schemas.verdicts import ReasonCode, VerdictStatus
from tests.pipeline.test_measure import CASES, measured, prepared, store
from tests.run.laboratory import completion

__all__ = ["store"]

CONFIG = """\
version: 1
models: {toy: {provider: offline, model: m, price: {input: 1, output: 4}}}
defaults: {model: toy}
lineages:
  letters: {use_case: generation, prompt: letter.txt, tests: cases.jsonl, scorer: evals/score.py}
"""
NAMES = '''\
def handler(output, expected, inputs):
    """Whether the letter names the person."""
    if "broken" in output:
        raise ValueError("no letter")
    return {"score": float(inputs["name"] in output), "reason": "" if inputs["name"] in output else "names nobody"}
'''
FILES = {
    "promptverdict.yaml": CONFIG,
    "evals/score.py": NAMES,
    "letter.txt": "Write to {{name}}.\n",
    "cases.jsonl": CASES,
}
LONGER = {"letter.txt": "Write a long letter to {{name}}.\n"}


def named(request, repetition, nth):
    return completion("Dear " + request.messages[0].content)


def nameless(request, repetition, nth):
    return completion("Dear you" if "long" in request.messages[0].content else f"Dear {request.messages[0].content}")


def broken(request, repetition, nth):
    return completion("broken" if "long" in request.messages[0].content else f"Dear {request.messages[0].content}")


@pytest.mark.parametrize(
    ("reply", "status", "says"),
    [
        (named, "approved", ""),
        (nameless, "blocked", "names nobody"),
        (broken, "error", "evals/score.py:4: it raised ValueError: no letter (fix the scorer for this answer)"),
    ],
)
async def test_it_decides_and_what_it_can_t_score_is_no_pass(store, reply, status, says):
    card, _ = await measured(prepared(FILES, LONGER), reply, store)
    assert card.status == status
    text = card.model_dump_json()
    assert says in text
    if status == "error":
        assert "answers could not be scored, the first in case “c" in card.lineages[0].headline
        assert card.lineages[0].reasons[0].code == ReasonCode.MISSING_CELLS


GENEROUS = NAMES.replace('float(inputs["name"] in output)', "1.0")


async def test_a_pull_request_can_t_score_itself(store):
    what = prepared(FILES, LONGER | {"evals/score.py": GENEROUS})
    card, _ = await measured(what, nameless, store)
    assert card.status == "blocked"
    reason = next(one for one in card.lineages[0].reasons if one.code is ReasonCode.SCORER_CHANGED)
    assert (reason.status, reason.sentence) == (
        VerdictStatus.NEEDS_REVIEW,
        "letters: this pull request changes the scorer in evals/score.py; base's was used.",
    )


@pytest.mark.parametrize(
    ("base", "head", "status"),
    [
        ({}, {"evals/score.py": GENEROUS}, "needs_review"),
        ({}, {"evals/score.py": None}, "needs_review"),
        ({}, {"evals/score.py": NAMES.replace("\n", "\r\n")}, "not_applicable"),
        ({}, {"promptverdict.yaml": CONFIG.replace("score.py", "other.py"), "evals/other.py": GENEROUS}, "needs_review"),
        ({"evals/score.py": None}, LONGER | {"evals/score.py": GENEROUS}, "error"),
        ({"evals/score.py": "print('no')"}, LONGER, "error"),
        ({"evals/score.py": "def handler(output): return 1"}, LONGER, "error"),
    ],
)  # fmt: skip
async def test_a_change_of_the_scorer_alone_needs_review(store, base, head, status):
    card, provider = await measured(prepared(FILES | base, head), named, store)
    assert card.status == status
    assert provider.calls == 0


NEW = (
    CONFIG
    + "  mails: {use_case: generation, prompt: mail.txt, tests: cases.jsonl, scorer: evals/SCORER.py, checks: [{name: short, max_words: 99}]}\n"
)
MAIL = {"mail.txt": "Mail {{name}}.\n"}
TRAP = "raise SystemExit('sprung')\ndef handler(output, expected): return 1\n"


async def test_a_new_lineage_runs_no_code_of_the_pull_request(store):
    fresh = MAIL | {"promptverdict.yaml": NEW.replace("SCORER", "fresh"), "evals/fresh.py": TRAP}
    card, _ = await measured(prepared(FILES, fresh), named, store)
    (lineage,) = (each for each in card.lineages if each.lineage == "mails")
    assert lineage.overall is None
    (reason,) = (one for one in lineage.reasons if one.code is ReasonCode.SCORER_CHANGED)
    assert "code of a pull request is never run; merge the scorer first" in reason.sentence
    assert "sprung" not in card.model_dump_json()
    # A path that nobody has is a mistake in the configuration.
    nowhere = MAIL | {"promptverdict.yaml": NEW.replace("SCORER", "nowhere")}
    (change,) = (one for one in prepared(FILES, nowhere).detection.lineages if one.name == "mails")
    assert any("evals/nowhere.py: this file doesn't exist" in each.sentence for each in change.reasons)
    # One that the base has is base's, whatever the pull request does to it.
    shared = MAIL | {"promptverdict.yaml": NEW.replace("SCORER", "score"), "evals/score.py": TRAP}
    card, _ = await measured(prepared(FILES, shared), named, store)
    (lineage,) = (each for each in card.lineages if each.lineage == "mails")
    assert lineage.overall is not None
    assert ReasonCode.SCORER_CHANGED in {one.code for one in lineage.reasons}


async def test_the_pull_request_that_installs_the_gate_is_planned_without_running_it(store):
    what = prepared({"letter.txt": FILES["letter.txt"]}, FILES | {"evals/score.py": TRAP})
    (entry,) = what.entries
    assert (entry.is_measured, entry.plan is not None) == (False, True)
    assert "the scorer has no handler" in str(
        prepared({"letter.txt": ""}, FILES | {"evals/score.py": "x = 1"}).detection.lineages[0].reasons
    )


def test_the_plan_names_the_scorer_and_its_digest_and_the_digest_follows_the_code():
    found = [prepared(FILES | {"evals/score.py": text}, LONGER) for text in (NAMES, GENEROUS)]
    reports = [plan_report(each).experiments[0].scorer for each in found]
    assert reports[0].startswith("evals/score.py from the base (sha256 ")
    assert reports[0].endswith("), metric")
    assert reports[0] != reports[1]
    assert len({entry.plan.digest for each in found for entry in each.entries}) == 2
