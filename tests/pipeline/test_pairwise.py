"""A judge that compares both versions' answers, through the runner, the gate and the store."""

import json
import re

import pytest

from engine.commands.plan_report import plan_report
from engine.records.replay import replay
from schemas.outcomes import CompletionError, ErrorKind, Finish
from schemas.verdicts import ReasonCode, VerdictStatus
from tests.pipeline.test_measure import CASES, JUDGED, LETTERS, measured, prepared, store
from tests.run.laboratory import completion

__all__ = ["store"]

PAIRWISE = {
    **LETTERS,
    "promptverdict.yaml": JUDGED.replace("{model: judge, labels", "{model: judge, mode: pairwise, labels"),
    "cases.jsonl": "".join(CASES.replace('"c', f'"{letter}').replace("Ann", f"Ann {letter}") for letter in "cdef"),
}
LONGER = {"letter.txt": "Write a letter to {{name}}.\n"}
ANSWERS = re.compile(r"<answer-([ab])-\w+>\n(.*?)\n</answer-\1-", re.DOTALL)


def honest(text):
    return int(re.search(r"grade (\d)", text)[1])


def better(first, second):
    return "same" if first == second else "A" if first > second else "B"


def compared(request, grade=honest):
    return better(*(grade(text) for _, text in ANSWERS.findall(request.messages[-1].content)))


def said(choice):
    return completion(json.dumps({"kind": {"reason": "so", "better": choice}}))


def world(old, new, judge=compared, asked=None):
    """The versions' answers to a case by its number, and a judge."""

    def reply(request, repetition, nth):
        text = request.messages[-1].content
        if asked is not None:
            asked.append((request, repetition))
        if request.model == "j":
            return said(judge(request))
        number = int(re.search(r"(\d+)\.$", text.strip())[1])
        given = (new if "a letter" in text else old)(number, repetition)
        return completion(f"grade {given} for {text.rpartition('to ')[2]}") if isinstance(given, int) else given

    return reply


def always(grade):
    return lambda number, repetition: grade


async def run(store, old, new, **settings):
    card, _ = await measured(prepared(PAIRWISE, LONGER), world(old, new, **settings), store)
    return card, card.lineages[0]


async def test_what_is_mostly_worse_blocks_and_the_run_is_confirmed_and_repeatable(store):
    asked = []
    card, lineage = await run(store, always(4), lambda number, _: 3 if number % 3 else 4, asked=asked)
    assert (card.status, lineage.overall.metric, lineage.overall.baseline) == (VerdictStatus.BLOCKED, "preference", 0.5)
    assert lineage.overall.candidate < 0.3
    assert {repetition for request, repetition in asked if request.model == "m"} > {0}  # confirmation ran
    again = []
    twice, _ = await measured(prepared(PAIRWISE, LONGER), world(always(4), always(4), asked=again), store)
    assert (twice.status, twice.lineages[0].reasons, again) == (card.status, lineage.reasons, [])


async def test_versions_that_are_better_as_often_as_worse_pass(store):
    card, lineage = await run(store, always(4), lambda number, _: 3 + number % 3)
    assert card.status in (VerdictStatus.APPROVED, VerdictStatus.INCONCLUSIVE)
    assert abs(lineage.overall.change) < 0.1  # it may stop early
    assert lineage.confidence.notes[1].startswith("In 0% of ")


async def test_equal_answers_are_a_tie_without_a_call(store):
    asked = []

    def same(request, repetition, nth):
        asked.append(request.model)
        return world(always(4), always(4))(request, repetition, nth) if request.model == "j" else completion("grade 4")

    card, _ = await measured(prepared(PAIRWISE, LONGER), same, store)
    assert card.status is VerdictStatus.APPROVED
    # Only the sample answers and the probes: none about the cases.
    assert asked.count("j") <= 2 * (30 + 1 + 8)


async def test_a_judge_that_always_prefers_a_place_prefers_no_version(store):
    """It never gates, because it doesn't agree with people, and its preferences are ties."""
    card, lineage = await run(store, always(5), always(1), judge=lambda request: "A")
    assert card.status is VerdictStatus.NEEDS_REVIEW
    assert {reason.code for reason in lineage.reasons} >= {ReasonCode.NOT_JUDGED}
    assert lineage.overall.metric == "usable answer"
    assert "In 100% of" in lineage.confidence.notes[1]
    assert "100% favor the answer shown first" in lineage.confidence.notes[1]


async def test_a_truncated_answer_loses_without_a_judge_and_tests_of_single_cases_see_it(store):
    cut = completion("grade 5", finish=Finish.LENGTH)
    asked = []
    card, lineage = await run(store, always(3), lambda number, _: cut if number < 25 else 3, asked=asked)
    assert card.status is VerdictStatus.BLOCKED
    assert not any("grade 5" in request.messages[-1].content.partition("# Answer A")[2] and "for Ann" in request.messages[-1].content for request, _ in asked)  # fmt: skip
    assert {metric.metric for metric in lineage.metrics} == {"preference", "kind", "usable answer"}


@pytest.mark.parametrize("arm", ["old", "new"])
async def test_a_pair_without_one_answer_is_missing_and_never_a_tie(store, arm):
    down = CompletionError(kind=ErrorKind.SERVER, message="down")

    def failing(number, repetition):
        return down if number < 10 else 4

    arms = {"old": always(4), "new": always(4)} | {arm: failing}
    card, lineage = await run(store, **arms)
    assert (card.status, lineage.reasons[0].code) == (VerdictStatus.ERROR, ReasonCode.MISSING_CELLS)


async def test_a_judge_that_replies_something_else_is_missing(store):
    def reply(request, repetition, nth):
        if request.model == "j" and "for Ann" in request.messages[-1].content:
            return completion("A, I'd say.")
        return world(always(4), always(3))(request, repetition, nth)

    card, _ = await measured(prepared(PAIRWISE, LONGER), reply, store)
    assert card.status is VerdictStatus.ERROR
    assert "is not a JSON object" in card.lineages[0].headline


async def test_a_new_prompt_has_nothing_to_compare_with(store):
    head = {"promptverdict.yaml": PAIRWISE["promptverdict.yaml"], "letter.txt": "Write to {{name}}.\n"}
    base = {name: text for name, text in PAIRWISE.items() if name not in head}
    base["promptverdict.yaml"] = PAIRWISE["promptverdict.yaml"].partition("lineages:")[0] + "lineages: {}\n"
    card, _ = await measured(prepared(base, head), world(always(4), always(4)), store)
    assert card.status is VerdictStatus.NEEDS_REVIEW, card.title


def test_the_plan_counts_two_comparisons_of_each_case():
    found = plan_report(prepared(PAIRWISE, LONGER)).experiments[0].judge
    assert found.calls == 2 * (120 + 30 + 5)


async def test_a_recorded_comparison_is_decided_again(store):
    from engine.pipeline import measure
    from engine.runner.access import Access
    from tests.run.laboratory import HandClock, Scripted

    records, clock = [], HandClock()
    provider = Scripted(world(always(4), lambda number, _: 3 if number % 3 else 4))
    card = await measure(
        prepared(PAIRWISE, LONGER),
        access=Access(lambda model: provider, clock),
        store=store,
        clock=clock,
        on_record=records.append,
    )
    assert replay(records[0]).status == card.status == VerdictStatus.BLOCKED
