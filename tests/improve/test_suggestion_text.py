"""The text of a suggestion's pull request: both figures side by side, of disjoint cases, and nothing hostile in it."""

import html
import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.improve.conversation import AskReport, Conversation, Round
from engine.improve.search_report import Judged, Numbers, SearchReport
from engine.improve.split import split
from engine.improve.suggestion_text import ask_parts, search_parts
from engine.render.figures import points
from schemas.blame import Pattern
from schemas.effects import CaseEffect, CaseOutcome, Effect, EffectResult
from schemas.errors import UsageError
from schemas.testsets import TestCase
from tests.improve.test_split import GATE, sets_of_cases
from tests.improve.test_split import text as words
from tests.render.scorecards import approved
from tests.render.surfaces import FRAGMENTS

SCORE = st.floats(0, 1, allow_nan=False)
ROW = re.compile(r"^\|? ?(cases|score) \| ([^|]+) \| ([^|]+?) ?\|?$", re.MULTILINE)


def report(parts, scores, word="billing"):
    """What a search says that was split into ``parts``."""
    judged_cases = parts.judged
    before, after, unseen_before, unseen_after = scores
    card = approved()
    overall = Effect(
        slice=None, metric="accuracy", cases=len(judged_cases), baseline=unseen_before, candidate=unseen_after,
        change=unseen_after - unseen_before, interval=None, margin=None, result=EffectResult.BETTER,
    )  # fmt: skip
    effects = tuple(
        CaseEffect.model_construct(id=case.id, result=CaseOutcome.NO_CHANGE, change=0.0) for case in judged_cases
    )
    own = card.lineages[0].model_copy(update={"overall": overall, "cases": effects})
    judged = Judged(
        own=Numbers(cases=len(parts.shown), before=before, after=after), failing=4, fixed=3, texts={"system 1": word},
        card=own, p=0.001, proposed=True, why="",
    )  # fmt: skip
    pattern = Pattern(sentence=f"3 of 4 failing cases mention “{word}”.", broken=3, of=4, others=0, of_others=9, p=0)
    ids = [tuple(case.id for case in part) for part in (parts.shown, parts.held_out, parts.never_shown)]
    return SearchReport(
        lineage=word, model="toy", reflector="editor", prompt="p.yml", shown=ids[0], held_out=ids[1], never_shown=ids[2],
        edits=3, judged=(judged,), patterns=(pattern,), check=card, calls=9, cost_usd=Decimal(1), budget_usd=Decimal(2),
    )  # fmt: skip


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(sets_of_cases(), st.tuples(SCORE, SCORE, SCORE, SCORE))
def test_both_figures_stand_side_by_side_and_no_case_is_in_both(cases, scores):
    try:
        parts = split(cases, GATE, 0.5)
    except UsageError:
        return
    found = report(parts, scores)
    unseen = {case.id for case in found.proposed.card.cases}
    assert not unseen & set(found.shown)
    assert unseen == {*found.held_out, *found.never_shown}
    text = "\n\n".join(search_parts(found))
    assert "the search's own figure | cases that it never saw" in text
    rows = {name: (left.strip(), right.strip()) for name, left, right in ROW.findall(text.replace("&nbsp;", " "))}
    assert rows["cases"] == (f"{len(found.shown):,}", f"{len(unseen):,}")
    before, after, unseen_before, unseen_after = map(points, scores)
    assert rows["score"] == (f"{before} → {after}", f"{unseen_before} → {unseen_after}")


def test_texts_of_others_are_encoded():
    hostile = "".join(FRAGMENTS)
    parts = split([TestCase(id=f"c{n}", inputs={"t": words(n)}) for n in range(40)], GATE, 0.5)
    found = report(parts, (0.1, 0.2, 0.3, 0.4), hostile)
    rounds = Round(asked=hostile, texts={}, why=hostile, card=approved(), cost_usd=Decimal(1))
    conversation = Conversation(lineage=hostile, start="0", rounds=(rounds,))
    asked = AskReport(lineage=hostile, model="m", reflector="r", prompt=hostile, conversation=conversation)
    for text in ("\n".join(search_parts(found)), "\n".join(ask_parts(asked))):
        assert not re.search(r"<(?!/?(?:b|br|i|code|pre|details|summary)>)", text)
        assert "@" not in html.unescape(re.sub(r"<code>.*?</code>", "", text))
