"""The main job with a provider that misbehaves on purpose: what is missing, failed or cut off is said and never a pass."""

import atexit
import hashlib
import json
import re
from datetime import timedelta
from decimal import Decimal
from functools import cache

import pytest

from action.cli.check import prices, renderer
from adapters.scorer.client import IsolatedScorers
from adapters.store import open_store
from engine.pipeline import World, measure, over_budget, prepare, static
from engine.render.json import scorecard_json
from engine.runner.access import Access
from schemas.errors import UsageError
from schemas.outcomes import CompletionError, ErrorKind, Finish
from schemas.pullrequests import PullRequest, Trust
from schemas.verdicts import ReasonCode, VerdictStatus
from tests.end_to_end.conftest import CONFIG, FILES, PROMPT
from tests.run.laboratory import HandClock, Scripted, completion
from tests.trees import MemoryTrees

PATH = "prompts/triage.prompt.yml"
EDITED = PROMPT.replace("You sort", "You assign")
RUBRIC = "dimensions:\n  kind:\n    description: How kind it is.\n"
JUDGED = """\
version: 1
models:
  toy: {provider: offline, model: m, price: {input: 1, output: 4}}
  judge: {provider: offline, model: j, price: {input: 1, output: 4}}
defaults: {model: toy}
lineages:
  letters: {use_case: generation, prompt: letter.txt, tests: cases.jsonl, rubric: rubric.yaml, judge: {model: judge, labels: labels.jsonl}}
"""
LABELS = "".join(
    json.dumps({"id": f"l{n}", "inputs": {}, "output": f"grade {n % 5 + 1} of {n}", "grades": {"kind": n % 5 + 1}})
    + "\n"
    for n in range(60)
)
CASES = "".join(json.dumps({"id": f"c{n}", "inputs": {"name": f"Ann {n}"}}) + "\n" for n in range(30))
LETTERS = {
    "promptverdict.yaml": JUDGED, "rubric.yaml": RUBRIC, "labels.jsonl": LABELS, "cases.jsonl": CASES,
    "letter.txt": "Write to {{name}}.\n",
}  # fmt: skip


@pytest.fixture
async def store(tmp_path):
    opened = open_store(str(tmp_path / "outcomes.sqlite"))
    yield opened
    await opened.aclose()


@cache
def sandbox():
    """One for all tests: each costs a process."""
    opened = renderer()
    atexit.register(opened.close)
    return opened


def prepared(base, head, only=()):
    """What a pull request would run."""
    trees = MemoryTrees()
    first = trees.commit(base)
    last = trees.commit(head, branch="pr", parent=first)
    pull_request = PullRequest(base_ref="main", base_sha=first, head_ref="pr", head_sha=last, trust=Trust.OPERATOR)
    return prepare(pull_request, World(trees, sandbox(), prices(), IsolatedScorers()), only=only)


async def measured(what, reply, store, clock=None, takes_s=0.0):
    clock = clock or HandClock()
    provider = Scripted(reply, takes_s=takes_s)
    access = Access(lambda model: provider, clock)
    return await measure(what, access=access, store=store, clock=clock), provider


def label_of(request):
    return (
        "refunds" if "refund" in request.messages[-1].content or "money" in request.messages[-1].content else "billing"
    )


def right(request, repetition, nth):
    return completion(label_of(request))


async def test_answers_that_were_cut_off_refused_or_empty_are_counted_and_score_zero(store):
    odd = {"t-000": Finish.LENGTH, "t-001": Finish.REFUSAL, "t-002": Finish.FILTER, "t-003": Finish.EMPTY}
    texts = {
        json.loads(row)["inputs"]["ticket"]: odd.get(json.loads(row)["id"])
        for row in FILES["tests/triage.jsonl"].splitlines()
    }

    def reply(request, repetition, nth):
        finish = texts[request.messages[-1].content.removeprefix("Ticket: ")]
        if finish is None or "assign" not in request.messages[0].content:
            return right(request, repetition, nth)
        return completion("" if finish is Finish.EMPTY else "bill", finish=finish)

    every = FILES | {"promptverdict.yaml": f"gate: {{mode: fixed, repetitions: 1}}\n{FILES['promptverdict.yaml']}"}
    card, _ = await measured(prepared(every, {PATH: EDITED}), reply, store)
    (lineage,) = card.lineages
    assert {name: (before, after > 0) for name, (before, after) in lineage.finishes.items()} == dict.fromkeys(
        ["empty", "filtered", "refused", "truncated"], (0, True)
    )
    assert [case.candidate[0].text for case in lineage.cases[:4]] == ["bill", "bill", "bill", "(empty)"]
    assert lineage.cases[0].candidate[0].score == 0


async def test_calls_that_fail_are_missing_and_never_a_pass(store):
    def reply(request, repetition, nth):
        if "assign" in request.messages[0].content:
            return CompletionError(kind=ErrorKind.MALFORMED, message="no JSON")
        return right(request, repetition, nth)

    card, _ = await measured(prepared(FILES, {PATH: EDITED}), reply, store)
    assert (card.status, card.passes) == (VerdictStatus.ERROR, False)
    assert card.lineages[0].finishes["missing"][1] > 0
    assert "(no answer: malformed)" in {answer.text for case in card.lineages[0].cases for answer in case.candidate}


async def test_a_provider_that_takes_no_more_calls_decides_nothing(store):
    def reply(request, repetition, nth):
        return CompletionError(kind=ErrorKind.QUOTA, message="no credit")

    card, _ = await measured(prepared(FILES, {PATH: EDITED}), reply, store)
    assert (card.status, card.lineages[0].reasons[0].code) == (VerdictStatus.ERROR, ReasonCode.MISSING_CELLS)
    assert "raise it, then run again" in card.lineages[0].headline


def seconds_of(request):
    return 3.0 if "assign" in request.messages[0].content else 1.0


@pytest.mark.parametrize("gate", ["", "gate: {latency: gate}\n"])
async def test_the_same_outcomes_give_the_same_scorecard_byte_for_byte(store, gate):
    what = prepared(FILES | {"promptverdict.yaml": CONFIG + gate}, {PATH: EDITED})

    def reply(request, repetition, nth):
        return right(request, repetition, nth).model_copy(update={"latency_s": seconds_of(request)})

    clock = HandClock()
    first, _ = await measured(what, reply, store, clock)
    clock.now_s += 3600
    second, provider = await measured(what, reply, store, clock)
    clock.offset = timedelta(hours=1)
    third, _ = await measured(what, reply, store, clock)
    assert provider.calls == 0
    assert scorecard_json(second) == scorecard_json(third)
    assert second.lineages[0].latency == first.lineages[0].latency
    assert second.lineages[0].latency.pairs > 0
    assert second.status is (VerdictStatus.BLOCKED if gate else VerdictStatus.APPROVED)


async def test_earlier_answers_are_history_for_the_plan_and_never_enter_the_comparison(store):
    what = prepared(FILES, {PATH: EDITED})
    clock = HandClock()
    await measured(what, right, store, clock)
    clock.offset = timedelta(hours=100)
    records = []
    edited = prepared(FILES, {PATH: PROMPT.replace("You sort", "You order")})
    provider = Scripted(right)
    card = await measure(
        edited, access=Access(lambda model: provider, clock), store=store, clock=clock, on_record=records.append
    )
    known = [case for case in records[0].history if case.runs]
    assert {(case.runs, case.means) for case in known} == {(1, (1.0,))}
    assert provider.calls == card.spending.made == len(records[0].outcomes)


async def test_what_the_store_held_before_changes_no_verdict(tmp_path, store):
    """Earlier answers to the same baseline: of every case some right and some wrong ones, drawn at random."""
    earlier = prepared(FILES, {PATH: EDITED})
    edited = prepared(FILES, {PATH: PROMPT.replace("You sort", "You order")})

    def wavers(seed, wrong):
        def reply(request, repetition, nth):
            luck = hashlib.sha256(f"{seed} {request.digest} {repetition}".encode()).digest()[0] / 256
            return completion("nonsense" if luck < wrong else label_of(request))

        return reply

    clock = HandClock()
    for k in range(6):
        clock.offset = timedelta(hours=100 * k)
        await measured(earlier, wavers(k, 0.3), store, clock)
    clock.offset = timedelta(hours=1_000)
    empty = open_store(str(tmp_path / "empty.sqlite"))
    try:
        cards = [(await measured(edited, wavers("now", 0.1), held, clock))[0].lineages[0] for held in (store, empty)]
    finally:
        await empty.aclose()
    assert cards[0].confidence.flip_rate > 0.2 > (cards[1].confidence.flip_rate or 0)
    assert (cards[0].status, cards[0].reasons) == (cards[1].status, cards[1].reasons)
    assert cards[0].spending.made == cards[1].spending.made


def graded(request):
    """A judge that reads the grade that an answer asks for."""
    text = request.messages[-1].content
    grade = int(text.partition("grade ")[2][0]) if "grade " in text else 3
    return completion(json.dumps({"kind": {"reason": "so it says", "grade": grade}}))


def judge_or_writer(judge):
    def reply(request, repetition, nth):
        return judge(request) if request.model == "j" else completion("grade 3 letter")

    return reply


async def test_a_judge_that_agrees_with_people_gates(store):
    what = prepared(LETTERS, {"letter.txt": "Write kindly to {{name}}.\n"})
    card, _ = await measured(what, judge_or_writer(graded), store)
    assert card.lineages[0].confidence.judge_agreement == 1.0
    assert card.lineages[0].overall.cases == 30


@pytest.mark.parametrize(
    ("judge", "said"),
    [
        (
            lambda request: CompletionError(kind=ErrorKind.AUTHENTICATION, message="bad key"),
            "failed (authentication): bad key",
        ),
        (
            lambda request: CompletionError(kind=ErrorKind.MALFORMED, message="half a reply"),
            "failed (malformed): half a reply",
        ),
    ],
    ids=["for good", "for now"],
)
async def test_a_judge_that_can_not_be_reached_stops_the_lineage(store, judge, said):
    what = prepared(LETTERS, {"letter.txt": "Write kindly to {{name}}.\n"})
    card, _ = await measured(what, judge_or_writer(judge), store)
    assert (card.status, card.lineages[0].reasons[0].code) == (VerdictStatus.ERROR, ReasonCode.NOTHING_MEASURED)
    assert said in card.lineages[0].headline
    assert card.spending.made == 0


async def test_a_judge_that_gives_no_grades_to_some_answers_does_not_gate(store):
    def judge(request):
        return completion("I would rather not.") if " of 1" in request.messages[-1].content else graded(request)

    what = prepared(LETTERS, {"letter.txt": "Write kindly to {{name}}.\n"})
    card, _ = await measured(what, judge_or_writer(judge), store)
    assert card.status is VerdictStatus.NEEDS_REVIEW
    assert "gave no grades to 11 of the sample answers" in card.lineages[0].warnings[-1].what


def test_what_waits_for_a_person_is_shown_without_a_call():
    what = prepared(FILES, {PATH: EDITED})
    card = static(what)
    assert (card.dry_run, card.spending.made, len(card.lineages)) == (True, 0, 1)


def test_a_lineage_that_is_not_there_is_a_mistake():
    with pytest.raises(UsageError, match="unknown lineage 'x'"):
        prepared(FILES, {PATH: EDITED}, only=["x"])


def test_a_test_set_that_the_head_empties_gates_as_base_has_it():
    what = prepared(FILES, {PATH: EDITED, "tests/triage.jsonl": None})
    assert len(what.entries[0].plan.cases) == 60
    without = prepared(FILES | {"tests/triage.jsonl": ""}, {PATH: EDITED})
    assert without.entries[0].plan is None
    assert without.entries[0].change.reasons[0].code is ReasonCode.NO_CASES


async def test_a_lineages_own_budget_is_a_cap_of_its_own(store):
    own = CONFIG.replace("  triage:\n", "  triage:\n    budget: {per_run_usd: 0.0001}\n")
    assert own != CONFIG
    files = {**FILES, "promptverdict.yaml": own}
    card, provider = await measured(prepared(files, {PATH: EDITED}), right, store)
    assert (card.status, card.passes) == (VerdictStatus.ERROR, False)
    assert "$0.0001" in card.lineages[0].headline
    assert provider.calls < 10


def test_a_budget_that_one_run_of_every_case_exceeds_is_said_before_the_first_call():
    dear = FILES | {
        "promptverdict.yaml": CONFIG.replace("price: {input: 1, output: 4}", "price: {input: 1, output: 400}")
    }
    what = prepared(dear, {PATH: EDITED})
    (short,) = over_budget(what)
    assert re.fullmatch(
        r"one run of every case is expected to cost \$[0-9.]+, more than the budget of \$5\.00", short.what
    )
    assert short.where == "budget.per_run_usd"
    assert over_budget(what, Decimal("0.001"))[0].what.endswith("the budget of $0.0010")
    assert over_budget(prepared(FILES, {PATH: EDITED})) == ()


MANY = "".join(
    json.dumps({"id": f"c{n}", "inputs": {"ticket": f"Ticket {n} about {('billing', 'refunds')[n % 2]}"}, "expected": ("billing", "refunds")[n % 2], "slices": ["typical"]})
    + "\n"
    for n in range(120)
)  # fmt: skip
TEMPLATE = "Sort the ticket.\n{{ ticket }}"
BRANCHING = {
    "promptverdict.yaml": CONFIG.replace("prompts/triage.prompt.yml", "t.j2"), "t.j2": TEMPLATE, "tests/triage.jsonl": MANY,
}  # fmt: skip


def unless_told(request, repetition, nth):
    text = request.messages[-1].content
    return completion("sales" if "WRONG" in text else "refunds" if "refunds" in text else "billing")


@pytest.mark.parametrize(("condition", "broken", "statuses"), [("'1 a' in ticket", 12, ("blocked",)), ("'11' in ticket", 11, ("blocked",)), ("'7 a' in ticket and '17' in ticket", 2, ("needs_review", "blocked")), ("'Ticket 24 ' in ticket", 1, ("needs_review", "blocked"))])  # fmt: skip
async def test_a_branch_that_breaks_the_few_cases_it_touches_does_not_pass(store, condition, broken, statuses):
    head = {"t.j2": f"{{% if {condition} %}}WRONG {{{{ ticket }}}}{{% else %}}{TEMPLATE}{{% endif %}}"}
    what = prepared(BRANCHING, head)
    (entry,) = what.entries
    touched = [case.id for case in entry.plan.cases if "changed requests" in case.slices]
    assert len(touched) == broken == sum(not same for same in entry.plan.identical)
    card, _ = await measured(what, unless_told, store)
    assert card.status.value in statuses, card.summary
    assert not card.passes


@pytest.mark.parametrize(
    "placeholder", ["%(ticket)s", "<%= ticket %>", "$(ticket)", "%ticket%", "[[ticket]]", "<ticket>"]
)
def test_a_placeholder_that_is_sent_as_it_stands_is_an_error_that_names_it(placeholder):
    base = {
        **BRANCHING,
        "promptverdict.yaml": BRANCHING["promptverdict.yaml"].replace("t.j2", "t.txt"),
        "t.txt": f"Sort.\n{placeholder}\n",
    }
    card = static(prepared(base, {"t.txt": f"Order.\n{placeholder}\n"}))
    (reason,) = card.lineages[0].reasons
    assert (reason.code, reason.status) == (ReasonCode.SAME_REQUESTS, VerdictStatus.ERROR)
    assert placeholder in reason.sentence
    assert "write {{ticket}}" in reason.sentence


def test_a_prompt_without_its_inputs_is_an_error_unless_it_is_static():
    config = BRANCHING["promptverdict.yaml"].replace("t.j2", "t.txt")
    base = {**BRANCHING, "promptverdict.yaml": config, "t.txt": "Sort the ticket.\n"}
    two = "".join(
        json.dumps({**json.loads(row), "inputs": {"ticket": row, "day": "Monday"}}) + "\n" for row in MANY.splitlines()
    )
    card = static(prepared({**base, "tests/triage.jsonl": two}, {"t.txt": "Order the ticket.\n"}))
    assert "All 120 cases send the same request" in card.lineages[0].reasons[0].sentence
    static_config = config.replace("    prompt: t.txt\n", "    prompt: t.txt\n    static: true\n")
    assert static_config != config
    planned = prepared({**base, "promptverdict.yaml": static_config}, {"t.txt": "Order the ticket.\n"})
    assert planned.runs


def test_inputs_that_the_prompt_has_no_use_for_are_no_mistake():
    rows = [
        {**json.loads(line), "inputs": {**json.loads(line)["inputs"], "customer": n}}
        for n, line in enumerate(MANY.splitlines())
    ]
    tests = "".join(json.dumps(row) + "\n" for row in rows)
    what = prepared({**BRANCHING, "tests/triage.jsonl": tests}, {"t.j2": "Order the ticket {x}.\n{{ ticket }}"})
    assert what.runs
