"""Forged webhooks: so many requests with a signature, a body or a header that was tampered with, and none may be taken.

    python -m benchmarks.signatures [100000]

The application is asked directly (ASGI): whatever an HTTP server would have refused before gets here too.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import random
import sys
import time
from collections import Counter
from collections.abc import Callable

from bot.webhooks.signature import signature
from tests.bot.served import SECOND, SECRET, Ledger, app_for

SECRETS = (SECRET, SECOND)
Forgery = Callable[[random.Random, bytes, bytes], tuple[bytes, bytes | None]]
"""Takes a body and its valid signature, and returns what is sent instead. ``None``: no signature."""


def flip(rng: random.Random, text: bytes) -> bytes:
    """Flips one bit."""
    changed = bytearray(text)
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def cut(rng: random.Random, text: bytes) -> bytes:
    """Cuts off the end."""
    return text[: rng.randrange(len(text))]


def swap(rng: random.Random, text: bytes) -> bytes:
    """Swaps two neighboring bytes."""
    at = rng.randrange(len(text) - 1)
    return text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]


FORGERIES: dict[str, Forgery] = {
    "a bit of the signature": lambda rng, body, good: (body, flip(rng, good)),
    "a bit of the body": lambda rng, body, good: (flip(rng, body), good),
    "a part of the signature": lambda rng, body, good: (body, cut(rng, good)),
    "a part of the body": lambda rng, body, good: (cut(rng, body), good),
    "two digits swapped": lambda rng, body, good: (body, swap(rng, good)),
    "two bytes swapped": lambda rng, body, good: (swap(rng, body), good),
    "something appended": lambda rng, body, good: (body + rng.randbytes(rng.randint(1, 8)), good),
    "a longer signature": lambda rng, body, good: (body, good + rng.choice([b"0", b" ", b"\0", b"\n", b",sha256="])),
    "upper case": lambda _, body, good: (body, b"sha256=" + good[7:].upper()),
    "no prefix": lambda _, body, good: (body, good[7:]),
    "another prefix": lambda rng, body, good: (
        body,
        rng.choice([b"sha1=", b"SHA256=", b"sha512=", b"=", b""]) + good[7:],
    ),
    "sha1": lambda _, body, __: (body, b"sha1=" + hmac.digest(SECRET.encode(), body, "sha1").hex().encode()),
    "no key": lambda _, body, __: (body, b"sha256=" + hashlib.sha256(body).hexdigest().encode()),
    "an empty key": lambda _, body, __: (body, signature(body, "")),
    "a guessed key": lambda rng, body, __: (body, signature(body, rng.randbytes(16).hex())),
    "a key cut short": lambda rng, body, __: (body, signature(body, SECRET[: rng.randrange(len(SECRET))])),
    "another's": lambda rng, body, __: (body, signature(rng.randbytes(40), SECRET)),
    "at random": lambda rng, body, __: (body, b"sha256=" + rng.randbytes(32).hex().encode()),
    "bytes": lambda rng, body, __: (body, rng.randbytes(rng.randrange(100))),
    "none": lambda _, body, __: (body, None),
}


async def attack(count: int, seed: int = 6) -> Counter[tuple[str, int]]:
    """Sends ``count`` forgeries; how often each was answered with which status."""
    rng = random.Random(seed)
    ledger = Ledger()
    app = app_for(ledger)
    seen: Counter[tuple[str, int]] = Counter()
    kinds = sorted(FORGERIES)
    number = 0
    while seen.total() < count:
        number += 1
        kind = kinds[number % len(kinds)]
        body = b'{"action":"opened","number":%d,"pad":"%s"}' % (number, rng.randbytes(rng.randrange(40)).hex().encode())
        good = signature(body, SECRETS[number % 2])
        sent, given = FORGERIES[kind](rng, body, good)
        if (sent, given) == (body, good):
            continue  # two equal neighbors were swapped
        seen[kind, await ask(app, sent, given, number)] += 1
    if ledger.stored:
        raise AssertionError(f"{len(ledger.stored)} forgeries were stored")
    return seen


async def ask(app: Callable, body: bytes, given: bytes | None, number: int) -> int:
    """Sends one request as an HTTP server would, and returns the status."""
    headers = [
        (b"content-type", b"application/json"), (b"x-github-event", b"pull_request"),
        (b"x-github-delivery", b"00000000-%d" % number),
    ]  # fmt: skip
    if given is not None:
        headers.append((b"x-hub-signature-256", given))
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/webhook", "raw_path": b"/webhook", "query_string": b"", "root_path": "", "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("bot", 80),
    }  # fmt: skip
    status = 0

    async def receive() -> dict:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict) -> None:
        nonlocal status
        status = message.get("status", status)

    await app(scope, receive, send)
    return status


def main() -> None:
    """Prints the table. Returns an exit code that tells whether a forgery got through."""
    import logging

    logging.disable(logging.CRITICAL)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    began = time.perf_counter()
    seen = asyncio.run(attack(count))
    taken = sum(times for (_, status), times in seen.items() if status < 400)
    for (kind, status), times in sorted(seen.items()):
        print(f"{kind:24} {status}  {times:7,}")
    print(f"{sum(seen.values()):,} forged webhooks, {taken} taken, {time.perf_counter() - began:.0f} s")
    sys.exit(1 if taken else 0)


if __name__ == "__main__":
    main()
