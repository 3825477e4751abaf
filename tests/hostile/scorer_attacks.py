"""Hostile own scorers, each a function, for the tests and for the image's own Python.

One source holds all of them: the answer names the attack, so that they share one supervisor, as the cases of a run do.
Each must be safe on a machine whose isolation is broken: signal 0 instead of a kill of everything, and no endless file.
``run`` needs nothing but our modules, so that the same attacks run inside the image: ``python scorer_attacks.py``.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import socket
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from adapters.scorer.client import IsolatedScorers, Limits
from evaluators.own_scorer import OwnScorer
from schemas.config import ScorerKind
from schemas.outcomes import Score
from schemas.ports import ScorerSource
from schemas.testsets import TestCase

CANARY = "canary-8d1f-do-not-read"
HONEST = 0.25
LIMITS = Limits(seconds=60, memory_bytes=256 * 2**20)
"""However busy this machine is."""
SHORT = LIMITS._replace(seconds=0.5)
TRIES = 40
"""Tries of an honest case within the short limit, on a busy machine."""
NUMBERS = {
    # socket, connect, socketpair, memfd_create, io_uring_setup, ptrace, process_vm_readv, bpf, userfaultfd, unshare
    "x86_64": (41, 42, 53, 319, 425, 101, 310, 321, 323, 272),
    "aarch64": (198, 203, 199, 279, 425, 117, 270, 280, 282, 97),
}

SOURCE = """
import builtins, ctypes, gc, json, math, os, signal, socket, subprocess, sys, threading, time

CANARIES = %(files)r
PORT = %(port)d
NUMBERS = %(numbers)r

def handler(output, expected, **case):
    if output == "honest":
        return {"score": 0.25, "reason": "honest"}
    return globals()[output](case)

def steal(path):
    with open(path, "rb") as file:
        return {"score": 1, "reason": file.read(10000).decode(errors="replace")}

def own_environment(case): return steal("/proc/self/environ")
def parents_environment(case): return steal(f"/proc/{os.getppid()}/environ")
def first_process_environment(case): return steal("/proc/1/environ")
def variables(case): return {"score": 1 if not dict(os.environ).keys() - {"PYTHONHASHSEED", "LC_CTYPE"} else 0.5, "reason": str(dict(os.environ))}
def canary_beside(case): return steal(CANARIES[0])
def canary_in_home(case): return steal(CANARIES[1])
def canary_by_descriptor(case):
    libc = ctypes.CDLL(None)
    descriptor = libc.openat(-100, CANARIES[0].encode(), 0)
    data = ctypes.create_string_buffer(100)
    for number in [descriptor, *range(3, 64)]:
        if libc.read(number, data, 99) > 0:
            return {"score": 1, "reason": data.value.decode(errors="replace")}
    raise OSError("nothing to read")
def memory_of_the_parent(case): return steal(f"/proc/{os.getppid()}/mem")

def connects(case):
    socket.create_connection(("127.0.0.1", PORT)).sendall(b"x")
    return 1
def sends_datagrams(case):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", PORT))
    return 1
def local_socket(case):
    socket.socket(socket.AF_UNIX).connect("/var/run/docker.sock")
    return 1
def raw_calls(case):
    libc = ctypes.CDLL(None)
    if any(libc.syscall(number, 0, 0, 0, 0, 0, 0) >= 0 for number in NUMBERS):
        return 1
    raise OSError("all refused")

def forks(case):
    os.fork()
    return 1
def runs_a_program(case):
    subprocess.run(["/bin/true"], check=True)
    return 1
def execs(case):
    os.execv("/bin/true", ["true"])
def starts_a_thread(case):
    threading.Thread(target=time.sleep, args=(60,)).start()
    return 1
def traces(case):
    if ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0:
        return 1
    raise OSError("refused")
def kills_its_parent(case):
    os.kill(os.getppid(), signal.SIGKILL)
    return 1
def signals_everybody(case):
    os.kill(-1, 0)
    return 1

def writes_on_every_descriptor(case):
    for number in range(64):
        for text in (b'{"value": 1}', b"\\x00\\x00\\x00\\x0c" + b'{"value": 1}'):
            try:
                os.write(number, text)
            except OSError:
                pass
    return 1
def writes_and_leaves(case):
    os.write(3, bytes(16) + b'{"value": 1}')
    os._exit(0)
def write_with_nonce():
    frame = sys._getframe()
    while frame and "nonce" not in frame.f_locals:
        frame = frame.f_back
    os.write(3, frame.f_locals["nonce"] + b'{"value": 1}')
def writes_twice(case):
    write_with_nonce()
    return 1
def writes_and_dies(case):
    write_with_nonce()
    ctypes.string_at(0)
def writes_for_another_case(case):
    os.write(3, b'{"id": "honest", "value": 1}{"id": "c1", "value": 1}')
    return 1
def writes_endlessly(case):
    while True:
        os.write(3, b"x" * 65536)
def leaves_with_0(case): os._exit(0)
def leaves_with_1(case): os._exit(1)
def exits(case): sys.exit(0)
def closes_and_sleeps(case):
    os.close(3)
    time.sleep(60)
def ends_by_a_trap(case): ctypes.string_at(0)

def allocates(case): return len(bytearray(10 * 2**30))
def loops(case):
    while True: pass
def sleeps(case): time.sleep(60)
def ignores_signals(case):
    for number in range(1, 64):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    while True:
        try: time.sleep(60)
        except BaseException: pass
def fills_the_disk(case):
    with open("/tmp/full", "wb") as file:
        for _ in range(16): file.write(bytes(2**20))
    return 1
def recurses(case):
    sys.setrecursionlimit(10**9)
    return recurses(case)
def nests(case):
    value = 1
    for _ in range(100000): value = {"score": value}
    return value
def prints(case):
    for _ in range(64): print("x" * 2**24)
    raise ValueError("printed")

def replaces_builtins(case):
    for name in ("len", "isinstance", "dict", "open", "print", "str"):
        setattr(builtins, name, lambda *_, **__: 1)
    json.dumps = lambda *_, **__: '{"value": 1}'
    os.write = lambda *_: 1
    sys.modules["adapters.scorer.supervisor"]._judged = None
    return "forged"
def raises_surrogates(case): raise ValueError("\\ud800 \\x1b[31m \\u202e")
def raises_hugely(case): raise ValueError("x" * 10**7)
class Rude(Exception):
    def __str__(self): raise Rude
def raises_rudely(case): raise Rude
def returns_nan(case): return float("nan")
def returns_infinity(case): return math.inf
def returns_minus_one(case): return -1
def returns_two(case): return 2
def returns_text(case): return "1"
def returns_list(case): return [1]
def returns_nested(case): return {"score": {"score": 1}}
def returns_bytes(case): return b"1"
def returns_huge_text(case): return "1" * 10**8
def returns_huge_number(case): return 10**5000
def returns_rude_number(case):
    class Number(float):
        def __repr__(self): return "1"
    return Number(7)
def returns_nothing(case): return None
def returns_a_coroutine(case):
    async def later(): return 1
    return later()
def finds_the_nonce(case):
    for found in gc.get_objects():
        if isinstance(found, dict) and isinstance(found.get("nonce"), bytes):
            os.write(3, found["nonce"] + b'{"value": 1}')
    raise ValueError("looked everywhere")
"""

ATTACKS = {
    "own_environment": "PermissionError", "parents_environment": "PermissionError",
    "first_process_environment": "PermissionError", "canary_beside": "PermissionError",
    "canary_in_home": "PermissionError", "canary_by_descriptor": "nothing to read",
    "memory_of_the_parent": "PermissionError", "connects": "PermissionError", "sends_datagrams": "PermissionError",
    "local_socket": "PermissionError", "raw_calls": "all refused", "forks": "PermissionError",
    "runs_a_program": "PermissionError", "execs": "PermissionError", "starts_a_thread": "can't start new thread",
    "traces": "refused", "kills_its_parent": "PermissionError", "signals_everybody": "PermissionError",
    "writes_on_every_descriptor": "wrote to the file descriptor", "writes_and_leaves": "wrote to the file descriptor",
    "writes_twice": "can't be read", "writes_and_dies": "SIGSEGV",
    "writes_for_another_case": "wrote to the file descriptor",
    "writes_endlessly": "wrote to the file descriptor", "leaves_with_0": "exited with code 0",
    "leaves_with_1": "exited with code 1", "exits": "SystemExit: 0", "closes_and_sleeps": "SIGKILL",
    "ends_by_a_trap": "SIGSEGV", "allocates": "MemoryError", "fills_the_disk": "PermissionError", "nests": "dict as score",
    "replaces_builtins": "", "raises_surrogates": "ValueError: \ufffd \ufffd[31m \ufffd",
    "raises_hugely": "ValueError: xxx", "raises_rudely": "exited with code", "returns_nan": "the score nan",
    "returns_infinity": "the score inf", "returns_minus_one": "the score -1", "returns_two": "the score 2",
    "returns_text": "handler returned str", "returns_list": "handler returned list",
    "returns_nested": "dict as score", "returns_bytes": "handler returned bytes",
    "returns_huge_text": "handler returned str", "returns_huge_number": "Exceeds the limit", "returns_nothing": "not a score",
    "returns_rude_number": "the score 7", "returns_a_coroutine": "handler returned coroutine",
    "finds_the_nonce": "looked everywhere",
}  # fmt: skip
"""By attack: a part of the message that it gets."""
SLOW = {"loops": "longer than", "sleeps": "longer than", "ignores_signals": "longer than", "recurses": "", "prints": ""}
"""Those that are stopped by the short limit, or may be."""
HARMLESS = {"variables": 1.0}
"""Attempts that may be scored: there is nothing to find."""


def run(scratch: Path, home: Path) -> dict[str, object]:
    """Runs every attack and an honest case after each. Returns what came of them, for a JSON document."""
    server = socket.create_server(("127.0.0.1", 0))
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", server.getsockname()[1]))
    datagrams.setblocking(False)
    server.setblocking(False)
    canaries = [scratch / "secret.txt", home / ".secret-canary"]
    for path in canaries:
        path.write_text(CANARY)
    os.environ["SECRET_CANARY"] = CANARY
    before = sorted(os.listdir("/tmp"))  # noqa: PTH208
    text = SOURCE % {
        "files": [str(path) for path in canaries],
        "port": server.getsockname()[1],
        "numbers": NUMBERS[platform.machine()],
    }
    source = ScorerSource(path="evals/score.py", text=text)
    try:
        return {
            "attacks": {
                **asyncio.run(_attacked(source, LIMITS, (*ATTACKS, *HARMLESS))),
                **asyncio.run(_attacked(source, SHORT, tuple(SLOW))),
            },
            "connections": _accepted(server) + _received(datagrams),
            "files": [name for name in os.listdir("/tmp") if name == "full" and name not in before],  # noqa: PTH208
        }
    finally:
        del os.environ["SECRET_CANARY"]
        for path in canaries:
            path.unlink()
        server.close()
        datagrams.close()


async def _attacked(source: ScorerSource, limits: Limits, attacks: tuple[str, ...]) -> dict[str, list[object]]:
    """Returns the score of each attack, what is said about it, and the score of an honest case behind it."""
    case = TestCase(id="case-1", inputs={"q": "?"}, expected="x")
    found = {}
    with closing(IsolatedScorers(limits=limits)) as scorers:
        scorer = OwnScorer(source, scorers, ScorerKind.METRIC, name="overall")
        for attack in attacks:
            score, told = await _score(scorer, case, attack)
            honest = None
            for _ in range(TRIES):
                honest, why = await _score(scorer, case, "honest")
                if "longer than" not in why:
                    break
            found[attack] = [score, told, honest]
    return found


async def _score(scorer: OwnScorer, case: TestCase, output: str) -> tuple[float | None, str]:
    (found,) = await scorer.score(case, output, None)  # type: ignore[arg-type]
    if isinstance(found, Score):
        return found.value, found.reason
    return None, f"{found.message} ({found.hint}) [{found.case}]"


def _accepted(server: socket.socket) -> int:
    """Returns whether anything has connected: the kernel keeps a connection until it is accepted."""
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return 0
    return 1


def _received(datagrams: socket.socket) -> int:
    try:
        return len(datagrams.recv(100))
    except BlockingIOError:
        return 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        json.dump(run(Path(folder), Path.home()), sys.stdout)
