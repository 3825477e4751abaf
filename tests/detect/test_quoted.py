"""A prompt that holds test cases as its examples is not approved by them."""

import json
import time

import pytest

from engine.detection.quoted import judged, newly_quoted
from schemas.prompts import Dialect, Message, Parameters, PromptFile, Role
from schemas.testsets import TestCase
from schemas.verdicts import ReasonCode, VerdictStatus
from tests.end_to_end.conftest import PROMPT, project

__all__ = ["project"]

TICKET = "I was charged twice in March 2024."


def prompt(text, **more):
    message = Message(role=Role.SYSTEM, content=text)
    return PromptFile(path="p.md", format="plain", dialect=Dialect.GITHUB, messages=(message,), **more)


def case(number, **inputs):
    return TestCase(id=f"t{number}", inputs=inputs or {"ticket": f"{TICKET} Order {number}."})


CASES = [TestCase(id="t0", inputs={"ticket": TICKET}), *(case(number) for number in range(1, 9))]


def ids(old, new, cases=CASES):
    return [one.id for one in newly_quoted(old, new, cases)]


@pytest.mark.parametrize(
    "text",
    [
        f"Examples:\n{TICKET} -> billing",
        f'"{TICKET}" is billing',
        "i was CHARGED twice\n   in march 2024. -> billing",
        f"- ticket: «{TICKET}»",
        "I was **charged** _twice_ in `March` 2024.",
        "I was char\u200bged twice in Ma\u00adrch 2024.",
        "I was cha<!-- -->rged twice in <b>March</b> 2024.",
        "I was &#99;harged twice&nbsp;in March 2024.",
        "I was \\u0063harged twice in \\x4darch 2024.",
        "Ｉ ｗａｓ ｃｈａｒｇｅｄ ｔｗｉｃｅ ｉｎ Ｍａｒｃｈ ２０２４",
        "I w a s c h a r g e d t w i c e i n M a r c h 2 0 2 4",
        "I wаs сhаrgеd twiсe in Mаrсh 2024.",
        "I-was-charged-twice-in-March-2024",
        f"{'word ' * 30_000}{TICKET}",
    ],
)
def test_a_case_that_stands_in_the_prompt_is_found_whatever_is_around_it(text):
    assert ids(prompt("Sort."), prompt(text)) == ["t0"]
    assert ids(None, prompt(text)) == ["t0"]
    assert ids(prompt("Sort."), prompt("Sort.", included={"examples.md": text})) == ["t0"]


def test_what_the_user_says_later_is_a_part_of_the_case():
    later = [case(0).model_copy(update={"turns": ("Then send it to my other address.",)}), *CASES[1:]]
    assert ids(prompt("Be kind."), prompt("If told “Then send it to my other address.”, ask."), later) == ["t0"]


def test_what_the_old_prompt_held_as_well_is_nobodys_gain():
    assert ids(prompt(f"One: {TICKET}"), prompt(f"Two: {TICKET}")) == []


@pytest.mark.parametrize("inputs", [{"ticket": "a refund please"}, {"ticket": 5}, {"ticket": ["I was", "charged"]}])
def test_few_words_and_what_is_no_text_may_stand_anywhere(inputs):
    assert ids(None, prompt(f"a refund please 5 I was charged {TICKET}"), [case(1, **inputs), *CASES[1:]]) == []


def test_an_input_that_most_cases_share_is_no_cases_own():
    policy = "Refunds are possible within thirty days."
    cases = [case(number, ticket=f"{TICKET} {number}", policy=policy) for number in range(4)]
    assert ids(None, prompt(policy), cases) == []


def test_a_text_among_others_that_several_cases_share_is_no_cases_own():
    signed = "Kind regards from the whole Tidewell support team"
    cases = [case(n, ticket=f"Ticket number {n} is about {'abcdefghijklmnop'[n]}.", sign=signed) for n in range(7)]
    others = [case(n, ticket=f"Question {n} is another one altogether.", sign="Bye") for n in range(7, 16)]
    assert ids(prompt("Sort."), prompt(f"Sort. Sign with: {signed}"), [*cases, *others]) == []
    assert ids(prompt("Sort."), prompt(f"Sort. {signed}. {cases[3].inputs['ticket']}"), [*cases, *others]) == ["t3"]


def test_a_comment_of_the_template_and_what_tools_describe():
    hidden = prompt("Sort. I was cha{# no #}rged twice in March 2024.").model_copy(update={"dialect": Dialect.JINJA})
    assert ids(prompt("Sort."), hidden) == ["t0"]
    tools = Parameters(tools=({"name": "sort", "description": f"{TICKET} is billing"},))
    assert ids(prompt("Sort."), prompt("Sort.", parameters=tools)) == ["t0"]


LONG = "My parcel to Leeds never came and nobody at the depot picks up the phone, so please send the money back today."


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("My parcel to Leeds never came and nobody at the depot picks up the phone", ["long"]),
        ("parcel to Leeds never came and nobody at the depot picks up the phone, so please send the money", ["long"]),
        ("nobody at the depot picks up the phone", []),
        ("so please send the money back today", []),
    ],
)
def test_most_of_an_input_is_as_good_as_all_of_it(text, found):
    cases = [TestCase(id="long", inputs={"mail": {"body": [LONG]}}), *CASES[1:]]
    assert ids(prompt("Sort."), prompt(text), cases) == found


def test_a_part_that_several_cases_share_is_nobodys_own():
    cases = [
        TestCase(id=f"t{n}", inputs={"ticket": f"{n} thousand thanks for your kind help with this order {n}"})
        for n in range(9)
    ]
    assert ids(prompt("Sort."), prompt("Many thanks for your kind help with this order"), cases) == []
    assert ids(prompt("Sort."), prompt("3 thousand thanks for your kind help with this order 3"), cases) == ["t3"]


@pytest.mark.parametrize(("quoted", "found"), [(4, 0), (6, 6)])
def test_several_short_inputs_don_t_stand_there_by_chance(quoted, found):
    words = ("apple", "banana", "cherry", "damson", "elder", "figs")
    cases = [TestCase(id=word, inputs={"q": f"where is {word}"}) for word in words] + CASES
    text = "\n".join(f"where is {word} -> shelf" for word in words[:quoted])
    assert len(ids(prompt("Sort."), prompt(text), cases)) == found


def test_scripts_without_blanks_are_found_too():
    chinese = TestCase(id="zh", inputs={"ticket": "我在三月被收取了两次费用请退款"})
    assert ids(prompt("分类"), prompt("例子：我在三月，被收取了两次费用，请退款 → 账单"), [chinese, *CASES]) == ["zh"]


@pytest.mark.parametrize(
    ("quoted", "cases", "status"), [(1, 49, "reason"), (1, 50, "warning"), (5, 200, "reason"), (0, 9, "nothing")]
)
def test_a_few_of_many_are_a_warning_and_more_need_review(quoted, cases, status):
    every = [case(number) for number in range(cases)]
    reasons, warnings = judged(every[:quoted], every)
    assert (len(reasons), len(warnings)) == {"reason": (1, 0), "warning": (0, 1), "nothing": (0, 0)}[status]


@pytest.mark.parametrize(("more", "status"), [({}, 0), ({"protected": True}, 1), ({"slices": ("rare",)}, 1)])
def test_one_of_many_weighs_in_its_slice_or_where_it_is_protected(more, status):
    every = [case(number).model_copy(update={"slices": ("typical",)}) for number in range(200)]
    every[0] = every[0].model_copy(update=more)
    assert len(judged(every[:1], every)[0]) == status


def test_what_is_said():
    (reason,), _ = judged(CASES[:4], CASES)
    assert reason.model_dump(exclude_defaults=True) == {
        "code": ReasonCode.QUOTED_CASES,
        "status": VerdictStatus.NEEDS_REVIEW,
        "sentence": (
            "The prompt contains 4 of its 9 test cases as text (`t0`, `t1`, `t2`, …): answers to those cases say nothing "
            "about other inputs; use other examples."
        ),
        "cases": ("t0", "t1", "t2", "t3"),
    }
    assert judged([], CASES) == ((), ())
    _, (finding,) = judged(CASES[:1], [*CASES, *map(case, range(9, 100))])
    assert str(finding) == (
        "the prompt contains 1 of its 100 test cases as text (`t0`): answers to that case say nothing about other inputs "
        "(use other examples)"
    )


def test_twenty_thousand_cases_against_a_long_prompt_are_soon_looked_up():
    text = " ".join(f"{TICKET} Order {number}" for number in range(20_000, 40_000))
    start = time.process_time()
    assert len(newly_quoted(None, prompt(text), [case(number) for number in range(20_000)])) == 0
    assert time.process_time() - start < 10


def test_a_pull_request_that_copies_its_test_cases_into_the_prompt_is_not_approved(project):
    rows = [json.loads(line) for line in (project.repository.git("show", "main:tests/triage.jsonl")).splitlines()]
    examples = "".join(f"      {row['inputs']['ticket']} -> {row['expected']}\n" for row in rows[:9])
    project.branch(
        "copied", {"prompts/triage.prompt.yml": PROMPT.replace("  - role: user", f"{examples}  - role: user")}
    )
    card = project.check("copied").card
    assert not card["passes"]
    assert ("quoted_cases", "needs_review") in [(one["code"], one["status"]) for one in card["lineages"][0]["reasons"]]
    assert "9 of its 60 test cases" in " ".join(reason["sentence"] for reason in card["lineages"][0]["reasons"])
