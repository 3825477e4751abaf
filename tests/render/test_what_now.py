"""The line that says what to do about a verdict."""

import pytest

from engine.render.markdown import markdown
from engine.render.what_now import merge_answer, what_now, without_fix
from schemas.effects import CaseEffect, Effect
from schemas.scorecard import Clearance
from schemas.verdicts import Reason, VerdictStatus
from tests.render.scorecards import (
    STATES,
    TRIAGE_DIFF,
    blocked,
    by_cost,
    error,
    extraction,
    fork_static,
    generation,
    inconclusive,
    informed,
    lineage,
    needs_review,
    scorecard,
    triage,
)

BLOCKED, REVIEW = VerdictStatus.BLOCKED, VerdictStatus.NEEDS_REVIEW
READ = "Read the 5 cases that got worse and lines 5, 12–16 of `prompts/triage.prompt.yml`, then change the prompt."
ACCEPT = "To accept it, approve `0a1b2c3` in a review"


def test_a_block_says_what_to_read_and_how_to_accept_it():
    keys = "(`slices.adversarial: watch`, `max_cost_increase: 0.90`)"
    looser = f"To accept it as it is, first loosen `gate` on the base branch {keys}. That weakens every later check."
    assert what_now(blocked()) == f"{READ} {looser}"
    assert what_now(blocked(), bot=True) == f"{READ} To accept it as it is, comment `/verdict approve <reason>`."
    assert what_now(informed()) == READ
    assert what_now(generation()).startswith(
        "Read the 12 cases that got worse and line 3 of `prompts/outreach.yaml`, then change the model or the prompt."
    )


def test_a_block_for_its_cost_is_about_length():
    assert what_now(by_cost()).startswith(
        "Shorten the prompt or the answers that it asks for: see lines 5, 12–16 of `prompts/triage.prompt.yml`. To accept"
    )


def test_several_blocked_prompts_have_one_line():
    cards = tuple(triage().model_copy(update={"lineage": name}) for name in "ab")
    said = what_now(scorecard(status=BLOCKED, passes=False, lineages=cards))
    assert said.startswith(f"Begin with `a`: {READ[0].lower()}{READ[1:]} To accept it as it is")


@pytest.mark.parametrize(
    ("reason", "key"),
    [
        ({"code": "drop"}, "`margin.overall`"),
        ({"code": "drop", "slice": "edge"}, "`margin.slices.edge`"),
        ({"code": "drop", "slice": "class refunds"}, "`margin.classes.refunds`"),
        ({"code": "drop", "metric": "years"}, "`margin.fields.years`"),
        ({"code": "must_pass", "slice": "core"}, "`slices.core: watch`"),
        ({"code": "floor"}, "`floor.overall`"),
        ({"code": "floor", "slice": "edge"}, "`floor.slices.edge`"),
        ({"code": "latency"}, "`max_latency_increase`"),
        ({"code": "cost"}, "`max_cost_increase`"),
        ({"code": "cost", "estimate": 0.31}, "`max_cost_increase: 0.35`"),
        ({"code": "smoke"}, None),
        ({"code": "protected"}, None),
    ],
)
def test_without_the_bot_the_setting_that_blocks_is_named(reason, key):
    metrics = tuple(
        Effect.model_validate({
            "slice": None, "metric": name, "cases": 9, "baseline": 1.0, "candidate": 0.5, "change": -0.5, "interval": None,
            "margin": None, "result": "worse",
        })
        for name in ("fields", "years")
    )  # fmt: skip
    found = Reason.model_validate({"status": BLOCKED, "sentence": "It fell.", **reason})
    card = lineage(status=BLOCKED, use_case="extraction", reasons=(found,), metrics=metrics)
    said = what_now(scorecard(status=BLOCKED, passes=False, lineages=(card,)))
    assert (f"on the base branch ({key})." in said) if key else ("To accept" not in said)


def test_a_review_says_what_to_read_and_who_may_accept():
    assert what_now(needs_review()).startswith(f"{ACCEPT}. Reviewers need write access")
    assert what_now(needs_review(), bot=True).startswith(f"{ACCEPT}, or comment `/verdict approve <reason>`. Review")
    assert what_now(extraction()).startswith("Read the 1 case that got worse and lines 5, 12–16 of")
    unsure = tuple(CaseEffect(id=f"c{n}", slices=(), change=n - 1.0, result="flaky") for n in range(3))
    card = lineage(status=REVIEW, cases=unsure, diff=TRIAGE_DIFF.model_copy(update={"file": None}))
    assert what_now(scorecard(status=REVIEW, passes=False, lineages=(card,))).startswith(
        "Read the 1 case that may be worse. To accept it"
    )
    assert what_now(fork_static()) == "Read the fork's changes, then start the run as described above."


def test_an_inconclusive_verdict_says_which_cases_would_decide():
    card = inconclusive()
    drop = "add 60 cases to slice `edge` of the test set (enough to detect a 10-point drop)"
    assert what_now(card) == f"To decide, {drop}. The check passes without them."
    failing = card.model_copy(update={"passes": False})
    assert (
        what_now(failing)
        == f"To decide, {drop}. To accept it as it is, first set `inconclusive: pass` on the base branch."
    )
    assert what_now(failing, bot=True).endswith("as it is, comment `/verdict approve <reason>`.")
    # Without a reason about a slice, every slice that lacks cases is named.
    other = card.lineages[0].model_copy(update={"reasons": (), "tests": "tests/o.jsonl"})
    said = what_now(card.model_copy(update={"lineages": (other,)}))
    assert said.startswith(
        f"To decide, {drop.replace('the test set', '`tests/o.jsonl`')}; 60 cases to `tests/o.jsonl` (enough"
    )
    bare = card.model_copy(update={"lineages": (lineage(status=VerdictStatus.INCONCLUSIVE),)})
    assert what_now(bare) == "The check passes."


def test_an_error_says_its_fix_once():
    card = error()
    fix = "the account's credit or quota is used up; raise it, then run again"
    assert fix in card.summary
    assert what_now(card) == f"{fix.capitalize()}."
    assert without_fix(card.summary, card).endswith("api.openai.com failed (quota).")
    assert markdown(card).lower().count("raise it, then run again") == 1
    assert what_now(card, bot=True).endswith("then run again. To run again, comment `/verdict rerun`.")
    plain = card.model_copy(update={"lineages": ()})
    assert what_now(plain) == "Fix what failed, then run again. Finished answers are kept."


def test_what_a_person_accepted_needs_nothing_more():
    by = Clearance(by="ada", commit="c" * 40, at="2026-01-01T00:00:00Z", url=None, content_digest="d", reason="Known.", expires_at="2026-02-01")  # fmt: skip
    said = what_now(blocked().model_copy(update={"clearance": by, "passes": True}), bot=True)
    assert said == "Accepted by `ada` at `ccccccc`, until 2026-02-01, as long as nothing relevant changes: Known."


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("bot", [False, True])
def test_it_stays_one_line_for_every_state(state, bot):
    said = what_now(STATES[state](), bot=bot)
    assert "\n" not in said
    assert len(said) < 330
    assert bool(said) is (state not in ("not_applicable", "adoption", "approved"))


@pytest.mark.parametrize(
    ("card", "answer"),
    [
        (blocked(), "Don't merge."),
        (informed(), "The check passes because this repository has `mode: inform`."),
        (needs_review(), "Don't merge without an approval."),
        (fork_static(), "Don't merge yet: nothing was measured."),
        (error(), "Don't merge yet: the measurement failed."),
        (inconclusive(), "May be merged, but the evidence is inconclusive."),
        (inconclusive().model_copy(update={"passes": False}), "Don't merge yet: the evidence is inconclusive."),
        (scorecard(), "May be merged."),
        (STATES["not_applicable"](), ""),
    ],
)
def test_the_first_words_say_whether_it_may_be_merged(card, answer):
    assert merge_answer(card) == answer
    accepted = Clearance(by="ada", commit="c" * 40, at="2026-01-01T00:00:00Z", url=None, content_digest="d")
    if answer:
        assert merge_answer(card.model_copy(update={"clearance": accepted})) == "May be merged."
