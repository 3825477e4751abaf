"""``promptverdict tests add --trace``: the inputs of a case come from an exported request, whatever wrote it."""

import json

import pytest

from action.cli.check import renderer
from engine.new_cases.recovered import recovered
from engine.production.otlp_json import records_in
from schemas.production import ContentMessage
from schemas.prompts import Dialect, Message, PromptFile, Role
from tests.action.triage import PROMPT

pytestmark = pytest.mark.slow

SYSTEM = "".join(line[6:] + "\n" for line in PROMPT.splitlines()[4:7])
ASKED = "My parcel to bob@acme.io was lost: {{who}} pays?\nTicket: again"
TRACE = "5b8efff798038103d269b633813fc60c"


def pair(key, value):
    return {"key": key, "value": {"stringValue": value if isinstance(value, str) else json.dumps(value)}}


def span(number, *attributes, **more):
    row = {
        "traceId": TRACE.upper(),
        "spanId": f"{number:016X}",
        "name": "chat",
        "startTimeUnixNano": str(10**18 + number),
    }
    return row | {"endTimeUnixNano": str(10**18 + 10**9), "attributes": list(attributes), **more}


def export(*spans, logs=()):
    found = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": list(spans)}]}]}
    return found | ({"resourceLogs": [{"scopeLogs": [{"logRecords": list(logs)}]}]} if logs else {})


def message(role, text):
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def logged(role, text):
    body = {"kvlistValue": {"values": [{"key": "content", "value": {"stringValue": text}}]}}
    return {
        "traceId": TRACE, "spanId": f"{1:016x}", "timeUnixNano": "1000000000000000001",
        "eventName": f"gen_ai.{role}.message", "body": body,
    }  # fmt: skip


USER = f"Ticket: {ASKED}"
LATEST = pair("gen_ai.input.messages", [message("system", SYSTEM), message("user", USER)])
DIALECTS = {
    "latest": export(span(1, LATEST)),
    "logs": export(span(1), logs=[logged("system", SYSTEM), logged("user", USER)]),
    "openinference": export(
        span(1, *[pair(f"llm.input_messages.{n}.message.{key}", text) for n, one in enumerate([("system", SYSTEM), ("user", USER)])
                  for key, text in zip(("role", "content"), one, strict=True)])
    ),
    "vercel": export(span(1, pair("ai.prompt", {"system": SYSTEM, "prompt": USER}), name="ai.generateText")),
}  # fmt: skip


@pytest.fixture
def local(project):
    project.repository.checkout("main")
    return project


def add(local, document, *more, lines=False):
    text = "\n".join(map(json.dumps, document)) if lines else json.dumps(document)
    (local.home / "trace.json").write_text(text)
    return local.run("tests", "add", "triage", "--trace", local.home / "trace.json", "--expected", "refunds", *more)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_ticket_is_found_where_the_prompt_has_its_variable(local, dialect):
    ran = add(local, DIALECTS[dialect], "--slice", "edge", "--write")
    assert (ran.code, ran.out) == (0, "")
    new = json.loads((local.repository.path / "tests/triage.jsonl").read_text().splitlines()[-1])
    assert new["inputs"] == {"ticket": ASKED.replace("bob@acme.io", "person1@example.com")}
    assert (new["expected"], new["source"]) == ("refunds", "production")


def test_another_version_of_the_prompt_gives_the_whole_last_message(local):
    old = pair("gen_ai.input.messages", [message("system", "Older rules"), message("user", "Where is it?")])
    ran = add(local, [export(span(1, old))], "--slice", "edge", lines=True)
    assert ran.code == 0
    assert '+{"id": "case-' in ran.out
    assert '"inputs": {"ticket": "Where is it?"}' in ran.out


@pytest.mark.parametrize(
    ("document", "more", "said"),
    [
        (export(span(1, LATEST), span(2, LATEST)), (), "2 requests: 0000000000000001 “Ticket: My parcel to bob"),
        (export(span(1, LATEST)), ("--span", "f" * 16), "no request 'ffffffffffffffff' in it has content"),
        (export(span(1)), (), "no request in it has content"),
        (export(span(1, LATEST, pair("prompt_verdict.lineage", "other"))), (), "the trace belongs to other"),
        ({"x": 1}, (), "the file has no spans and no log records"),
    ],
)
def test_what_is_unclear_is_said(local, document, more, said):
    ran = add(local, document, *more)
    assert ran.code == 2
    assert said in ran.err


def test_two_requests_are_told_apart_by_their_span(local):
    other = pair("gen_ai.input.messages", [message("user", "Something else")])
    ran = add(local, export(span(1, LATEST), span(10, other)), "--span", "000000000000000a", "--slice", "edge")
    assert '"ticket": "Something else"' in ran.out


def prompt(*messages, dialect=Dialect.JINJA):
    return PromptFile(
        path="p",
        format="test",
        dialect=dialect,
        messages=tuple(Message(role=role, content=text) for role, text in messages),
    )


@pytest.mark.parametrize(
    ("template", "sent", "found"),
    [
        ("{{a}} and {{b}}.", "x. and y and z.", {"a": "x.", "b": "y and z"}),
        ("{{a}} and {{a}}.", "x and x.", {"a": "x"}),
        ("{{a}} and {{a}}.", "x and y.", None),
        ("{% if a %}<{{a}}>{% endif %}", "<$(.*)>", {"a": "$(.*)"}),
        ("{% for one in a %}{{one}};{% endfor %}", "x;", None),
        ("{{a | upper}}", "x", None),
        ("Only {{a}}", "Other x", None),
    ],
)
def test_inputs_are_recovered_only_if_they_give_the_same_messages(template, sent, found):
    messages = (ContentMessage(role="system", text="s"), ContentMessage(role="user", text=sent))
    sandbox = renderer()
    try:
        assert recovered(prompt((Role.SYSTEM, "s"), (Role.USER, template)), messages, sandbox) == found
    finally:
        sandbox.close()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_bot_reads_the_same_export_the_same(dialect):
    otlp = pytest.importorskip("bot.production.otlp")
    text = json.dumps(DIALECTS[dialect])
    ours = records_in("t.json", text)
    theirs = [*otlp.spans_of(text.encode(), is_json=True).records, *otlp.logs_of(text.encode(), is_json=True).records]

    def plain(records):
        # A log record has no number of its own, and each reader gives it one.
        return [one._replace(part=0, events=list(one.events)) for one in records]

    assert plain(ours) == plain(theirs)
