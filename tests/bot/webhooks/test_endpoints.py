"""What the HTTP surface takes, what it turns away, and what it never does: a 5xx for a body, a row without a signature."""

import asyncio
import json
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from bot.store.records import Records
from bot.webhooks import endpoints as web
from bot.webhooks import listener
from bot.webhooks.intents import Ignored
from bot.webhooks.routing import read_body
from bot.webhooks.signature import signature
from schemas.errors import StoreError, UsageError
from tests.bot.served import SECOND, SECRET, Ledger, app_for, client_of, headers_for, served
from tests.fakes.github.openapi import MISSING

EXAMPLES = Path(__file__).parents[3] / "node_modules/@octokit/webhooks-examples/api.github.com/index.json"
BODY = b'{"zen": "Keep it logically awesome."}'


@pytest.fixture
def ledger():
    return Ledger()


@pytest.fixture
def woken():
    return []


@pytest.fixture
def app(ledger, woken):
    return app_for(ledger, wake=lambda: woken.append(1))


@pytest.fixture
async def client(app):
    async with client_of(app) as client:
        yield client


async def test_a_webhook_is_stored_as_it_came_and_acknowledged(client, ledger, woken):
    answer = await client.post("/webhook", content=BODY, headers=headers_for(BODY, guid="0a1b2c3d-1"))
    assert (answer.status_code, answer.text) == (202, "stored\n")
    assert ledger.stored == {"0a1b2c3d-1": ("ping", BODY)}
    assert woken == [1]


async def test_a_redelivery_is_acknowledged_and_stored_once(client, ledger, woken):
    headers = headers_for(BODY)
    answers = [(await client.post("/webhook", content=BODY, headers=headers)).text for _ in range(3)]
    assert answers == ["stored\n", "known\n", "known\n"]
    assert len(ledger.stored) == len(woken) == 1


@pytest.mark.parametrize("secret", [SECRET, SECOND])
async def test_while_the_secret_is_changed_both_are_heard(client, secret):
    answer = await client.post("/webhook", content=BODY, headers=headers_for(BODY, secret=secret))
    assert answer.status_code == 202


REFUSED = {
    "no signature": (401, {"x-hub-signature-256": None}),
    "sha1 only": (401, {"x-hub-signature-256": None, "x-hub-signature": "sha1=" + "0" * 40}),
    "another's signature": (401, {"x-hub-signature-256": "sha256=" + "0" * 64}),
    "an empty signature": (401, {"x-hub-signature-256": ""}),
    "no event": (400, {"x-github-event": None}),
    "an odd event": (400, {"x-github-event": "Pull Request"}),
    "no delivery": (400, {"x-github-delivery": None}),
    "an odd delivery": (400, {"x-github-delivery": "../../etc/passwd"}),
    "an endless delivery": (400, {"x-github-delivery": "a" * 65}),
    "no content type": (415, {"content-type": None}),
    "a form": (415, {"content-type": "application/x-www-form-urlencoded"}),
    "text": (415, {"content-type": "text/plain; application/json"}),
}


@pytest.mark.parametrize(("status", "change"), REFUSED.values(), ids=REFUSED)
async def test_what_is_not_githubs_is_turned_away(client, ledger, woken, status, change):
    answer = await client.post("/webhook", content=BODY, headers=headers_for(BODY, **change))
    assert answer.status_code == status
    assert ledger.stored == {}
    assert woken == []


@pytest.mark.parametrize("name", ["x-hub-signature-256", "x-github-event", "x-github-delivery", "content-type"])
async def test_a_header_that_is_there_twice_is_no_header(client, ledger, name):
    headers = list(headers_for(BODY).items())
    twice = [*headers, next(pair for pair in headers if pair[0] == name)]
    answer = await client.post("/webhook", content=BODY, headers=twice)
    assert answer.status_code in (400, 401, 415)
    assert ledger.stored == {}


async def test_the_content_type_may_name_its_charset(client):
    headers = headers_for(BODY, **{"content-type": "Application/JSON; charset=utf-8"})
    assert (await client.post("/webhook", content=BODY, headers=headers)).status_code == 202


BOMBS = {
    "not UTF-8": b"\xff\xfe{}",
    "not JSON": b"{",
    "empty": b"",
    "deep": b"[" * 1_000_000,
    "deep objects": b'{"a":' * 500_000,
    "wide": b"[" + b"0," * 1_000_000 + b"0]",
    "a number without end": b'{"action":' + b"9" * 1_000_000 + b"}",
    "the same key": b"{" + b'"action":"opened",' * 100_000 + b'"action":"closed"}',
    "NaN": b'{"action": NaN}',
}


@pytest.mark.parametrize("body", BOMBS.values(), ids=BOMBS)
async def test_what_is_signed_is_stored_unread_and_read_without_harm(client, ledger, body):
    headers = headers_for(body, event="pull_request")
    assert (await client.post("/webhook", content=body, headers=headers)).status_code == 202
    [(event, stored)] = ledger.stored.values()
    began = time.thread_time()
    assert isinstance(read_body(event, stored), Ignored)
    assert time.thread_time() - began < 2


async def test_a_body_that_says_it_is_too_large_is_not_read(client, ledger):
    headers = headers_for(BODY, **{"content-length": str(web.LARGEST_BODY + 1)})
    assert (await client.post("/webhook", content=BODY, headers=headers)).status_code == 413


async def test_a_body_that_grows_too_large_is_cut_off(client, app, ledger):
    app.state.web.bodies.largest = 1000

    async def growing():
        for _ in range(11):
            yield b"x" * 100

    whole = b"x" * 1000
    assert (await client.post("/webhook", content=whole, headers=headers_for(whole))).status_code == 202
    assert (await client.post("/webhook", content=growing(), headers=headers_for(b"x" * 1100))).status_code == 413
    assert len(ledger.stored) == 1


async def test_all_bodies_together_are_bounded_and_the_bound_is_given_back(client, app, ledger):
    app.state.web.bodies.together = 1000
    go_on = asyncio.Event()

    async def dawdling():
        yield b"x" * 600
        await go_on.wait()

    slow = asyncio.create_task(client.post("/webhook", content=dawdling(), headers=headers_for(b"x" * 600)))
    while app.state.web.bodies.buffered < 600:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    more = b"x" * 500
    assert (await client.post("/webhook", content=more, headers=headers_for(more))).status_code == 503
    go_on.set()
    assert (await slow).status_code == 202
    assert app.state.web.bodies.buffered == 0
    assert (await client.post("/webhook", content=more, headers=headers_for(more))).status_code == 202


async def test_a_body_that_drips_is_given_up(client, app, ledger):
    app.state.web.bodies.within_s = 0.05

    async def dripping():
        while True:
            yield b"x"
            await asyncio.sleep(0.01)

    assert (await client.post("/webhook", content=dripping(), headers=headers_for(b"x"))).status_code == 408
    assert (ledger.stored, app.state.web.bodies.buffered) == ({}, 0)


async def test_without_the_database_nothing_is_acknowledged(client, ledger, woken):
    ledger.broken = StoreError("disk full", where="/srv/private/path")
    answer = await client.post("/webhook", content=BODY, headers=headers_for(BODY))
    assert answer.status_code == 503
    assert "/srv" not in answer.text
    assert woken == []


async def test_ready_means_that_the_database_answers_and_every_part_runs(ledger):
    troubles = []
    app = app_for(ledger, troubles=lambda: tuple(troubles))
    async with client_of(app) as client:
        assert (await client.get("/readyz")).status_code == 200
        troubles.append("stopping")
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.text) == (503, "not ready: stopping\n")
        troubles.clear()
        ledger.broken = StoreError("gone", where="db.private.example")
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.text) == (503, "not ready: the database\n")
        assert (await client.get("/healthz")).status_code == 200


async def test_a_database_that_hangs_is_not_ready(ledger, monkeypatch):
    monkeypatch.setattr(web, "CHECK_S", 0.05)
    monkeypatch.setattr(ledger, "check", lambda: time.sleep(0.5))
    async with client_of(app_for(ledger)) as client:
        assert (await client.get("/readyz")).status_code == 503


async def test_metrics_count_and_name_nobody(client, ledger):
    for headers in (headers_for(BODY), headers_for(BODY, event="star"), headers_for(BODY, secret="wrong" * 5)):
        await client.post("/webhook", content=BODY, headers=headers)
    text = (await client.get("/metrics")).text
    assert 'promptverdict_deliveries_total{event="ping",result="stored"} 1.0' in text
    assert 'promptverdict_deliveries_total{event="other",result="stored"} 1.0' in text
    assert 'promptverdict_refused_requests_total{status="401"} 1.0' in text
    assert "promptverdict_ack_seconds_count 2.0" in text
    assert "promptverdict_waiting_deliveries 2.0" in text
    ledger.broken = StoreError("gone")
    text = (await client.get("/metrics")).text
    assert "promptverdict_database_up 0.0" in text
    assert "waiting" not in text


async def test_a_flood_of_forgeries_is_a_line_of_log_and_not_a_disk_full(client, app, monkeypatch):
    now, lines = [0.0], []
    monkeypatch.setattr(app.state.web.clock, "monotonic", lambda: now[0])
    monkeypatch.setattr(
        web.log, "warning", lambda event, **more: lines.append((more["status"], more["not_logged_before"]))
    )
    for at in range(21):
        now[0] = at / 2
        await client.post("/webhook", content=BODY, headers=headers_for(BODY, secret="wrong" * 5))
    await client.post("/webhook", content=BODY, headers=headers_for(BODY, **{"content-type": "text/plain"}))
    assert lines == [(401, 0), (401, 19), (415, 0)]


async def test_a_worker_takes_no_webhooks(ledger):
    async with client_of(app_for(ledger, webhook=False)) as client:
        assert (await client.post("/webhook", content=BODY, headers=headers_for(BODY))).status_code == 404
        assert (await client.get("/healthz")).status_code == 200


@pytest.mark.parametrize("path", ["/", "/docs", "/redoc", "/openapi.json", "/webhook/", "/../etc/passwd", "/metrics/x"])
async def test_there_are_no_other_pages(client, path):
    answer = await client.get(path)
    assert answer.status_code == 404
    assert_safe(answer)


@pytest.mark.parametrize(("method", "path"), [("GET", "/webhook"), ("POST", "/healthz"), ("DELETE", "/metrics")])
async def test_other_methods_are_turned_away(client, method, path):
    assert (await client.request(method, path)).status_code == 405


async def test_every_answer_tells_browsers_to_leave_it_alone(client):
    for answer in (await client.get("/healthz"), await client.get("/metrics"), await client.post("/webhook")):
        assert_safe(answer)


def assert_safe(answer):
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "server" not in answer.headers


@pytest.mark.skipif(not EXAMPLES.exists(), reason=MISSING)
async def test_every_payload_that_github_publishes_is_taken(tmp_path):
    records = Records(f"sqlite:///{tmp_path / 'bot.db'}")
    records.migrate()
    sent = 0
    async with client_of(app_for(records)) as client:
        for event in json.loads(EXAMPLES.read_text()):
            for payload in event["examples"]:
                body = json.dumps(payload, ensure_ascii=False).encode()
                answer = await client.post("/webhook", content=body, headers=headers_for(body, event=event["name"]))
                assert answer.status_code == 202, event["name"]
                sent += 1
    assert sent == records.unhandled_count() == 329
    records.close()


# On a real port.


@pytest.fixture(scope="module")
def address():
    with served(app_for(Ledger())) as address:
        yield address


SCHEMA = schemathesis.openapi.from_dict(app_for(Ledger()).openapi())


@SCHEMA.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_surface_is_what_it_says(case, address):
    """Generated requests, well-formed and not: an answer that is documented, never a 5xx. None is signed, so none is
    accepted."""
    case.call_and_validate(base_url=address, excluded_checks=[positive_data_acceptance])


@SCHEMA.parametrize()
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_signed_is_taken_or_refused_for_its_headers(case, address):
    prepared = requests.Request(**case.as_transport_kwargs(base_url=address)).prepare()
    body = prepared.body or b""
    body = body.encode() if isinstance(body, str) else body
    prepared.headers["x-hub-signature-256"] = signature(body, SECRET).decode()
    with requests.Session() as session:
        session.trust_env = False
        assert session.send(prepared, timeout=5).status_code in (200, 202, 400, 404, 405, 415)


def talk(address, data, *, wait_s=5.0):
    """Raw bytes to the port; what comes back until it is closed."""
    with socket.create_connection(("127.0.0.1", urlsplit(address).port), timeout=wait_s) as line:
        line.sendall(data)
        answer = b""
        while part := line.recv(65_536):
            answer += part
        return answer


HEAD = b"POST /webhook HTTP/1.1\r\nhost: bot\r\n"


@pytest.mark.parametrize(
    "data",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 10, b"GET\r\n\r\n", HEAD + b"content-length: -1\r\n\r\n",
     HEAD + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello", HEAD + b"x: " + b"y" * 40_000 + b"\r\n\r\n",
     HEAD + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\nzzz\r\n", b"A" * 40_000],
    ids=["tls", "no target", "negative length", "two lengths", "endless header", "smuggled", "endless line"],
)  # fmt: skip
def test_what_is_no_http_is_answered_with_a_4xx_and_hung_up(address, data):
    assert talk(address, data).startswith(b"HTTP/1.1 4")


def drip(address):
    """Asks once, then sends a second request byte by byte; after so many bytes it was hung up."""
    with socket.create_connection(("127.0.0.1", urlsplit(address).port), timeout=5) as line:
        line.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert line.recv(65_536).startswith(b"HTTP/1.1 200")
        sent = 0
        with suppress(OSError):
            while sent < 400:
                line.sendall(b"G")
                sent += 1
                time.sleep(0.05)
        return sent


def test_who_connects_and_says_nothing_is_hung_up(monkeypatch):
    monkeypatch.setattr(listener, "HEADERS_S", 0.3)
    with served(app_for(Ledger())) as address:
        assert talk(address, b"") == b""
        assert talk(address, HEAD) == b""
        assert drip(address) < 400
        assert httpx.get(f"{address}/healthz").status_code == 200


def test_a_connection_is_used_again(address):
    with httpx.Client(base_url=address) as client:
        for _ in range(3):
            assert client.get("/healthz").status_code == 200
            assert client.post("/webhook", content=BODY, headers=headers_for(BODY)).status_code == 202


def test_a_port_that_is_taken_is_named():
    with listener.listen("127.0.0.1", 0) as taken, pytest.raises(UsageError, match="can't listen on 127") as said:
        listener.listen("127.0.0.1", taken.getsockname()[1])
    assert "PROMPTVERDICT_PORT" in str(said.value)


def delivered(address):
    return httpx.post(
        f"{address}/webhook", content=BODY, headers=headers_for(BODY), trust_env=False, timeout=10
    ).status_code


PARTS = {
    "nothing": b"",
    "half a head": b"POST /webhook HTTP/1.1\r\nhost: x\r\n",
    "half a body": b"POST /webhook HTTP/1.1\r\nhost: x\r\nx-github-event: ping\r\ncontent-length: 99\r\n"
    b"x-github-delivery: 12345678\r\nx-hub-signature-256: sha256=0\r\ncontent-type: application/json\r\n\r\nx",
}


@pytest.mark.parametrize("sent", PARTS)
def test_connections_that_wait_keep_no_webhook_out(monkeypatch, sent):
    """The one that has waited longest ends, and not the one that has just come."""
    monkeypatch.setattr(listener, "MOST_WAITING", 20)
    monkeypatch.setattr(listener, "MOST_CONNECTIONS", 70)  # 20, a burst of 40 whose ends are under way, and room
    with served(app_for(Ledger())) as address, ExitStack() as held:
        lines = []
        for _ in range(3):
            for _ in range(40):
                line = held.enter_context(socket.create_connection(("127.0.0.1", urlsplit(address).port), timeout=5))
                line.sendall(PARTS[sent])
                lines.append(line)
            assert delivered(address) == 202
        with httpx.Client(base_url=address, trust_env=False) as client:  # one that is kept for the next webhook
            assert [client.get("/healthz").status_code for _ in range(2)] == [200, 200]
            for line in lines:
                line.close()
            assert client.get("/healthz").status_code == 200
