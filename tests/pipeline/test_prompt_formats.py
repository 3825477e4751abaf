"""From a prompt in another tool's format to the requests that are planned, and to what the plan says of it."""

import json

import pytest

from engine.commands.plan_report import plan_report
from engine.pipeline import static
from schemas.outcomes import Arm
from schemas.verdicts import ReasonCode, VerdictStatus
from tests.pipeline.test_measure import prepared

CONFIG = """\
version: 1
models:
  toy: {{provider: offline, model: m, price: {{input: 1, output: 4}}}}
defaults: {{model: toy}}
lineages:
  triage: {{use_case: classification, prompt: {path}, tests: tests.jsonl, labels: [billing, refunds]{more}}}
"""


def rows(**inputs):
    cases = [
        {"id": f"c{n}", "inputs": {name: f"{text} {n}" for name, text in inputs.items()}, "expected": "billing"}
        for n in range(30)
    ]
    return "".join(json.dumps(case) + "\n" for case in cases)


def planned(path, before, after, tests, more=""):
    base = {"promptverdict.yaml": CONFIG.format(path=path, more=more), "tests.jsonl": tests, path: before}
    return prepared(base, {path: after})


def sent(what, arm=Arm.CANDIDATE):
    request = what.entries[0].plan.arms[arm].requests[0]
    return [(message.role.value, message.content) for message in request.messages]


READ = {
    "prompty": (
        "p.prompty", "system:\nSort.\nuser:\n{{ticket}}\n", [("system", "Order."), ("user", "hello 0")],
        "read as prompty; jinja variables: ticket, written {{ticket}}",
    ),
    "dotprompt": (
        "p.prompt", '{{role "system"}}Sort.{{role "user"}}{{ticket}}', [("system", "Order."), ("user", "hello 0")],
        "read as dotprompt; handlebars variables: ticket, written {{ticket}}",
    ),
    "semantic-kernel": (
        "k/skprompt.txt", "Sort. {{$ticket}}", [("user", "Order. hello 0")],
        "read as semantic-kernel; kernel variables: ticket, written {{$ticket}}",
    ),
    "single braces": (
        "p.txt", 'Sort. {"a": 1} {ticket}', [("user", 'Order. {"a": 1} hello 0')],
        "read as plain; braces variables: ticket, written {ticket}",
    ),
    "no variable": (
        "p.txt", "Sort.\n", [("system", "Order."), ("user", "hello 0")],
        "read as plain; the case's ticket is sent as the user's message",
    ),
    "a developer": (
        "p.json", '[{"role": "developer", "content": "Sort."}, {"role": "user", "content": "${ticket}"}]',
        [("developer", "Order."), ("user", "hello 0")],
        "read as chat; javascript variables: ticket, written ${ticket}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", READ)
def test_the_requests_are_what_the_format_means_and_the_plan_says_how_it_was_read(kind):
    path, text, messages, reading = READ[kind]
    what = planned(path, text, text.replace("Sort", "Order"), rows(ticket="hello"))
    assert sent(what) == messages
    assert plan_report(what).experiments[0].reading == reading


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("p.txt", "Sort {ticket}", "Sort {tickt}"),
        ("p.prompty", "user:\n{{ticket}}", "user:\n{{tickt}}"),
        ("p.prompt", "{{ticket}}", "{{tickt}}"),
        ("skprompt.txt", "{{$ticket}}", "{{$tickt}}"),
        ("p.yaml", "_type: prompt\ntemplate: '{ticket}'", "_type: prompt\ntemplate: '{tickt}'"),
    ],
)
def test_a_misspelt_variable_is_an_error_that_names_it(path, before, after):
    card = static(planned(path, before, after, rows(ticket="hello")))
    (reason,) = card.lineages[0].reasons
    assert (reason.code, reason.status) == (ReasonCode.UNREADABLE, VerdictStatus.ERROR)
    assert "the variable tickt has no value (the case has: ticket)" in reason.sentence


def test_a_lost_variable_is_not_made_up_for():
    what = planned("p.txt", "Sort {ticket}", "Sort it", rows(ticket="hello"))
    assert sent(what) == [("user", "Sort it")]
    assert sent(what, Arm.BASELINE) == [("user", "Sort hello 0")]


@pytest.mark.parametrize("change", ["{{#if vip}}Pay.{{/if}}", "{{#each vips}}Pay {{this}}.{{/each}}", "{{#if ticket}}{{else}}Pay.{{/if}}"])  # fmt: skip
def test_a_branch_of_handlebars_that_no_case_takes_was_not_measured(change):
    text = '{{role "user"}}Sort {{ticket}}.'
    missed = planned("p.prompt", text, text + change, rows(ticket="hello"))
    assert missed.entries[0].plan.unreached
    taken = planned("p.prompt", text, text + "{{#if ticket}}Pay.{{/if}}", rows(ticket="hello"))
    assert taken.entries[0].plan.unreached == ()


GITHUB = """\
messages:
  - {role: user, content: "Sort {{ticket}} of {{ customer }}."}
evaluators:
  - {name: names, string: {contains: "{{customer}}"}}
testData:
"""


def test_a_variable_that_a_case_of_a_prompt_file_lacks_stays_in_the_text():
    rows = "".join(f"  - {{ticket: t{n}, customer: c{n}, expected: x}}\n" for n in range(8)) + "  - {ticket: last}\n"
    before, after = GITHUB + rows, GITHUB.replace("Sort", "Order") + rows
    base = {"promptverdict.yaml": CONFIG.partition("lineages:")[0].format(), "t.prompt.yml": before}
    what = prepared(base, {"t.prompt.yml": after})
    (entry,) = what.entries
    requests = entry.plan.arms[Arm.CANDIDATE].requests
    assert [request.messages[0].content for request in requests[-2:]] == [
        "Order t7 of c7.",
        "Order last of {{ customer }}.",
    ]
    assert [warning.what for warning in entry.change.warnings] == [
        "{{ customer }} in the messages stays as it is written for 1 of 9 cases",
        "{{customer}} in the evaluator names stays as it is written for 1 of 9 cases",
    ]


def test_a_variable_that_no_case_has_is_an_error_of_an_evaluator():
    text = GITHUB.replace('contains: "{{customer}}', 'contains: "{{custmer}}') + "  - {ticket: a, customer: b}\n"
    base = {"promptverdict.yaml": CONFIG.partition("lineages:")[0].format(), "t.prompt.yml": text}
    card = static(prepared(base, {"t.prompt.yml": text.replace("Sort", "Order")}))
    assert "uses {{custmer}}, which the case doesn't have" in card.lineages[0].reasons[0].sentence
