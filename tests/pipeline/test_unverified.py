"""Cases that no person has confirmed decide nothing: with them and without them, the gate says the same."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.verdicts import VerdictStatus
from tests.end_to_end.conftest import FILES
from tests.pipeline.test_measure import EDITED, PATH, label_of, measured, prepared, store
from tests.run.laboratory import completion

pytestmark = pytest.mark.slow

__all__ = ["store"]

TESTS = "tests/triage.jsonl"
ROWS = [json.loads(line) for line in FILES[TESTS].splitlines()]
SYNTHETIC = [
    {
        "id": f"s-{n}",
        "inputs": {"ticket": f"A new question, number {n}"},
        "expected": ("refunds", "billing")[n % 2],
        "slices": ["typical", "adversarial"][: 1 + n % 2],
        "source": "synthetic",
        "verified": False,
    }
    for n in range(12)
]


def files(rows):
    return {**FILES, TESTS: "".join(f"{json.dumps(row)}\n" for row in rows)}


def planned(base, head):
    what = prepared(files(base), {PATH: EDITED, TESTS: files(head)[TESTS]})
    (entry,) = what.entries
    return entry


@st.composite
def rows_with_doubtful_ones(draw):
    """Rows of a base and of a head, with unverified ones among them that would decide something."""
    marks = st.fixed_dictionaries(
        {},
        optional={
            "protected": st.just(True),
            "must_not": st.just(["billing"]),
            "must": st.just(["never said"]),
            "slices": st.sampled_from([["must"], ["adversarial"], ["typical"]]),
            "cluster": st.just("one"),
            "expected": st.sampled_from(["billing", "refunds"]),
        },
    )
    doubtful = [
        row | draw(marks) for row in draw(st.lists(st.sampled_from(SYNTHETIC), unique_by=lambda row: row["id"]))
    ]
    noise = [{"id": "noise", "inputs": {"ticket": "Noise"}, "same_as": row["id"]} for row in doubtful[:1]]
    both = ROWS[: draw(st.integers(10, 30))]
    rows = []
    for certain in (both, [*both, *ROWS[40 : draw(st.integers(40, 45))]]):
        mixed = [*certain]
        for row in draw(st.sampled_from([[], doubtful, [*doubtful, *noise]])):
            mixed.insert(draw(st.integers(0, len(mixed))), row)
        rows.append((certain, mixed))
    return rows


@settings(max_examples=15, deadline=None)
@given(rows_with_doubtful_ones())
def test_a_plan_is_the_same_with_and_without_unverified_cases(rows):
    (certain, mixed), (certain_head, mixed_head) = rows
    clean, found = planned(certain, certain_head), planned(mixed, mixed_head)
    assert found.plan is not None
    # The digest covers the requests of both versions, all cases, the policy and the evaluator.
    assert found.plan.digest == clean.plan.digest
    assert [case.id for case in found.plan.cases] == [case.id for case in clean.plan.cases]
    assert all(case.verified for case in found.plan.cases)
    assert found.change.edited_cases == found.change.removed_cases == ()


@pytest.mark.slow
async def test_a_verdict_is_the_same_whatever_unverified_cases_would_say(store):
    """Every unverified case breaks: protected, must-pass, adversarial, below the floor. All others hold."""
    policy = FILES["promptverdict.yaml"] + "    gate: {slices: {must: must_pass}, floor: {overall: 0.5}}\n"
    breaking = [row | {"protected": True, "slices": ["must", "adversarial"], "must_not": ["a"]} for row in SYNTHETIC]

    def reply(request, repetition, nth):
        new = "You assign" in request.messages[0].content
        return completion("nothing" if new and "A new question" in request.messages[-1].content else label_of(request))

    cards = []
    sure = [ROWS[0] | {"slices": ["must"]}, *ROWS[1:]]
    for rows in (sure, [*sure, *breaking], [*sure, *({**row, "verified": True} for row in breaking)]):
        base = {**files(rows), "promptverdict.yaml": policy}
        card, _ = await measured(prepared(base, {PATH: EDITED}), reply, store)
        cards.append(card.lineages[0])
    clean, doubtful, confirmed = cards
    assert clean.status is VerdictStatus.APPROVED
    (warning,) = set(doubtful.warnings) - set(clean.warnings)
    assert str(warning).startswith(f"{TESTS}:61: 12 cases are unverified and are not measured: s-0, s-1")
    same = {"warnings": (), "spending": clean.spending}
    assert doubtful.model_copy(update=same) == clean.model_copy(update=same)
    # The same cases block once a person has confirmed them, so the test can fail.
    assert confirmed.status is VerdictStatus.BLOCKED


def reviews(base, head):
    """The reasons for which a change of the test set needs review."""
    entries = prepared(files(base), {TESTS: files(head)[TESTS]}).entries
    reasons = [reason for entry in entries for reason in entry.change.reasons]
    return [reason.sentence for reason in reasons if reason.status is VerdictStatus.NEEDS_REVIEW]


def test_a_mark_on_a_gating_case_removes_it_and_needs_review():
    assert "1 removed" in reviews(ROWS, [{**ROWS[0], "verified": False}, *ROWS[1:]])[0]
    assert reviews(ROWS, [*ROWS, *SYNTHETIC]) == []
    (why,) = prepared(files(ROWS), {TESTS: files([*ROWS, *SYNTHETIC])[TESTS]}).detection.harmless
    assert why.why == "12 new cases, unverified and therefore not measured"
    # Confirming adds a case, which may block and never helps.
    (entry,) = prepared(
        files([*ROWS, *SYNTHETIC]), files([*ROWS, {**SYNTHETIC[0], "verified": True}, *SYNTHETIC[1:]])
    ).entries
    assert [case.id for case in entry.change.added_cases] == ["s-0"]


def test_a_test_set_of_unverified_cases_alone_measures_nothing():
    (entry,) = prepared(files(SYNTHETIC), {PATH: EDITED}).entries
    assert entry.plan is None
    assert "12 cases are unverified and are not measured" in " ".join(
        reason.sentence for reason in entry.change.reasons
    )
