"""The words that all layouts share."""

from decimal import Decimal

import pytest

from engine.planning.call_cost import causes
from engine.render import figures
from engine.render.markdown import markdown
from engine.render.result_text import (
    case_groups,
    change_text,
    cost_sentence,
    diff_title,
    effect_result,
    label_moves,
    moves_text,
    swapped,
    unsure_title,
    unusual_answers,
)
from engine.render.terminal import terminal
from schemas.diffs import PromptDiff
from schemas.effects import CaseEffect, CostPart, Effect
from schemas.gate_config import SlicePolicy
from schemas.verdicts import Interval, VerdictStatus
from tests.render.scorecards import lineage, scorecard, triage


def effect(**changes) -> Effect:
    values = {"slice": "edge", "metric": "m", "cases": 9, "baseline": 0.5, "candidate": 0.5, "change": 0.0, "interval": None, "margin": None, "result": "no_change"}  # fmt: skip
    return Effect.model_validate({**values, **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"margin": 0.05}, "no drop over 5 points"),
        ({"margin": 0.125}, "no drop over 12.5 points"),
        ({}, "no change"),
        ({"change": -0.086, "policy": SlicePolicy.WATCH}, "no clear change · watched"),
        ({"result": "too_few_cases", "more_cases": 1}, "too few cases: 1 more would tell"),
        (
            {"result": "too_few_cases", "more_cases": 90, "margin": 0.1},
            "too few cases: 90 more would detect a 10-point drop",
        ),
        ({"result": "too_few_cases"}, "too few cases"),
        ({"result": "not_run", "compared": 0}, "not run"),
        ({"result": "not_run", "compared": 4}, "not decided"),
        ({"result": "worse", "change": -0.1, "policy": SlicePolicy.GUARD}, "worse · guarded"),
        ({"result": "worse", "change": 0.1, "policy": SlicePolicy.GUARD}, "cases broke · guarded"),
        ({"result": "no_change", "policy": SlicePolicy.GUARD}, "no change · guarded"),
        ({"result": "too_few_cases", "policy": SlicePolicy.MUST_PASS}, "needs review · must-pass"),
        ({"result": "no_data", "policy": SlicePolicy.WATCH}, "no data · watched"),
        ({"baseline": 0.0, "candidate": 0.0, "margin": 0.1}, "both fail every case"),
        ({"baseline": 0.0, "candidate": 0.0, "result": "too_few_cases", "more_cases": 9}, "both fail every case"),
        ({"baseline": 0.0, "candidate": 0.0, "result": "not_run", "compared": 9}, "not decided"),
        ({"baseline": 0.0, "candidate": 0.1, "margin": 0.05}, "no drop over 5 points"),
    ],
)
def test_an_effect_reads_in_words(changes, words):
    assert effect_result(effect(**changes)) == words


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (figures.points(None), "–"),
        (figures.points(0.845), "84.5"),
        (figures.change(-0.333), "−33.3"),
        (figures.change(0.04), "+4.0"),
        (figures.change(-0.0001), "±0.0"),
        (figures.change(None), "–"),
        (figures.interval(None), "no interval"),
        (figures.interval(Interval(low=None, high=None)), "no interval"),
        (figures.interval(Interval(low=None, high=0.07)), "≤ +7.0"),
        (figures.interval(Interval(low=-0.07, high=None)), "≥ −7.0"),
        (change_text(effect(change=0.04, interval=Interval(low=0.009, high=0.071))), "+4.0 (+0.9 … +7.1)"),
        (change_text(effect(change=0.04, result="too_few_cases")), "+4.0 (no interval)"),
        (change_text(effect(change=0.04, result="not_run")), "+4.0 (stopped early)"),
        (change_text(effect(change=-0.04, result="worse")), "−4.0 (stopped early)"),
        (change_text(effect(change=None)), "–"),
        (figures.cases(effect(cases=208, compared=130)), "130 of 208"),
        (figures.cases(effect(cases=1208)), "1,208"),
        (figures.in_points(0.01), "1 point"),
        (figures.percent(0.889), "89%"),
        (change_text(None), "–"),
        (figures.usd(None), "–"),
        (figures.usd(Decimal(0)), "$0.00"),
        (figures.usd(Decimal("1234.5")), "$1,234.50"),
        (figures.usd(Decimal("0.41")), "$0.41"),
        (figures.usd(Decimal("0.00042")), "$0.00042"),
        (figures.usd(Decimal("-1.5")), "−$1.50"),
        (figures.usd(Decimal("-0.05")), "−$0.050"),
        (figures.usd(Decimal("1.6E-28")), "$0.00"),
        (figures.share(0.89), "+89%"),
        (figures.share(-0.0195), "−1.9%"),
        (figures.share(0.02), "+2%"),
        (figures.share(0.0), "±0%"),
        (figures.share(None), "–"),
        (figures.percent(0.045), "4.5%"),
        (figures.percent(0.2), "20%"),
        (figures.percent(None), "–"),
        (figures.count(1200), "1,200"),
        (figures.count(2.5), "2.5"),
        (figures.plural(1, "case"), "1 case"),
        (figures.plural(2, "class"), "2 classes"),
        (figures.plural(2, "hypothesis", "hypotheses"), "2 hypotheses"),
        (figures.seconds(None), "–"),
        (figures.seconds(0.61), "610 ms"),
        (figures.seconds(7.31), "7.3 s"),
        (figures.seconds(48.2), "48 s"),
        (figures.seconds(180), "3 min"),
        (figures.seconds(201), "3 min 21 s"),
        (figures.tokens(412), "+412"),
        (figures.tokens(-0.4), "−0.4"),
        (figures.tokens(0.01), "±0"),
        (figures.signed(5), "+5"),
        (figures.signed(-2.5), "−2.5"),
    ],
)
def test_numbers_read_as_people_write_them(shown, text):
    assert shown == text


def test_cases_are_grouped_the_largest_change_and_protected_ones_first():
    groups = case_groups(triage())
    assert [case.id for case in groups.worse] == ["inject-03", "ticket-01", "inject-01", "inject-02", "inject-04"]
    assert (len(groups.better), len(groups.flaky), len(groups.missing)) == (13, 6, 0)
    assert len(groups.same) == 200 - 5 - 13 - 6


def test_cases_whose_turn_never_came_are_told_from_those_without_an_answer():
    cases = tuple(CaseEffect(id=f"c{n}", slices=(), result="not_run" if n < 3 else "missing") for n in range(5))
    early = lineage(cases=cases)
    assert unusual_answers(early, case_groups(early)) == [
        "3 cases not run: the verdict was already certain.",
        "2 cases could not be measured in both versions.",
    ]
    stopped = lineage(status=VerdictStatus.ERROR, cases=cases[:3])
    assert unusual_answers(stopped, case_groups(stopped)) == ["3 cases did not run."]


def moved(*changes):
    cases = [CaseEffect(id=f"c{n}", slices=(), change=change, result="flaky") for n, change in enumerate(changes)]
    return lineage(status=VerdictStatus.BLOCKED, cases=tuple(cases))


def test_what_moved_without_certainty_is_counted_by_direction_and_drops_come_first():
    groups = case_groups(moved(0.5, -0.2, 0.0, -1.0))
    assert [case.change for case in groups.flaky] == [-1.0, -0.2, 0.0, 0.5]
    assert unsure_title(groups) == "4 cases changed, but not reliably: 2 down, 1 up, 1 the same on average"
    assert unsure_title(case_groups(moved(-1.0))) == "1 case changed, but not reliably: 1 down, 0 up"


def test_a_block_without_a_certain_case_shows_the_cases_that_its_mean_is_made_of():
    text = markdown(scorecard(status=VerdictStatus.BLOCKED, lineages=(moved(-1.0, -1.0),)))
    assert "<b>2 cases changed, but not reliably: 2 down, 0 up.</b>\n\n<b>1.</b> <b><code>c0</code></b>" in text
    assert "<details>" not in text
    assert (
        "case"
        in terminal(scorecard(status=VerdictStatus.BLOCKED, lineages=(moved(-1.0),))).split("but not reliably")[1]
    )


def test_the_overview_counts_what_the_reasons_count():
    """“8 cases scored lower” and “0 / 0” stood beside each other."""
    fell = effect(slice=None, change=-0.1, better=1, worse=8)
    card = moved(*[-1.0] * 8).model_copy(update={"overall": fell})
    assert moves_text(card) == "1 / 8"
    assert "| 1 / 8 |" in markdown(scorecard(lineages=(card, card)))
    assert "1 scored higher, 8 lower" in markdown(scorecard(lineages=(card,)))
    assert moves_text(card.model_copy(update={"overall": None})) == "–"
    assert moves_text(card.model_copy(update={"cases": ()})) == "–"


def test_the_cells_of_the_matrix_that_moved_most_come_first():
    moves = label_moves(triage().confusion)
    assert [(move.expected, move.said, move.before, move.after) for move in moves[:3]] == [
        ("account_access", "account_access", "40", "45"),
        ("billing", "billing", "40", "45"),
        ("refunds", "account_access", "1", "6"),
    ]


def test_the_cost_sentence_names_the_causes_that_matter():
    cost = triage().cost
    said = "Each case costs 89% more: the prompt is 412 tokens longer, answers are as long as before."
    assert cost_sentence(cost) == said
    noise = cost.model_copy(update={"parts": (*cost.parts, CostPart(cause="price", usd_per_1000=Decimal("1E-20")))})
    assert cost_sentence(noise) == said
    assert cost_sentence(cost.model_copy(update={"parts": ()})) == ""


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ((("output", "0.44", 44.2), ("price", "-2.49", None)), "a token costs less, answers are 44 tokens longer"),
        ((("output", "-0.4", -1.0),), "answers are 1 token shorter"),
        ((("cache", "-0.4", None), ("price", "0.3", None)), "caching takes from the bill, a token costs more"),
        ((("output", "0.4", None),), "answers are longer"),
        ((("price", "-3.6E-28", None),), ""),
    ],
)
def test_causes_of_a_cost_are_words_and_never_residues(parts, said):
    assert causes([CostPart(cause=c, usd_per_1000=Decimal(usd), tokens_per_case=t) for c, usd, t in parts]) == said


def test_settings_that_change_alone_are_no_empty_diff():
    diff = PromptDiff(path_before="a", path_after="a", added=0, removed=0, settings=(("model", "large", "small"),))
    assert diff_title(diff) == "Settings: model"
    assert diff_title(diff.model_copy(update={"added": 2})) == "Prompt diff: +2 −0 lines"
    assert diff_title(diff.model_copy(update={"settings": ()})) == "Prompt diff: no line"


def test_a_swapped_model_has_its_own_heading():
    card = lineage(model="small", baseline_model="large")
    assert swapped(card) == "large → small"
    assert swapped(lineage(model="small")) == "small"
    assert "· large → small</b>: approved" in markdown(scorecard(lineages=(card,)))
