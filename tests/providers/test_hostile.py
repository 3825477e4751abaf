"""A provider, or a gateway before it, that means us harm or is merely broken: one typed outcome, bounded memory, no crash."""

import asyncio
import gzip
import json
import resource
import zlib
from datetime import UTC, datetime

import pytest

from adapters.providers.openai import OpenAiProvider
from adapters.providers.wire import allowance, retry_after_s, strict_json
from schemas.outcomes import Completion, ErrorKind
from tests.providers.conftest import KEY, request_of

GOOD = json.dumps(
    {
        "model": "m",
        "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
    }
).encode()
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def reply(body, *headers, status=200):
    more = b"".join(header + b"\r\n" for header in headers)
    head = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n"
    return head % (status, len(body), more) + body


@pytest.fixture
async def told():
    """What the provider makes of the bytes of one answer."""
    raw = b""

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(int(size.split(b":")[1]))
        writer.write(raw)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    provider = OpenAiProvider(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", KEY)

    async def answer(data):
        nonlocal raw
        raw = data
        return await provider.complete(request_of("x"), repetition=0, timeout_s=10)

    yield answer
    await provider.aclose()
    server.close()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (GOOD.replace(b'"hi"', b'"cut \\ud83d"'), "cut \ufffd"),
        (GOOD.replace(b'"hi"', b'"\\uDE00 tail"'), "\ufffd tail"),
        (GOOD.replace(b'"hi"', b'"\\ud83d\\ude00 whole"'), "😀 whole"),
        (GOOD.replace(b'"hi"', b'"\\\\ud83d as text"'), "\\ud83d as text"),
    ],
)
async def test_half_a_character_is_replaced_because_the_answer_was_paid_for(told, body, text):
    answer = await told(reply(body))
    assert isinstance(answer, Completion), answer
    assert answer.text == text
    answer.model_dump_json().encode()  # as the store writes it


@pytest.mark.parametrize("status", [400, 200])
async def test_half_a_character_in_a_refusal_can_be_shown(told, status):
    answer = await told(reply(b'{"error": {"message": "\\ud800 no"}}', status=status))
    assert "\ufffd no" in answer.message
    answer.message.encode()


@pytest.mark.parametrize(
    ("packing", "body"), [(b"gzip", gzip.compress(GOOD)), (b"deflate", zlib.compress(GOOD)), (b"identity", GOOD)]
)
async def test_a_gateway_that_packs_unasked_is_understood(told, packing, body):
    answer = await told(reply(body, b"Content-Encoding: " + packing))
    assert isinstance(answer, Completion), answer


@pytest.mark.parametrize(
    ("packing", "body"),
    [
        (b"gzip", gzip.compress(bytes(200 << 20), compresslevel=1)),
        (b"gzip", gzip.compress(GOOD)[:-9]),
        (b"gzip", b"no gzip"),
        (b"br", GOOD),
        (b"gzip, gzip", gzip.compress(gzip.compress(GOOD))),
    ],
    ids=["bomb", "cut", "garbage", "brotli", "twice"],
)
async def test_what_can_not_be_unpacked_in_bounds_is_malformed(told, packing, body):
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = await told(reply(body, b"Content-Encoding: " + packing))
    assert answer.kind is ErrorKind.MALFORMED, answer
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 60 << 10


@pytest.mark.parametrize(
    "raw",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 000 X\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 50_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        reply(b"{}", b"Location: http://evil/\xff\x1b[31m", status=302),
        reply(b"{}", b"Retry-After: \xff", status=429),
        reply(GOOD.replace(b'"prompt_tokens": 1', b'"prompt_tokens": 1e400')),
        reply(GOOD.replace(b'"stop"', b'"\\ud800"')),
    ],
    ids=range(10),
)
async def test_any_bytes_are_a_typed_error(told, raw):
    answer = await told(raw)
    assert not isinstance(answer, Completion), answer
    assert len(answer.message) <= 300


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "9" * 6000}, 600),
        ({"retry-after": "²"}, None),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT"}, 30),
        ({"retry-after": "Sat, 21 Nov 2026 14:00:30 +0200"}, 30),
        ({"retry-after": "Sat, 21 Nov 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0),
        ({"retry-after": "Sun, 21 Nov 2126 12:00:00 GMT"}, 600),
        ({"retry-after": "Sat, 99 Nov 2026 99:00:00 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "nan", "retry-after": "9"}, 9),
        ({"retry-after-ms": "-5", "retry-after": "9"}, 9),
        ({"retry-after-ms": "9" * 400}, 600),
        ({}, None),
    ],
)
def test_whatever_a_provider_asks_for_is_a_bearable_wait_or_none(headers, seconds):
    assert retry_after_s(headers, NOW) == seconds


@pytest.mark.parametrize("text", ["nan", "-1", "9" * 5000, "1e9", "x" * 100_000, "9" * 400 + "d", "٣s", ""])
def test_no_header_about_limits_makes_us_wait_for_ever(text):
    for remaining, reset in (
        ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
        ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ):
        left = allowance({remaining: text, reset: text}, NOW)
        waits = [wait for wait in (left.requests_reset_s, left.tokens_reset_s) if wait is not None]
        assert all(0 <= wait <= 600 for wait in waits)


def test_deep_nesting_beside_half_a_character_is_no_crash():
    body = b'{"a": "\\ud800", "b": ' + b"[" * 900 + b"]" * 900 + b"}"
    assert strict_json(body, "application/json")["a"] == "\ufffd"
