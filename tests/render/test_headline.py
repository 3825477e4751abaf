"""The title, the summary and the reasons of a scorecard, as a product manager reads them."""

import pytest

from engine.render.markdown import full_title, markdown
from engine.scorecard.headline import explained, summary, title
from schemas.effects import Answer, CaseEffect, Effect
from schemas.gate_config import SlicePolicy
from schemas.verdicts import Interval, Reason, ReasonCode, VerdictStatus
from tests.render.scorecards import lineage, resume, scorecard, triage

BLOCKED, APPROVED = VerdictStatus.BLOCKED, VerdictStatus.APPROVED


def overall(**changed):
    basis = {
        "slice": None, "metric": "exact", "cases": 208, "baseline": 0.74, "candidate": 0.8, "change": 0.06,
        "interval": Interval(low=-0.02, high=0.15), "margin": 0.077, "result": "no_change",
    }  # fmt: skip
    return Effect.model_validate({**basis, **changed})


def reason(code, status=BLOCKED, **changed):
    basis = {"code": code, "status": status, "sentence": f"It is {code.value}."}
    return Reason.model_validate({**basis, **changed})


def approved(**changed):
    no_drop = reason(ReasonCode.NO_DROP, APPROVED, sentence="No drop over 7.7 points overall.", margin=0.077)
    return lineage(**{"overall": overall(), "reasons": (no_drop,), "headline": no_drop.sentence, **changed})


GUARD = reason(ReasonCode.GUARD, slice="adversarial", cases=("a", "b", "c"), estimate=-0.1)
COST = reason(ReasonCode.COST, sentence="Cost rose by 45% per case (limit 20%).", estimate=0.45, margin=0.2)
ADVERSARIAL = overall(slice="adversarial", cases=21, policy=SlicePolicy.GUARD, result="worse")


def blocked(*reasons, **changed):
    values = {"status": BLOCKED, "overall": overall(), "slices": (ADVERSARIAL,), "reasons": reasons}
    return lineage(**{**values, "headline": reasons[0].sentence, **changed})


def test_an_approval_has_one_bound_in_its_title_and_its_summary():
    assert title(APPROVED, [approved()], ()) == "approved: scores 6.0 points higher (at worst 2.0 lower)"
    assert summary([approved()], ()) == "`outreach` scores 6.0 points higher (at worst 2.0 lower)."
    better = approved(overall=overall(result="better", interval=Interval(low=0.01, high=0.15)))
    assert summary([better], ()) == "`outreach` is better: +6.0 points."
    for change, said in ((0.0, "scores the same"), (-0.006, "scores 0.6 points lower")):
        card = approved(overall=overall(change=change))
        assert summary([card], ()) == f"`outreach` {said} (at worst 2.0 lower)."
    # A bound beyond the margin would contradict the approval, which planned runs decide.
    beyond = approved(overall=overall(interval=Interval(low=-0.08, high=0.15)))
    assert title(APPROVED, [beyond], ()) == "approved: no drop over 7.7 points"
    assert summary([beyond], ()) == "`outreach` is not worse."


def test_an_approval_says_whether_it_costs_more():
    card = approved(cost=triage().cost)
    assert summary([card], ()) == "`outreach` scores 6.0 points higher (at worst 2.0 lower) and costs more."
    assert "costs less" in summary([card.model_copy(update={"cost": resume().cost})], ())


FAILURE = reason(ReasonCode.ALWAYS_FAILS, VerdictStatus.NEEDS_REVIEW, sentence="Both versions fail every case.")


def always(text, expected="refunds"):
    said = (Answer(text=text, count=1, of=1, score=0.0),)
    return CaseEffect(id="t-7", slices=(), expected=expected, baseline=said, candidate=said, result="no_change")


@pytest.mark.parametrize(
    ("case", "told"),
    [
        (always("Label: refund"), " (`t-7` expects “refunds”, the candidate says “Label: refund”)"),
        (always("x", {"total": 5}), ' (`t-7` expects “{"total": 5}”, the candidate says “x”)'),
        (always("an\n`odd`  answer", None), " (to `t-7` the candidate says “an 'odd' answer”)"),
        (always("word " * 500), f" (`t-7` expects “refunds”, the candidate says “{'word ' * 11}word…”)"),
        (CaseEffect(id="t-7", slices=(), expected="refunds", result="not_run"), ""),
    ],
)
def test_where_everything_fails_an_example_shows_why(case, told):
    (said,) = explained([FAILURE], triage().cost, [case], ())
    assert said.sentence == f"Both versions fail every case{told}."


def test_a_block_says_first_why_and_then_what_is_good():
    assert summary([blocked(GUARD)], ()) == (
        "`outreach`: 3 of 21 guarded cases in `adversarial` broke. On average it scores 6.0 points higher, but that is not certain."
    )
    better = blocked(GUARD, COST, overall=overall(result="better"))
    assert summary([better], ()) == (
        "`outreach`: 3 of 21 guarded cases in `adversarial` broke (the first of 2 reasons). On average it is better."
    )
    assert (
        summary([blocked(COST)], ())
        == "`outreach`: it costs 45% more. On average it scores 6.0 points higher (at worst 2.0 lower)."
    )
    form = reason(ReasonCode.FORM_DRIFT, VerdictStatus.NEEDS_REVIEW, sentence="9 of 9 answers have another format.")
    assert summary([blocked(COST, form)], ()).endswith("(at worst 2.0 lower). 9 of 9 answers have another format.")
    swapped = blocked(COST, baseline_model="large", model="small")
    assert summary([swapped], ()).startswith("`outreach` on small: it costs 45% more.")


def test_a_block_without_anything_good_says_only_why():
    drop = reason(ReasonCode.DROP, estimate=-0.12)
    worse = blocked(drop, overall=overall(change=-0.12, result="worse"))
    assert summary([worse], ()) == "`outreach`: the overall score fell by 12.0 points."
    assert title(BLOCKED, [worse], ()) == "blocked: the overall score fell by 12.0 points"
    assert summary([blocked(GUARD, overall=None)], ()).startswith("`outreach`: 3 of 21")


def test_the_first_metric_is_the_overall_score():
    drops = [reason(ReasonCode.DROP, metric=name, estimate=-0.12) for name in ("overall", "brevity")]
    metrics = tuple(overall(metric=name, change=-0.12) for name in ("overall", "brevity"))
    said = summary([blocked(*drops, overall=None, metrics=metrics)], ())
    assert said == "`outreach`: the overall score fell by 12.0 points (the first of 2 reasons)."


def test_a_lineage_is_named_once():
    gone = reason(
        ReasonCode.DELETED_LINEAGE, VerdictStatus.NEEDS_REVIEW, sentence="outreach: the prompt a.md is deleted."
    )
    card = lineage(status=VerdictStatus.NEEDS_REVIEW, reasons=(gone,), headline=gone.sentence)
    for cards in ([card], [card, approved()]):
        assert title(VerdictStatus.NEEDS_REVIEW, cards, ()) == "needs review: outreach, the prompt a.md is deleted"
    assert summary([card], ()) == "`outreach`: the prompt a.md is deleted."


def test_the_pull_request_that_installs_us_says_when_it_gates():
    adopted = reason(ReasonCode.ADOPTION, VerdictStatus.NOT_APPLICABLE)
    assert title(VerdictStatus.NOT_APPLICABLE, [], (adopted,)) == "active after merge"
    card = scorecard(status=VerdictStatus.NOT_APPLICABLE, title="active after merge", reasons=(adopted,))
    assert full_title(card) == "Prompt Verdict: active after merge"
    unmeasured = [lineage(status=VerdictStatus.NOT_APPLICABLE, headline="", reasons=())] * 2
    assert summary(unmeasured, (adopted,)) == adopted.sentence


def test_nothing_to_evaluate_is_said_once():
    nothing = reason(ReasonCode.NOTHING_CHANGED, VerdictStatus.NOT_APPLICABLE, sentence="No prompt changes.")
    said = {"title": title(VerdictStatus.NOT_APPLICABLE, [], (nothing,)), "summary": summary([], (nothing,))}
    card = scorecard(status=VerdictStatus.NOT_APPLICABLE, reasons=(nothing,), **said)
    assert card.title == "nothing to evaluate: No prompt changes"
    assert markdown(card).count("No prompt changes") == 1


def test_many_reasons_are_counted():
    slices = tuple(overall(slice=f"s{n}", change=-0.12) for n in range(5))
    drops = [reason(ReasonCode.DROP, slice=f"s{n}", estimate=-0.12) for n in range(5)]
    several = blocked(*drops, overall=None, slices=slices)
    assert summary([several], ()) == "`outreach`: slice `s0` fell by 12.0 points (the first of 5 reasons)."


def test_reasons_without_a_phrase_keep_their_sentence():
    card = blocked(reason(ReasonCode.SMOKE, sentence="9 of 10 cases fail now."))
    assert summary([card], ()) == "`outreach`: 9 of 10 cases fail now."
    assert title(BLOCKED, [card], ()) == "blocked: 9 of 10 cases fail now"


def test_several_lineages_are_named():
    cards = [blocked(GUARD, lineage="a"), approved(lineage="b"), approved(lineage="c")]
    assert title(BLOCKED, cards, ()) == "blocked: a, 3 of 21 guarded cases in adversarial broke"
    assert summary(cards, ()).endswith("but that is not certain. `b` and `c` are approved.")
    again = [cards[0], cards[0], *(approved(lineage=name) for name in "abcde")]
    assert summary(again, ()).endswith("but that is not certain. 1 more is not approved. 4 prompts are approved.")
    # On another model the same prompt is approved, which doesn't approve the prompt.
    assert "approved" not in summary([cards[0], approved(lineage="a")], ())
    assert title(BLOCKED, [cards[0], cards[0].model_copy(update={"lineage": "d"})], ()) == "blocked: a and d"


def test_the_pull_request_speaks_before_its_lineages():
    gate = reason(ReasonCode.POLICY_CHANGED, VerdictStatus.NEEDS_REVIEW, sentence="It loosens its own gate.")
    assert title(VerdictStatus.NEEDS_REVIEW, [approved()], [gate]) == "needs review: It loosens its own gate"
    assert summary([approved()], [gate]).startswith("It loosens its own gate. `outreach` scores 6.0 points higher")
    assert summary([], ()).startswith("No prompt, test set, rubric or configuration changed")


def test_a_title_fits():
    long = blocked(reason(ReasonCode.SMOKE, sentence="x" * 400))
    assert len(title(BLOCKED, [long], ())) == 255


def case(name, was, now):
    def said(text):
        return (Answer(text=text, count=6, of=7, score=None), Answer(text="rare", count=1, of=7, score=None))

    return CaseEffect(id=name, slices=(), result="regressed", baseline=said(was), candidate=said(now))


def test_a_reason_names_the_label_that_took_anothers_place():
    found = reason(ReasonCode.GUARD, sentence="2 break: `a`, `b`, `c`.", cases=("a", "b", "c"))
    cases = [case("a", "billing", "refunds"), case("b", "billing", "`**evil**"), case("c", "refunds", "refunds")]
    said = explained([found], triage().cost, cases, ["billing", "refunds"])
    assert said[0].sentence == "2 break: `a` (billing → refunds), `b` (billing → no label), `c`."
    assert explained([found], triage().cost, cases, ()) == (found,)


def test_a_reason_of_cost_says_where_the_cost_comes_from():
    said = explained([COST], triage().cost, (), ())[0].sentence
    assert said == (
        "Cost rose by 45% per case (limit 20%): the prompt is 412 tokens longer, answers are as long as before."
    )


@pytest.mark.parametrize("status", VerdictStatus)
def test_every_verdict_has_a_title(status):
    assert title(status, (), ())
