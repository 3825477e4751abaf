"""A local model provider over real HTTP: OpenAI Chat Completions and Responses, Anthropic Messages, and scripted faults.

    python -m tests.fakes.llm --port 8123 --latency-ms 50

A fault is asked for by the text of the request itself, so that order doesn't matter: ``[[reset x2]]`` in a message makes the
first two tries of that very body end with a reset. Without ``xN`` every try does. ``[[say …]]`` fixes the answer,
``[[call NAME {…}; NAME {…}]]`` calls tools unless the last message is a tool's result,
``[[say-key]]`` makes it the key that came with the request, as it is and in three encodings; else the answer is the last word of the last message. Usage is counted honestly: one token for four bytes, rounded up.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import random
import re
import ssl
import time
from collections import Counter
from email.utils import formatdate
from urllib.parse import quote

DIRECTIVE = re.compile(r"\[\[([a-z0-9-]+)(?: (.*?))?\]\]")
TIMES = re.compile(r"^x(\d+)$")


class FakeLlm:
    """The server and what it saw."""

    def __init__(
        self,
        *,
        latency_s: float = 0.0,
        rate: float | None = None,
        refused: float = 0.0,
        retry_after: str = "1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.tls = tls
        self.latency_s = latency_s
        self.rate = rate
        """Requests a second that are permitted; beyond it 429."""
        self.refused = refused
        """Share of the permitted requests that get a 429 all the same, at random."""
        self.dice = random.Random(1)
        self.retry_after = retry_after
        self.requests = 0
        self.answered = 0
        self.throttled = 0
        self.busiest = 0
        self.under_way = 0
        self.connections: set[asyncio.Transport] = set()
        self.tries: Counter[bytes] = Counter()
        self.answers: Counter[bytes] = Counter()
        self.heads: list[tuple[str, dict[str, str]]] = []
        self.keep_heads = True
        self.asked: list[str] = []
        """The messages of each request, in order; only where ``keep_asked`` says so."""
        self.keep_asked = False
        self._bucket = rate or 0.0
        self._filled = time.monotonic()
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> FakeLlm:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), "127.0.0.1", port, backlog=4096, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aenter__(self) -> FakeLlm:
        return await self.start()

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for transport in self.connections:  # whose other end may have died in this very moment
            transport.abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def hung_up(self) -> None:
        """Waits for the end of every connection: what a process sent before it died may be read after its death."""
        async with asyncio.timeout(60):
            while self.connections:  # noqa: ASYNC110 - several may wait for it
                await asyncio.sleep(0.01)

    def permitted(self) -> bool:
        if self.rate is None:
            return self.dice.random() >= self.refused
        now = time.monotonic()
        self._bucket = min(self.rate, self._bucket + (now - self._filled) * self.rate)
        self._filled = now
        if self._bucket < 1:
            return False
        self._bucket -= 1
        return self.dice.random() >= self.refused


class Connection(asyncio.Protocol):
    def __init__(self, fake: FakeLlm) -> None:
        self.fake = fake
        self.buffer = b""
        self.headers: dict[str, str] = {}
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.fake.connections.add(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.fake.connections.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            first, *lines = self.buffer[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            size = int(headers.get("content-length", 0))
            if len(self.buffer) < end + 4 + size:
                return
            body = self.buffer[end + 4 : end + 4 + size]
            self.buffer = self.buffer[end + 4 + size :]
            self.handle(first.split()[1], headers, body)

    def handle(self, path: str, headers: dict[str, str], body: bytes) -> None:
        fake = self.fake
        if path == "/stats":
            self.reply(200, {
                "requests": fake.requests, "answered": fake.answered, "throttled": fake.throttled, "busiest": fake.busiest,
                "repeated": sum(fake.answers.values()) - len(fake.answers),
            })  # fmt: skip
            return
        if path == "/asked":  # what was asked since the last time that this was
            self.reply(200, {"asked": fake.asked})
            fake.asked = []
            return
        self.headers = headers
        fake.requests += 1
        if fake.keep_asked:
            fake.asked.append("\n".join(message["content"] for message in json.loads(body)["messages"]))
        if fake.keep_heads:
            fake.heads.append((path, headers))
        if not fake.permitted():
            fake.throttled += 1
            self.reply(429, error("rate_limit_exceeded"), (("Retry-After", fake.retry_after),))
            return
        fake.under_way += 1
        fake.busiest = max(fake.busiest, fake.under_way)
        if fake.latency_s:
            asyncio.get_running_loop().call_later(fake.latency_s, self.answer, path, body)
        else:
            self.answer(path, body)

    def answer(self, path: str, body: bytes) -> None:
        fake = self.fake
        fake.under_way -= 1
        asked = json.loads(body)
        texts = [str(m.get("content") or "") for m in asked.get("messages") or asked.get("input") or []]
        texts += [str(asked.get("system") or asked.get("instructions") or "")]
        everything = "\n".join(texts)
        fake.tries[body] += 1
        say, fault, calls = None, None, None
        for name, rest in DIRECTIVE.findall(everything):
            if name == "say":
                say = rest
            elif name == "call":
                calls = None if is_a_result((asked.get("messages") or asked.get("input"))[-1]) else rest
            elif name == "say-key":
                key = self.headers.get("x-api-key") or self.headers["authorization"].removeprefix("Bearer ")
                raw = key.encode()
                say = " ".join([key, base64.b64encode(raw).decode(), raw.hex(), quote(key, safe="")])
            elif not (times := TIMES.match(rest)) or fake.tries[body] <= int(times[1]):
                fault, argument = name, rest
                break
        version = self.headers.get("anthropic-version", "")
        if version >= "2026-10-21" and asked.keys() & {"temperature", "top_p", "top_k"}:
            self.reply(400, error("sampling parameters are not supported"))
            return
        if fault and self.misbehave(fault, argument, path, asked, everything):
            return
        user = next((t for t in reversed(texts[:-1]) if t), "")
        text = say if say is not None else (user.split() or [""])[-1]
        fake.answered += 1
        fake.answers[body] += 1
        answer = answer_of(path, asked, text, everything)
        self.reply(200, answer if calls is None else calling(path, answer, calls))

    def misbehave(self, fault: str, argument: str, path: str, asked: dict, everything: str) -> bool:
        """Does it; False when the fault only changes the answer and is none of the transport."""
        good = answer_of(path, asked, "billing", everything)
        anthropic = path.endswith("/messages")
        if fault == "429-seconds":
            self.reply(429, error("rate_limit_exceeded"), (("Retry-After", "1"),))
        elif fault == "429-date":
            self.reply(429, error("rate_limit_exceeded"), (("Retry-After", formatdate(time.time() + 2, usegmt=True)),))
        elif fault == "429-bare":
            self.reply(429, error("rate_limit_exceeded"))
        elif fault == "quota":
            if anthropic:
                self.reply(400, {"type": "error", "error": {
                    "type": "invalid_request_error", "message": "Your credit balance is too low to access the API."}})  # fmt: skip
            else:
                self.reply(429, error("insufficient_quota"))
        elif fault in {"400", "401", "403", "404", "408", "409", "413", "500", "502", "503", "529"}:
            self.reply(int(fault), error("fault"))
        elif fault == "echo-key":
            said = f"Incorrect API key provided: {self.headers.get('authorization') or self.headers.get('x-api-key')}"
            self.reply(401, {"error": {"type": "authentication_error", "code": "invalid_api_key", "message": said}})
        elif fault == "filter-400":
            self.reply(400, error("content_filter"))
        elif fault == "reset":
            raw = json.dumps(good).encode()
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(raw)
            )
            self.transport.write(raw[: len(raw) // 2])
            asyncio.get_running_loop().call_later(0.02, self.transport.abort)
        elif fault == "close":
            self.transport.close()
        elif fault == "drip":
            self.drip(json.dumps(good).encode())
        elif fault == "hang":
            pass
        elif fault == "truncated":
            self.raw(json.dumps(good)[:-20].encode())
        elif fault == "duplicate-keys":
            self.raw(json.dumps(good)[:-1].encode() + b', "model": "another"}')
        elif fault == "nan":
            self.raw(json.dumps(good)[:-1].encode() + b', "logprob": NaN}')
        elif fault == "html":
            self.raw(b"<html><body>Gateway</body></html>", kind="text/html")
        elif fault == "wrong-type":
            self.raw(json.dumps(good).encode(), kind="text/plain")
        elif fault == "error-200":
            self.reply(200, {"type": "error", **error("server_error")})
        elif fault == "no-usage":
            good.pop("usage")
            self.reply(200, good)
        elif fault == "negative-usage":
            good["usage"] = {name: -5 for name, value in good["usage"].items() if isinstance(value, int)}
            self.reply(200, good)
        elif fault == "empty-choices":
            self.reply(200, good | {"choices": [], "content": [], "output": []})
        elif fault == "huge":
            self.raw(b" " * (40 << 20))
        elif fault == "deep":
            self.raw(b"[" * 200_000 + b"]" * 200_000)
        elif fault == "other-model":
            self.reply(200, good | {"model": "another-model", "system_fingerprint": "fp_other"})
        elif fault == "redirect":
            self.reply(307, {}, (("Location", argument),))
        elif fault in {"length", "refusal", "filter", "empty", "tool"}:
            self.reply(200, finished(fault, path, good))
        else:
            raise AssertionError(f"no such fault: {fault}")
        return True

    def drip(self, raw: bytes) -> None:
        self.transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(raw)
        )
        loop = asyncio.get_running_loop()
        for at in range(len(raw)):
            loop.call_later(0.1 * at, self.transport.write, raw[at : at + 1])

    def reply(self, status: int, body: dict, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.raw(json.dumps(body).encode(), status=status, headers=headers)

    def raw(
        self,
        body: bytes,
        *,
        status: int = 200,
        kind: str = "application/json",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        if self.transport.is_closing():
            return
        more = "".join(f"{name}: {value}\r\n" for name, value in headers)
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
        self.transport.write(head.encode() + body)


def error(code: str) -> dict:
    return {"error": {"type": code, "code": code, "message": f"scripted: {code}"}}


def answer_of(path: str, asked: dict, text: str, everything: str) -> dict:
    tokens_in, tokens_out = -(-len(everything.encode()) // 4), -(-len(text.encode()) // 4)
    model = asked["model"]
    if path.endswith("/messages"):
        return {
            "id": "msg_1", "type": "message", "role": "assistant", "model": model, "stop_reason": "end_turn", "stop_sequence": None,
            "content": [{"type": "text", "text": text}] if text else [],
            "usage": {"input_tokens": tokens_in, "output_tokens": tokens_out,
                      "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0},
        }  # fmt: skip
    if path.endswith("/responses"):
        return {
            "id": "resp_1", "object": "response", "created_at": 1, "model": model, "status": "completed", "error": None,
            "incomplete_details": None, "instructions": None, "metadata": {}, "parallel_tool_calls": True, "temperature": 1,
            "tool_choice": "auto", "tools": [], "top_p": 1,
            "output": [{"id": "m", "type": "message", "role": "assistant", "status": "completed",
                        "content": [{"type": "output_text", "text": text, "annotations": []}]}],
            "usage": {"input_tokens": tokens_in, "output_tokens": tokens_out, "total_tokens": tokens_in + tokens_out,
                      "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}},
        }  # fmt: skip
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model, "system_fingerprint": "fp_fake",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text, "refusal": None}, "logprobs": None,
                     "finish_reason": "stop"}],
        "usage": {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out,
                  "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                  "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0}},
    }  # fmt: skip


def finished(how: str, path: str, good: dict) -> dict:
    """``good`` as if the provider had stopped for another reason."""
    tool = {"name": "refund", "arguments": '{"id": 7}'}
    if path.endswith("/messages"):
        good["stop_reason"] = {"length": "max_tokens", "refusal": "refusal", "filter": "refusal", "empty": "end_turn",
                               "tool": "tool_use"}[how]  # fmt: skip
        if how == "empty":
            good["content"] = []
        if how == "tool":
            good["content"] = [{"type": "tool_use", "id": "t", "name": "refund", "input": {"id": 7}}]
        return good
    if path.endswith("/responses"):
        if how in {"length", "filter"}:
            good |= {"status": "incomplete", "incomplete_details": {
                "reason": {"length": "max_output_tokens", "filter": "content_filter"}[how]}}  # fmt: skip
        elif how == "refusal":
            good["output"][0]["content"] = [{"type": "refusal", "refusal": "I can't help with that."}]
        elif how == "empty":
            good["output"] = []
        else:
            good["output"] = [{"type": "function_call", "id": "f", "call_id": "c", "status": "completed", **tool}]
        return good
    choice = good["choices"][0]
    if how in {"length", "filter"}:
        choice["finish_reason"] = {"length": "length", "filter": "content_filter"}[how]
    elif how == "refusal":
        choice["message"] |= {"content": None, "refusal": "I can't help with that."}
    elif how == "empty":
        choice["message"]["content"] = ""
    else:
        choice["finish_reason"] = "tool_calls"
        choice["message"] |= {"content": None, "tool_calls": [{"id": "c", "type": "function", "function": tool}]}
    return good


def is_a_result(message: dict) -> bool:
    """Whether it is what a tool returned, in any of the three APIs."""
    content = message.get("content")
    inside = content[0].get("type") if isinstance(content, list) and content else None
    return message.get("role") == "tool" or "function_call_output" in message.values() or inside == "tool_result"


def calling(path: str, good: dict, calls: str) -> dict:
    """``good`` with calls instead of a text: ``name {…}; name {…}``."""
    named = [call.strip().partition(" ")[::2] for call in calls.split(";")]
    if path.endswith("/messages"):
        blocks = [{"type": "tool_use", "id": f"toolu_{at}", "name": name, "input": json.loads(arguments)}
                  for at, (name, arguments) in enumerate(named)]  # fmt: skip
        return good | {"stop_reason": "tool_use", "content": blocks}
    if path.endswith("/responses"):
        return good | {"output": [
            {"type": "function_call", "id": f"fc_{at}", "call_id": f"c_{at}", "status": "completed", "name": name,
             "arguments": arguments} for at, (name, arguments) in enumerate(named)]}  # fmt: skip
    message = {"role": "assistant", "content": None, "tool_calls": [
        {"id": f"c_{at}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for at, (name, arguments) in enumerate(named)]}  # fmt: skip
    return good | {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}


async def serve(arguments: argparse.Namespace) -> None:
    fake = FakeLlm(latency_s=arguments.latency_ms / 1000, rate=arguments.rate)
    fake.keep_heads = False
    fake.keep_asked = arguments.keep_asked
    await fake.start(arguments.port)
    print(fake.port, flush=True)  # noqa: T201 - the caller reads it
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--rate", type=float, default=None)
    parser.add_argument("--keep-asked", action="store_true")
    try:
        import uvloop

        uvloop.run(serve(parser.parse_args()))
    except KeyboardInterrupt:
        pass
