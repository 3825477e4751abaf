"""The intake's protocol: both encodings, what is refused and how, and that nothing acknowledged is lost."""

import asyncio
import gzip
import json
import time
from datetime import timedelta

import httpx
import pytest
from google.protobuf.internal.encoder import _VarintBytes
from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from sqlmodel import select

from adapters.clock import SystemClock
from bot.production import otlp, span_queue
from bot.production.default_settings import DefaultSettings
from bot.production.otlp import LARGEST, MOST_MESSAGES
from bot.production.span_queue import Batch, QueueFull, SpanQueue
from bot.production.span_reader import RepositoryReader, is_sampled
from bot.store.hub_values import TokenKind
from bot.store.production_tables import ProductionContents
from bot.store.production_values import Written
from schemas.errors import StoreError
from schemas.production import ContentMessage, SpanFacts
from tests.bot.production.conftest import CONFIG, REPO

pytestmark = pytest.mark.slow

PROTOBUF = "application/x-protobuf"
CANARY = "CANARY-4111-1111"
ANSWER = json.dumps({"label": "billing", "why": CANARY})


def attributes(given):
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}
    return [{"key": key, "value": {kinds[type(value)]: value}} for key, value in given.items()]


def span(number=1, *, trace=1, name="chat", start=None, lasts_s=1.0, parent=None, **more):
    """One span as OTLP/JSON has it: ids in hex, times as text."""
    start = int((start or time.time()) * 1e9)
    return {
        "traceId": f"{trace:032X}", "spanId": f"{number:016x}", "name": name, "kind": 3,
        "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + int(lasts_s * 1e9)),
        **({"parentSpanId": f"{parent:016x}"} if parent else {}), **more,
    }  # fmt: skip


def document(*spans):
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "test"}, "spans": list(spans)}]}]}


def send(town, body, path="/v1/traces", **headers):
    given = {"content-type": "application/json", **town.headers, **headers}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(f"{town.address}{path}", content=content, headers=given, trust_env=False, timeout=30)


VERCEL = {
    # As recorded from the AI SDK: the outer span sums up what the inner one reports.
    "ai.operationId": "ai.generateText", "ai.model.id": "gpt-5-mini", "ai.model.provider": "openai.chat",
    "ai.telemetry.functionId": "sort", "ai.telemetry.metadata.prompt_verdict.lineage": "triage",
    "ai.telemetry.metadata.prompt_verdict.version": "c" * 64, "ai.telemetry.metadata.prompt_verdict.confidence": 0.25,
    "ai.usage.promptTokens": 90, "ai.usage.completionTokens": 3, "ai.response.finishReason": "stop",
    "ai.response.text": "billing", "ai.prompt": json.dumps({"system": "Sort.", "prompt": "charged twice"}),
}  # fmt: skip
VERCEL_INNER = {
    "ai.operationId": "ai.generateText.doGenerate", "ai.model.id": "gpt-5-mini", "ai.model.provider": "openai.chat",
    "ai.response.model": "gpt-5-mini", "ai.response.finishReason": "stop", "ai.response.text": "billing",
    "ai.usage.promptTokens": 90, "ai.usage.completionTokens": 3, "gen_ai.system": "openai.chat",
    "ai.prompt.messages": json.dumps([{"role": "user", "content": [{"type": "text", "text": "charged twice"}]}]),
}  # fmt: skip


def test_json_with_hex_ids_arrives_once_and_vercels_two_spans_are_one_call(town):
    outer = span(1, lasts_s=2, attributes=attributes(VERCEL))
    inner = span(2, parent=1, attributes=attributes(VERCEL_INNER))
    for _ in range(2):  # a sender that saw no answer
        answer = send(town, document(inner, outer))
        assert (answer.status_code, answer.json()) == (200, {})
    key, figures = town.call()
    assert (key.lineage, key.digest, key.model, key.decision) == ("triage", "c" * 64, "gpt-5-mini", "billing")
    assert (figures.input_tokens, figures.output_tokens, figures.priced, figures.confidence) == (90, 3, 1, 250_000)
    assert len(town.records.production_trace(70, f"{1:032x}").spans) == 2


def test_protobufs_own_json_parser_would_have_made_other_ids():
    """The reason for our conversion: it reads hex digits as base64, without an error."""
    parsed = Parse(json.dumps(document(span())), ExportTraceServiceRequest())
    assert len(parsed.resource_spans[0].scope_spans[0].spans[0].trace_id) == 24


def test_spans_that_can_not_be_stored_are_counted_in_a_partial_success(town):
    good = span(1, attributes=attributes({"gen_ai.operation.name": "chat"}))
    bad = [
        span(2, attributes=attributes({"gen_ai.operation.name": "chat"}), start=time.time() - 90 * 86_400),
        span(3, attributes=attributes({"gen_ai.operation.name": "chat"}), start=time.time() + 3 * 86_400),
        {**span(4), "traceId": ""},
        {**span(5), "spanId": "0" * 16},
    ]
    answer = send(town, document(good, *bad))
    assert answer.status_code == 200
    assert answer.json()["partialSuccess"]["rejectedSpans"] == "4"
    assert len(town.calls()) == 1
    binary = ExportTraceServiceRequest()
    binary.resource_spans.add().scope_spans.add().spans.add(
        trace_id=b"\1" * 16, span_id=b"", start_time_unix_nano=time.time_ns()
    )
    answer = send(town, binary.SerializeToString(), **{"content-type": PROTOBUF})
    parsed = ExportTraceServiceResponse.FromString(answer.content)
    assert (answer.headers["content-type"], parsed.partial_success.rejected_spans) == (PROTOBUF, 1)


def test_what_is_no_otlp_is_refused_with_a_status_of_the_protocol(town):
    bomb = gzip.compress(b"\0" * (LARGEST + 1))
    assert len(bomb) < 100_000
    whole = json.dumps(document(span())).encode()
    refusals = [
        (415, whole, {"content-type": "text/plain"}),
        (415, whole, {"content-encoding": "br"}),
        (401, whole, {"authorization": ""}),
        (401, whole, {"authorization": "Bearer pv_" + "x" * 43}),
        (400, b"{" + CANARY.encode(), {}),
        (400, b"[" * 100_000, {}),
        *((400, text, {}) for text in (b"5", b"null", b"true", b"[]", b'"x"')),
        (400, json.dumps(document({**span(), "traceId": CANARY})).encode(), {}),
        (400, b"\xff\xff" + CANARY.encode(), {"content-type": PROTOBUF}),
        (400, whole, {"content-encoding": "gzip"}),
        (400, gzip.compress(whole)[:-9], {"content-encoding": "gzip"}),
        (413, bomb, {"content-encoding": "gzip"}),
    ]
    for status, body, headers in refusals:
        answer = send(town, body, **headers)
        assert answer.status_code == status, (status, headers, answer.content)
        assert CANARY not in answer.text
        if headers.get("content-type") == PROTOBUF:
            assert answer.content[:2] == b"\x08\x03"  # google.rpc.Status: code 3
        elif "content-type" not in headers:
            assert answer.json()["code"] == {400: 3, 401: 16, 413: 3, 415: 3}[status]
    assert send(town, gzip.compress(whole), **{"content-encoding": "gzip"}).status_code == 200
    assert town.calls() == []  # the span is about neither a model nor a prompt


@pytest.mark.parametrize("is_json", [True, False])
def test_a_small_body_of_very_many_parts_is_refused_before_it_fills_the_memory(town, is_json):
    count = MOST_MESSAGES + 500_000
    if is_json:
        many = b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b"{}," * count + b"{}]}]}]}"
    else:
        spans = b"\x12\x00" * count
        scope = b"\x12" + _VarintBytes(len(spans)) + spans
        many = b"\x0a" + _VarintBytes(len(scope)) + scope
    packed = gzip.compress(many)
    assert len(packed) < 20_000
    kind = "application/json" if is_json else PROTOBUF
    answer = send(town, packed, **{"content-type": kind, "content-encoding": "gzip"})
    assert answer.status_code == 413
    assert b"send smaller batches" in answer.content


def test_counting_reads_protobuf_as_its_parser_does():
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for _ in range(3_000):
        one = spans.add(trace_id=b"\1" * 16, span_id=b"\1" * 8, start_time_unix_nano=1, name="x" * 300, flags=7)
        one.attributes.add(key="k").value.array_value.values.add(string_value="v")
        one.events.add(name="e", time_unix_nano=1)
    body = request.SerializeToString()
    assert len(body) > otlp.UNCOUNTED
    messages = 2 + 3_000 * 6  # a span, its event, and its attribute with a value, an array and the array's value
    with pytest.MonkeyPatch.context() as patch:
        for most, refused in ((messages, False), (messages - 1, True)):
            patch.setattr(otlp, "MOST_MESSAGES", most)
            assert otlp._is_many(body, request) is refused


def test_values_that_no_database_holds_keep_no_other_span_from_being_stored(town):
    town.configure("production: {content: 1}")
    half = json.dumps([{"role": "user\ud800", "content": "billing \ud800"}])
    named = {"gen_ai.operation.name": "chat", "prompt_verdict.lineage": "triage", "gen_ai.provider.name": "openai"}
    tokens = {"gen_ai.usage.input_tokens": 10**8, "gen_ai.usage.output_tokens": 10**8}
    hostile = [
        {"gen_ai.usage.input_tokens": 2**62, "gen_ai.response.model": "gpt-5-pro"},
        {"prompt_verdict.confidence": "NaN", "prompt_verdict.decision": "a\0b"},
        {"gen_ai.input.messages": half, "gen_ai.output.messages": half},
        *[{**tokens, "gen_ai.response.model": "gpt-5-pro"}] * 1_500,
    ]
    spans = [span(n, trace=n, attributes=attributes({**named, **more})) for n, more in enumerate(hostile, 1)]
    late = span(1, trace=9_000, lasts_s=400 * 86_400.0, attributes=attributes(named))
    answer = send(town, document(*spans, late))
    assert (answer.status_code, answer.json()["partialSuccess"]["rejectedSpans"]) == (200, "1")
    assert sum(figures.calls for _, figures in town.calls()) == len(hostile)
    assert 'production_cost_usd{prompt="triage",repository="70"} 1e+06' in town.metrics.text().decode()


def test_a_read_token_sends_nothing_and_an_ingest_token_reads_nothing(town):
    from bot.hub.tokens import new_token, token_hash

    read = new_token()
    town.records.add_token(70, "app", token_hash(read), "mia", town.now)
    assert send(town, document(span()), authorization=f"Bearer {read}").status_code == 401
    assert town.records.token_owner(token_hash(town.token), town.now) is None
    assert town.records.token_owner(token_hash(town.token), town.now, TokenKind.INGEST) is not None


def secrets_everywhere():
    """Spans and logs of every dialect with content in every place that can hold some."""
    texts = {
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": CANARY}]}]),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": ANSWER}]}]),
        "gen_ai.system_instructions": CANARY, "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": CANARY,
        "gen_ai.completion.0.content": CANARY, "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": CANARY, "llm.output_messages.0.message.content": CANARY,
        "input.value": CANARY, "output.value": CANARY, "ai.prompt": CANARY, "ai.response.text": CANARY,
        "llm.invocation_parameters": CANARY, "llm.finish_reason": f"because {CANARY}!", "unknown.attribute": CANARY,
    }  # fmt: skip
    one = span(
        1, name=CANARY, status={"code": 2, "message": CANARY},
        attributes=attributes({"gen_ai.operation.name": "chat", "prompt_verdict.lineage": "triage", "error.type": f"failed for {CANARY}", **texts}),
        events=[{"name": "exception", "timeUnixNano": "1", "attributes": attributes({"exception.message": CANARY, "exception.type": CANARY + " ?"})}],
    )  # fmt: skip
    two = span(1, trace=2, attributes=attributes({"gen_ai.operation.name": "chat", **texts}))
    body = {
        "kvlistValue": {
            "values": [
                *attributes({"index": 0, "content": CANARY}),
                {"key": "message", "value": {"kvlistValue": {"values": attributes({"content": ANSWER})}}},
            ]
        }
    }
    logs = [
        {"traceId": f"{trace:032x}", "spanId": f"{1:016x}", "timeUnixNano": str(time.time_ns()), "eventName": name, "body": body, "attributes": attributes(texts)}
        for trace in (1, 2)
        for name in ("gen_ai.choice", "gen_ai.user.message", "gen_ai.client.inference.operation.details")
    ]  # fmt: skip
    return document(one, two), {"resourceLogs": [{"scopeLogs": [{"logRecords": logs}]}]}


def everything_stored(town, folder):
    town.records._database.close()
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("on", [False, True])
def test_content_reaches_neither_store_nor_log_nor_answer_while_it_is_off(town, tmp_path, caplog, on):
    town.configure("production: {content: 1}" if on else "")
    traces, logs = secrets_everywhere()
    answers = [send(town, logs, "/v1/logs"), send(town, traces), send(town, logs, "/v1/logs")]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert all(CANARY not in answer.text for answer in answers)
    trace = town.records.production_trace(70, f"{1:032x}")
    assert CANARY not in str([one.facts for one in trace.spans])
    # The decision was read from the output all the same.
    assert {(key.lineage, key.decision, key.error) for key, _ in town.calls()} == {
        ("triage", "billing", "error"),
        ("", "", ""),
    }
    assert (CANARY in str([one.content for one in trace.spans])) == on
    other = town.records.production_trace(70, f"{2:032x}")
    assert all(one.content is None for one in other.spans)
    assert CANARY not in caplog.text
    assert CANARY not in town.metrics.text().decode()
    if not on:
        with town.records._database.reading() as session:
            assert session.exec(select(ProductionContents)).all() == []
        stored = everything_stored(town, tmp_path)
        assert b"triage" in stored
        assert CANARY.encode() not in stored


def facts(number, trace=1):
    from datetime import UTC, datetime

    at = datetime.now(UTC)
    return SpanFacts(
        trace_id=f"{trace:032x}", span_id=f"{number + 1:016x}", started_at=at, ended_at=at, calls_model=True
    )


async def test_a_full_queue_refuses_at_once_and_forgets_nothing_that_it_took(monkeypatch):
    monkeypatch.setattr(span_queue, "MOST_WAITING", 10)
    stuck, stored = asyncio.Event(), []
    loop = asyncio.get_running_loop()

    def write(_, spans, contents):
        asyncio.run_coroutine_threadsafe(stuck.wait(), loop).result()
        stored.extend(spans)
        return Written(len(spans), 0)

    queue = SpanQueue(write)
    waiting = [asyncio.create_task(queue.put(Batch(70, [facts(n) for n in range(4)]))) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        await queue.put(Batch(70, [facts(n) for n in range(4)]))
    assert queue.spans == 8
    stuck.set()
    await asyncio.gather(*waiting)
    assert (len(stored), queue.spans, queue.bytes) == (8, 0, 0)
    queue._task.cancel()


async def test_a_failing_database_fails_its_callers_and_the_next_batch_is_tried_again():
    broken = [StoreError("down"), RuntimeError(CANARY), None]

    def write(_, spans, contents):
        error = broken.pop(0)
        if error is not None:
            raise error
        return Written(len(spans), 0)

    queue = SpanQueue(write)
    for _ in range(2):
        with pytest.raises(StoreError) as failure:
            await queue.put(Batch(70, [facts(1)]))
        assert CANARY not in str(failure.value)
    assert await queue.put(Batch(70, [facts(1)])) == Written(1, 0)
    assert queue.spans == 0
    queue._task.cancel()


def test_a_sender_is_told_to_wait_while_the_database_is_away(town, monkeypatch):
    def away(*_):
        raise StoreError("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(town.intake.queue, "_write", away)
        answer = send(town, document(span(attributes=attributes({"gen_ai.operation.name": "chat"}))))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert town.calls() == []
    town.intake.queue.spans += 30_000
    answer = send(town, document(span(attributes=attributes({"gen_ai.operation.name": "chat"}))))
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["code"]) == (429, "5", 8)
    town.intake.queue.spans -= 30_000
    assert send(town, document(span(attributes=attributes({"gen_ai.operation.name": "chat"})))).status_code == 200
    assert len(town.calls()) == 1


def test_old_days_go_as_a_whole_and_figures_stay(records):
    from bot.store.retention import Retention

    now = facts(0).started_at
    records.repository(REPO, now)
    for age, number in ((0, 1), (10, 2), (40, 3)):
        one = facts(number, trace=number)
        at = now - timedelta(days=age)
        records.write_spans(70, [one.model_copy(update={"started_at": at, "ended_at": at, "lineage": "triage"})])
    assert records.prune(Retention(spans_days=30), now) == 1
    assert [records.production_trace(70, f"{n:032x}") is not None for n in (1, 2, 3)] == [True, True, False]
    days = {"since": (now - timedelta(days=60)).date(), "until": now.date()}
    assert sum(one.figures.calls for one in records.hour_figures(70, **days)) == 3


def test_the_figures_are_metrics_of_bounded_number(town):
    spans = [
        facts(n, trace=n + 1).model_copy(update={"lineage": "triage", "decision": f"d{n % 30}"}) for n in range(60)
    ]
    town.records.write_spans(70, spans)
    text = town.metrics.text().decode()
    assert 'promptverdict_production_calls{prompt="triage",repository="70"} 60.0' in text
    assert len([line for line in text.splitlines() if line.startswith("promptverdict_production_decisions{")]) == 21
    assert 'decision="(other)",prompt="triage",repository="70"} 20.0' in text
    assert "promptverdict_waiting_spans 0.0" in text


class Branch:
    """The default branch, and GitHub as far as it says where that is."""

    def __init__(self, text):
        self.text = text

    def host(self, *_):
        return self

    def default_branch(self):
        return "main"

    def branch(self, _):
        return "a" * 40

    def file(self, *_):
        return self.text and self.text.encode()


def test_the_default_branch_says_what_is_read_and_kept(town):
    branch = Branch(CONFIG.format(more="production: {content: 0.25, content_days: 3}"))
    settings = DefaultSettings(town.records, branch, branch, SystemClock())
    settings.pushed(REPO, "main", "b" * 40)
    invoice, triage = town.records.lineage_settings(70)
    assert (triage.lineage, triage.content_share, triage.content_days, triage.defer) == (
        "triage",
        0.25,
        3,
        ("unknown",),
    )
    assert (invoice.lineage, invoice.content_share) == ("invoice", 0)
    reader = RepositoryReader.of([invoice, triage], lambda *_: None, timedelta(days=30))
    assert reader.readers["triage"].read("**Technical**") == "technical"
    assert reader.readers["triage"].read(CANARY) == "(unreadable)"
    assert (
        reader.readers["invoice"].read(json.dumps({"total": CANARY, "buyer": {"name": CANARY}, CANARY: 1}))
        == "buyer, total"
    )
    assert reader.readers["invoice"].read(json.dumps({"total": None})) == "(none)"
    branch.text = "version: 1\nlineages: [" + CANARY
    settings.refresh(town.now + timedelta(hours=1))  # a mistake: the former settings stay
    assert len(town.records.lineage_settings(70)) == 2
    branch.text = None
    settings.refresh(town.now + timedelta(hours=1))
    assert town.records.lineage_settings(70) == []
    assert sum(is_sampled(f"{n:032x}", 0.25) for n in range(4_000)) == pytest.approx(1_000, rel=0.1)


def test_content_of_a_request_comes_with_the_applications_span_that_names_the_prompt(town):
    town.configure("production: {content: 1}")
    named = span(1, lasts_s=2, attributes=attributes({"prompt_verdict.lineage": "triage"}))
    request = span(
        2, parent=1,
        attributes=attributes({"openinference.span.kind": "LLM", "llm.output_messages.0.message.content": "billing",
                               "llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": "twice"}),
    )  # fmt: skip
    assert send(town, document(request, named)).status_code == 200
    (kept,) = [one.content for one in town.records.production_trace(70, f"{1:032x}").spans if one.content]
    assert (kept.lineage, kept.input, kept.output) == (
        "triage",
        (ContentMessage(role="user", text="twice"),),
        "billing",
    )
    (recent,) = town.records.recent_calls(70, "triage")
    assert (recent.has_content, recent.call.decision, recent.call.requests) == (True, "billing", 1)
