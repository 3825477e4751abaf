"""No two figures on one card contradict each other, on any surface.

``make soak`` repeats these with 10,000 experiments (GATE_EXAMPLES).
"""

import html
import json
import os
import re

import pytest
from hypothesis import HealthCheck, given, settings

from engine.render.check_text import check_text
from engine.render.html import html_report
from engine.render.json import scorecard_json
from engine.render.markdown import markdown
from engine.render.terminal import terminal
from tests.render.experiments import experiments

MANY = settings(
    max_examples=int(os.environ.get("GATE_EXAMPLES", "8")), deadline=None, suppress_health_check=list(HealthCheck)
)
SMALL = 1e-9
SIGNED = r"(±0\.0|[+−]\d+\.\d)"
FIGURE = r"(\d+\.\d)"
ROUNDING = 0.051


def effects_of(card):
    return [card["overall"], *card["slices"]] if card["overall"] else card["slices"]


def number(text):
    return float(text.replace("−", "-").replace("±", "").replace("+", ""))


@MANY
@given(experiments)
def test_the_figures_of_a_scorecard_agree(made):
    document = json.loads(scorecard_json(made.scorecard()))
    (card,) = document["lineages"]
    if card["status"] == "error":
        assert not effects_of(card)
        assert not card["classes"]
        assert {card[name] for name in ("confusion", "cost", "latency", "confidence", "swap")} == {None}
        assert {case["result"] for case in card["cases"]} <= {"missing", "not_run"}
        return
    for effect in effects_of(card):
        an_effect_agrees_with_itself(effect)
    reasons_agree(card)
    cases_add_up(card)
    classes_add_up(card)
    models_add_up(card)


def an_effect_agrees_with_itself(effect):
    bounds = effect["interval"] or {"low": None, "high": None}
    assert effect["better"] + effect["worse"] <= effect["compared"] <= effect["cases"]
    if effect["change"] is None:
        assert (effect["interval"], effect["result"], effect["compared"]) == (None, "no_data", 0)
        return
    if effect["baseline"] is not None and effect["candidate"] is not None:
        assert abs(effect["candidate"] - effect["baseline"] - effect["change"]) < SMALL
    assert -1 <= (bounds["low"] if bounds["low"] is not None else -1) <= effect["change"] + SMALL
    assert effect["change"] - SMALL <= (bounds["high"] if bounds["high"] is not None else 1) <= 1
    if effect["result"] == "better":
        assert bounds["low"] > 0
    if effect["result"] == "no_change" and effect["margin"] is not None:
        assert -bounds["low"] <= effect["margin"]
    if effect["result"] == "too_few_cases" and None not in (bounds["low"], effect["margin"]):
        assert -bounds["low"] > effect["margin"]
    if effect["change"]:
        assert effect["better" if effect["change"] > 0 else "worse"] > 0


def reasons_agree(card):
    effects = {effect["slice"]: effect for effect in effects_of(card)}
    for reason in card["reasons"]:
        if reason["code"] not in ("drop", "no_drop", "estimated_drop", "inconclusive", "must_pass", "guard"):
            continue
        effect = effects[reason["slice"]]
        assert (reason["estimate"], reason["interval"]) == (effect["change"], effect["interval"])
        low = effect["interval"] and effect["interval"]["low"]
        if reason["code"] == "no_drop" and "planned runs" not in reason["sentence"]:
            assert -low <= reason["margin"]
            assert effect["result"] in ("no_change", "better")
        if reason["code"] == "inconclusive" and low is not None:
            assert -low > reason["margin"]
        if reason["code"] == "drop" and "planned runs" not in reason["sentence"]:
            assert effect["change"] < 0
            assert effect["interval"]["high"] < 0


def cases_add_up(card):
    """The cases that a table lists are those that its scores are made of."""
    counted = [case for case in card["cases"] if not case["added"]]
    for effect in effects_of(card):
        inside = [case for case in counted if effect["slice"] is None or effect["slice"] in case["slices"]]
        known = [case["change"] for case in inside if case["change"] is not None]
        assert len(inside) == effect["cases"]
        assert (len(known), sum(c > 0 for c in known), sum(c < 0 for c in known)) == (
            effect["compared"], effect["better"], effect["worse"],
        )  # fmt: skip
    for case in card["cases"]:
        means = [mean(case[arm]) for arm in ("baseline", "candidate")]
        if case["change"] is not None and None not in means:
            assert abs(means[1] - means[0] - case["change"]) < SMALL
        signs = {"improved": 1, "regressed": -1}
        if case["result"] in signs:
            assert case["change"] * signs[case["result"]] > 0


def mean(answers):
    known = [(answer["score"], answer["count"]) for answer in answers if answer["score"] is not None]
    return sum(score * count for score, count in known) / sum(count for _, count in known) if known else None


def classes_add_up(card):
    """The matrix holds the compared cases that both arms answered, and its diagonal is their score."""
    called = [
        case
        for case in card["cases"]
        if not case["added"]
        and case["change"] is not None
        and None not in map(mean, (case["baseline"], case["candidate"]))
    ]
    if not called:
        assert (card["classes"], card["confusion"]) == ([], None)
        return
    matrix = card["confusion"]
    for place, label in enumerate(matrix["labels"]):
        of_class = [case for case in called if case["expected"] == label]
        assert card["classes"][place]["cases"] == len(of_class)
        for arm in ("baseline", "candidate"):
            assert abs(sum(matrix[arm][place]) - len(of_class)) < 1e-6
            assert abs(matrix[arm][place][place] - sum(mean(case[arm]) for case in of_class)) < 1e-6


def models_add_up(card):
    """A new model is described by the cases that both models answered."""
    answered = [
        case for case in card["cases"] if all(any(known(answer) for answer in case[arm]) for arm in ("baseline", "candidate"))
    ]  # fmt: skip
    if card["baseline_model"] is None or len(answered) < 3:
        assert card["swap"] is None
        return
    for profile in (card["swap"][arm] for arm in ("baseline", "candidate")):
        assert profile["answers"] == len(answered)
        assert sum(profile["formats"].values()) + profile["refusals"] >= len(answered) - 1
        assert sum(profile["labels"].values()) <= len(answered)


def known(answer):
    return not answer["text"].startswith("(no answer")


# What is shown, read back


def surfaces(scorecard):
    text = check_text(scorecard)
    return {
        "comment": markdown(scorecard),
        "check": f"{text.title}\n{text.summary}\n{text.text}",
        "terminal": terminal(scorecard, width=200),
        "narrow terminal": terminal(scorecard, width=60),
        "report": html_report(scorecard),
        "json": scorecard_json(scorecard),
    }


def plain(text):
    """What a reader sees: no tags, no entities, one blank between words."""
    text = re.sub(r"<style>.*?</style>|<script>.*?</script>", " ", text, flags=re.DOTALL)
    text = html.unescape(re.sub(r"<[^>]*>", " ", text)).replace("`", "").replace("\\", "").replace("*", "")
    return re.sub(r"\s+", " ", text)


@MANY
@given(experiments)
def test_every_surface_shows_the_same_figures(made):
    scorecard = made.scorecard()
    (card,) = json.loads(scorecard_json(scorecard))["lineages"]
    effects = effects_of(card)
    for name, raw in surfaces(scorecard).items():
        text = plain(raw)
        levels_are_known(name, text, card)
        intervals_are_known(name, text, effects)
        sentences_are_known(name, text, card, effects)
        if name != "json":
            every_effect_is_shown(name, text, effects)


@MANY
@given(experiments)
def test_tallies_and_confusions_are_those_of_the_cases(made):
    scorecard = made.scorecard()
    (card,) = json.loads(scorecard_json(scorecard))["lineages"]
    text = plain(markdown(scorecard))
    tallies_are_known(text, card)
    confusions_are_known(text, card)


def tallies_are_known(text, card):
    """Every “`c7` … 3/3 → 0/3 right” counts the runs of that case."""
    cases = {case["id"]: case for case in card["cases"]}
    for name, before, of, after, also in re.findall(r"\d\. (c\d+) ·[^›]*?(\d+)/(\d+) → (\d+)/(\d+) right", text):
        for arm, right, runs in (("baseline", before, of), ("candidate", after, also)):
            answers = cases[name][arm]
            assert int(runs) == sum(answer["count"] for answer in answers), (name, arm)
            assert int(right) == sum(answer["count"] for answer in answers if answer["score"] == 1), (name, arm)


def confusions_are_known(text, card):
    """Every “a read as b: 3 → 11 cases” counts the compared cases by the label of most of their runs."""
    for expected, said, before, after in re.findall(r"(\w+) read as (\w+|no label)\s?: (\d+) → (\d+) cases", text):
        for arm, number in (("baseline", before), ("candidate", after)):
            found = 0
            for case in card["cases"]:
                if case["added"] or case["change"] is None or case["expected"] != expected:
                    continue
                counts = {}
                for answer in case[arm]:
                    label = answer["text"] if answer["text"] in card["confusion"]["labels"] else "no label"
                    counts[label] = counts.get(label, 0) + answer["count"]
                best = max(counts.values(), default=0)
                found += counts.get(said) == best and list(counts.values()).count(best) == 1 and best > 0
            assert int(number) == found, (expected, said, arm)


def close(one, other):
    return other is not None and abs(one - 100 * other) < ROUNDING


def levels_are_known(name, text, card):
    """Every “86.3 → 74.0” is the score of a slice, of a class or of a case, and every “from 86.3 to 74.0” of a slice."""
    pairs = [(effect["baseline"], effect["candidate"]) for effect in effects_of(card)]
    said = re.findall(rf"from {FIGURE} to {FIGURE}", text)
    assert all(any(close(number(b), x) and close(number(c), y) for x, y in pairs) for b, c in said), (name, said)
    pairs += [
        (one[f"baseline_{what}"], one[f"candidate_{what}"])
        for one in card["classes"]
        for what in ("precision", "recall", "f1")
    ]
    scale = {one["name"]: 0.01 if one["name"].endswith("kappa") else 1 for one in card["class_figures"]}
    pairs += [
        tuple(one[arm] and one[arm] * scale[one["name"]] for arm in ("baseline", "candidate"))
        for one in card["class_figures"]
    ]
    counts = [
        (was / 100, now / 100)
        for before, after in zip(*(card["confusion"][arm] for arm in ("baseline", "candidate")), strict=True)
        for was, now in zip(before, after, strict=True)
    ] if card["confusion"] else []  # fmt: skip
    said = re.findall(rf"(?<![\d$.]){FIGURE} → {FIGURE}(?![\d.])(?! s)", text)
    assert all(any(close(number(b), x) and close(number(c), y) for x, y in pairs + counts) for b, c in said), (
        name,
        said,
    )


def intervals_are_known(name, text, effects):
    """Every “−12.3 (−20.1 … −4.0)” and “−12.3, interval −20.1 … −4.0” is that of one slice, and holds its change."""
    for change, low, high in re.findall(rf"{SIGNED}(?: points)?(?: \(|, interval ){SIGNED} … {SIGNED}", text):
        found = [number(part) for part in (change, low, high)]
        assert found[1] <= found[0] <= found[2], (name, found)
        assert any(
            effect["interval"]
            and close(found[0], effect["change"])
            and close(found[1], effect["interval"]["low"])
            and close(found[2], effect["interval"]["high"])
            for effect in effects
        ), (name, found)


def sentences_are_known(name, text, card, effects):
    """Bounds and counts in words are those of the table."""
    lows = [
        effect["interval"]["low"] for effect in effects if effect["interval"] and effect["interval"]["low"] is not None
    ]
    overall = card["overall"]
    for said in re.findall(rf"(?:at worst|rules out a drop of more than) {FIGURE} (?:points|lower)", text):
        assert close(number(said), max(-overall["interval"]["low"], 0)), (name, said)
    for said in re.findall(r"(?<!show )no drop over (\d+(?:\.\d)?) points?", text, re.IGNORECASE):
        assert any(close(number(said), e["margin"]) and e["interval"]["low"] >= -e["margin"] for e in effects if e["margin"] is not None and e["interval"] and e["interval"]["low"] is not None), (name, said, lows)  # fmt: skip
    for said in re.findall(rf"(?:fallen|fell) by {FIGURE} points(?! or more)", text):
        assert any(effect["change"] and close(-number(said), effect["change"]) for effect in effects), (
            name,
            said,
        )
    for worse, better in re.findall(r"(\d+) cases? scored lower, (\d+) higher", text):
        assert any((e["worse"], e["better"]) == (int(worse), int(better)) for e in effects), (name, worse, better)
    by_reading = {}
    for case in card["cases"]:
        by_reading.setdefault(case["result"], []).append(case["change"])
    for reading, verb in (("regressed", "worse"), ("improved", "better")):
        for count in re.findall(rf"(\d+) cases? got {verb}", text):
            assert int(count) == len(by_reading[reading]), (name, count)
    wavered = r"(\d+) cases? changed, but not reliably: (\d+) down, (\d+) up(?:, (\d+) the same on average)?"
    for found in re.findall(wavered, text):
        count, down, up, even = (int(part or 0) for part in found)
        changes = by_reading["flaky"]
        assert count == down + up + even == len(changes)
        assert (down, up) == (sum(c < 0 for c in changes), sum(c > 0 for c in changes)), (name, found)


def every_effect_is_shown(name, text, effects):
    """Each slice's scores stand on every surface, in one way of writing."""
    for effect in effects:
        if effect["change"] is None or effect["baseline"] is None:
            continue
        shown = [f"{100 * effect[arm]:.1f}" for arm in ("baseline", "candidate")]
        before, after = (re.escape(part) for part in shown)
        between = r" " if name == "report" else r" → "
        assert re.search(rf"(?<![\d.]){before}{between}{after}(?![\d.])", text), (name, effect)


@pytest.mark.parametrize(
    ("reader", "text"),
    [(intervals_are_known, "−1.0 (+2.0 … +3.0)"), (sentences_are_known, "fell by 99.9 points")],
)
def test_a_figure_that_is_nobodys_is_found(reader, text):
    given = ([],) if reader is intervals_are_known else ({"cases": [], "overall": None}, [])
    with pytest.raises(AssertionError):
        reader("comment", text, *given)


def test_a_count_that_is_nobodys_is_found():
    answer = {"text": "a", "count": 2, "score": 1}
    case = {"id": "c7", "added": False, "change": 0.0, "expected": "a", "baseline": [answer], "candidate": [answer]}
    card = {"cases": [case], "confusion": {"labels": ["a", "b"]}}
    tallies_are_known("1. c7 · typical · 2/2 → 2/2 right", card)
    with pytest.raises(AssertionError):
        tallies_are_known("1. c7 · typical · 2/2 → 1/2 right", card)
    with pytest.raises(AssertionError):
        confusions_are_known("a read as b: 0 → 1 cases", card)
