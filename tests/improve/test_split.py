"""The split of the cases: disjoint, by cluster, by content, and nothing sealed among the shown."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.improve.split import clusters, is_sealed, split
from schemas.errors import UsageError
from schemas.gate_config import GateConfig, SlicePolicy
from schemas.testsets import TestCase
from tests.improve.lab import word

GATE = GateConfig(slices={"law": SlicePolicy.MUST_PASS, "tone": SlicePolicy.WATCH})
SEALS = ({"protected": True}, {"slices": ("adversarial",)}, {"slices": ("law",)}, {"must_not": ("secret",)})


def text(*of):
    return " ".join(word(*of, at) for at in range(8))


@st.composite
def sets_of_cases(draw):
    """Clusters of near-duplicates and of one name, some cases of which are sealed."""
    cases = []
    for number in range(draw(st.integers(20, 40))):
        named = draw(st.booleans())
        for copy in range(draw(st.sampled_from([1, 1, 2, 3]))):
            ticket = text(number, copy) if named else text(number) + "!" * copy
            seal = draw(st.sampled_from([{}, {}, {}, {}, {}, {"slices": ("tone",)}, *SEALS]))
            cluster = f"k{number}" if named else None
            cases.append(TestCase(id=f"c{number}-{copy}", inputs={"t": ticket}, cluster=cluster, **seal))
    return cases


@settings(max_examples=15, deadline=None)
@given(sets_of_cases(), st.sampled_from([0.3, 0.5, 0.6]), st.randoms(use_true_random=False))
def test_the_parts_are_disjoint_whole_clusters_and_follow_from_the_content(cases, share, dice):
    try:
        found = split(cases, GATE, share)
    except UsageError:
        return
    parts = [{case.id for case in part} for part in (found.shown, found.held_out, found.never_shown)]
    assert sum(map(len, parts)) == len(cases) == len(set().union(*parts))
    assert {case.id for case in cases if is_sealed(case, GATE)} == parts[2]
    together = {}
    for case in cases:
        together.setdefault(case.id.partition("-")[0], set()).add(case.id)
    for group in together.values():
        assert group <= parts[0] or not group & parts[0]  # near-duplicates of what is shown are shown too
    mixed = list(cases)
    dice.shuffle(mixed)
    again = split(mixed, GATE, share)
    assert {case.id for case in again.shown} == parts[0]


@pytest.mark.parametrize("seal", SEALS)
def test_a_case_that_may_never_be_shown_takes_its_near_duplicates_along(seal):
    cases = [TestCase(id=f"c{n}", inputs={"t": text(n)}) for n in range(30)]
    cases += [
        TestCase(id="twin", inputs={"t": text("x")}),
        TestCase(id="sealed", inputs={"t": text("x") + "."}, **seal),
    ]
    found = split(cases, GATE, 0.5)
    assert [case.id for case in found.never_shown] == ["sealed"]
    assert "twin" in {case.id for case in found.held_out}
    assert abs(len(found.shown) - len(found.held_out)) <= 1


def test_a_disturbed_case_stays_with_its_original():
    cases = [TestCase(id=f"c{n}", inputs={"t": text(n)}) for n in range(30)]
    copy = TestCase(id="copy", inputs={"t": text("other words")}, same_as="c3")
    assert (3, 30) in clusters([*cases, copy])


def test_a_new_case_moves_few_others():
    cases = [TestCase(id=f"c{n}", inputs={"t": text(n)}) for n in range(40)]
    before = {case.id for case in split(cases, GATE, 0.5).shown}
    after = {case.id for case in split([*cases, TestCase(id="new", inputs={"t": text("new")})], GATE, 0.5).shown}
    assert len((before ^ after) - {"new"}) <= 1


def test_a_few_texts_in_many_copies_can_not_be_split():
    cases = [TestCase(id=f"c{n}", inputs={"t": text(n % 6) + " " * n}) for n in range(60)]
    random.Random(1).shuffle(cases)
    assert len(clusters(cases)) == 6
    with pytest.raises(UsageError, match="60 cases are 6 groups of near-duplicates"):
        split(cases, GATE, 0.5)
