"""A prompt that holds test cases as its examples is not approved by them."""

import json
import time

import pytest

from engine.detection.quoted import judged, newly_quoted
from schemas.prompts import Dialect, Message, PromptFile, Role
from schemas.scorecard import ReasonCode, VerdictStatus
from schemas.testsets import TestCase
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
    ],
)
def test_a_case_that_stands_in_the_prompt_is_found_whatever_is_around_it(text):
    assert ids(prompt("Sort."), prompt(text)) == ["t0"]
    assert ids(None, prompt(text)) == ["t0"]
    assert ids(prompt("Sort."), prompt("Sort.", included={"examples.md": text})) == ["t0"]


def test_what_the_old_prompt_held_as_well_is_nobodys_gain():
    assert ids(prompt(f"One: {TICKET}"), prompt(f"Two: {TICKET}")) == []


@pytest.mark.parametrize("inputs", [{"ticket": "a refund please"}, {"ticket": 5}, {"ticket": ["I was", "charged"]}])
def test_few_words_and_what_is_no_text_may_stand_anywhere(inputs):
    assert ids(None, prompt(f"a refund please 5 I was charged {TICKET}"), [case(1, **inputs), *CASES[1:]]) == []


def test_an_input_that_most_cases_share_is_no_cases_own():
    policy = "Refunds are possible within thirty days."
    cases = [case(number, ticket=f"{TICKET} {number}", policy=policy) for number in range(4)]
    assert ids(None, prompt(policy), cases) == []


@pytest.mark.parametrize(("quoted", "cases", "status"), [(1, 49, "reason"), (1, 50, "warning"), (5, 200, "reason")])
def test_a_few_of_many_are_a_warning_and_more_are_inconclusive(quoted, cases, status):
    reasons, warnings = judged([case(number) for number in range(quoted)], cases)
    assert (len(reasons), len(warnings)) == ((1, 0) if status == "reason" else (0, 1))


def test_what_is_said():
    (reason,), _ = judged(CASES[:4], 9)
    assert reason.model_dump(exclude_defaults=True) == {
        "code": ReasonCode.QUOTED_CASES,
        "status": VerdictStatus.UNDERPOWERED,
        "sentence": (
            "The prompt holds 4 of its 9 test cases as text (`t0`, `t1`, `t2`, …): what it says to those tells nothing "
            "about others; give it other examples."
        ),
        "cases": ("t0", "t1", "t2", "t3"),
    }
    assert judged([], 9) == ((), ())
    _, (finding,) = judged(CASES[:1], 100)
    assert str(finding) == (
        "the prompt holds 1 of its 100 test cases as text (`t0`): what it says to that one tells nothing about others "
        "(give it other examples)"
    )


def test_twenty_thousand_cases_against_a_long_prompt_are_soon_looked_up():
    text = " ".join(f"{TICKET} Order {number}" for number in range(20_000, 40_000))
    start = time.perf_counter()
    assert len(newly_quoted(None, prompt(text), [case(number) for number in range(20_000)])) == 0
    assert time.perf_counter() - start < 5


def test_a_pull_request_that_copies_its_test_cases_into_the_prompt_is_not_approved(project):
    rows = [json.loads(line) for line in (project.repository.git("show", "main:tests/triage.jsonl")).splitlines()]
    examples = "".join(f"      {row['inputs']['ticket']} -> {row['expected']}\n" for row in rows[:9])
    project.branch(
        "copied", {"prompts/triage.prompt.yml": PROMPT.replace("  - role: user", f"{examples}  - role: user")}
    )
    card = project.check("copied").card
    assert card["status"] != "approved"
    assert "9 of its 60 test cases" in " ".join(reason["sentence"] for reason in card["lineages"][0]["reasons"])
