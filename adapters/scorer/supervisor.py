"""Runs own scorers: a process of ours that starts a fresh child for each answer. adapters/scorer/client.py starts it.

The supervisor runs no code of the scorer. It reads a request, forks, and passes on what the child returns through a
pipe of its own. The child loads the scorer, scores one answer and ends, so nothing that a scorer, or an answer that it
executes, leaves behind reaches another answer. A frame in either direction is a length (4 bytes, big endian) and JSON.

Each child gets a random nonce, which starts its result. A result without it, a second one, and an end without any are
errors. Code in the child can find the nonce: all it can do with it is to choose the score of its own answer.

Imports the standard library only, and runs without installed packages.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib
import inspect
import json
import math
import os
import random
import resource
import select
import signal
import struct
import sys
import time
from types import CodeType
from typing import Any, NoReturn

from adapters.scorer.seccomp import COMPUTING, SUPERVISING, die_with_parent, hide, restrict

MAX_REPLY = 64 * 1024
"""Most bytes of a result."""
MAX_REASON = 2000
"""Most characters of a reason."""
NONCE_BYTES = 16
RESULTS = 3
"""The child's descriptor for its result."""
MOST_DESCRIPTORS = 64
KEYS = ("score", "reason", "passed", "pass")
USUAL = (
    "_strptime", "bisect", "calendar", "collections.abc", "datetime", "decimal", "difflib", "encodings.ascii",
    "encodings.cp1252", "encodings.idna", "encodings.latin_1", "encodings.utf_16", "encodings.utf_32",
    "encodings.utf_8", "fractions", "functools", "html", "itertools", "locale", "random", "re",
    "statistics", "string", "textwrap", "typing", "unicodedata", "urllib.parse",
)  # fmt: skip
"""Modules that scorers use, or that these import later: a child can open no file."""


def main(cpu_s: float, wall_s: float, memory: int, trusted: bool) -> None:
    """Serves requests on standard input until it closes. ``trusted``: goes on where the system can't isolate."""
    frame = _read()
    if frame is None:
        return
    unisolated = _isolate()
    if unisolated and not trusted:
        _say({"problem": unisolated, "unisolated": True})
        return
    for module in USUAL:
        importlib.import_module(module)
    try:
        code = compile(frame["text"], frame["path"], "exec")
        _import_needed(frame["text"])
    except Exception as error:  # noqa: BLE001 - a scorer's source may fail in any way
        _say(_raised(error, frame["path"]))
        return
    _say({})
    # Children share these objects with us until they write to them.
    gc.freeze()
    scorer = Scorer(code, frame["path"], cpu_s, wall_s, memory, isolated=not unisolated)
    while (request := _read()) is not None:
        _say(scorer.reply(request))


def _isolate() -> str:
    """Hides this process and takes system calls away from it. Returns why that isn't possible, if so."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        hide()
        restrict(SUPERVISING)
    except OSError as error:
        return str(error)
    return ""


def _import_needed(text: str) -> None:
    """Imports the modules of the standard library that the scorer names, also inside of functions."""
    for node in ast.walk(ast.parse(text)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.partition(".")[0] in sys.stdlib_module_names:
                # What can't be imported fails in the child, where it is reported with its line.
                with contextlib.suppress(BaseException):
                    importlib.import_module(name)


class Scorer:
    """Starts one child for each request."""

    def __init__(self, code: CodeType, path: str, cpu_s: float, wall_s: float, memory: int, *, isolated: bool) -> None:
        self.code = code
        self.path = path
        self.cpu_s = cpu_s
        self.wall_s = wall_s
        self.memory = memory
        self.isolated = isolated

    def reply(self, request: dict[str, Any]) -> dict[str, Any]:
        """Returns the child's own JSON as ``payload``, or a ``problem``."""
        nonce = os.urandom(NONCE_BYTES)
        source, sink = os.pipe()
        child = os.fork()
        if child == 0:
            self._child(request, nonce, sink)
        os.close(sink)
        deadline = time.monotonic() + self.wall_s
        try:
            data = _collect(source, deadline)
        finally:
            os.close(source)
            # A child that has closed its pipe may go on. One that has exited keeps its status.
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        return self._judged(data, nonce, os.waitstatus_to_exitcode(status))

    def _judged(self, data: bytes | None, nonce: bytes, exit_code: int) -> dict[str, Any]:
        if data is None:
            return {"problem": f"it took longer than {self.wall_s:g} s", "slow": True}
        if len(data) > MAX_REPLY or (data and not data.startswith(nonce)):
            return {"problem": "it wrote to the file descriptor of its result"}
        if exit_code or not data:
            return {"problem": f"its process {_ended(exit_code)} without a result"}
        return {"payload": data[NONCE_BYTES:].decode("ascii", "replace")}

    def _child(self, request: dict[str, Any], nonce: bytes, sink: int) -> NoReturn:
        try:
            die_with_parent()
            for standard in (0, 1):
                os.dup2(2, standard)  # the null device
            if sink != RESULTS:
                os.dup2(sink, RESULTS)
            os.closerange(RESULTS + 1, MOST_DESCRIPTORS)
            self._limit()
            if self.isolated:
                restrict(COMPUTING)
            result = nonce + _run(self.code, self.path, request).encode()
            while result:
                result = result[os.write(RESULTS, result) :]
            os._exit(0)
        finally:  # also if it can't be isolated, although the supervisor is
            os._exit(1)

    def _limit(self) -> None:
        # A second more than the wall clock, which says what happened. This only catches what it misses.
        seconds = math.ceil(self.cpu_s) + 1
        for limit, value in (
            (resource.RLIMIT_CPU, seconds),
            (resource.RLIMIT_AS, self.memory),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_NOFILE, RESULTS + 1),
        ):
            with contextlib.suppress(ValueError, OSError):  # macOS refuses some of these
                resource.setrlimit(limit, (value, value))


def _ended(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exited with code {exit_code}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-exit_code).name}"
    return f"was killed by signal {-exit_code}"


def _collect(source: int, deadline: float) -> bytes | None:
    """Returns what the child writes until it closes its pipe, or writes too much; ``None`` after the deadline."""
    data = bytearray()
    while len(data) <= MAX_REPLY:
        ready, _, _ = select.select([source], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return None
        piece = os.read(source, MAX_REPLY)
        if not piece:
            break
        data += piece
    return bytes(data)


def _run(code: CodeType, path: str, request: dict[str, Any]) -> str:
    """Loads the scorer, scores one answer and returns JSON. Without an answer, only looks at the handler."""
    try:
        # The same answer must get the same score in every run.
        random.seed(0)
        names: dict[str, Any] = {"__name__": "scorer", "__file__": path}
        exec(code, names)  # noqa: S102 - this is what the sandbox is for
        handler = names.get("handler")
        known = request["case"]
        taken, problem = _taken(handler, known)
        if problem or "output" not in request:
            return json.dumps({"unusable": problem} if problem else {"value": None})
        given = {name: known[name] for name in taken}
        return json.dumps(_told(handler(request["output"], request["expected"], **given)))  # type: ignore[misc]
    except BaseException as error:  # noqa: BLE001 - also what asks the process to end
        return json.dumps(_raised(error, path))


_RETURN_NO_SCORE = (
    inspect.isclass,
    inspect.iscoroutinefunction,
    inspect.isgeneratorfunction,
    inspect.isasyncgenfunction,
)
"""What tells handlers whose call returns an object, a coroutine or a generator."""


def _taken(handler: object, known: dict[str, Any]) -> tuple[list[str], str]:
    """Returns the facts about a case that the handler takes, or why it can't be called."""
    if not callable(handler):
        return [], "it has no function handler(output, expected)"
    if any(found(handler) for found in _RETURN_NO_SCORE):
        return [], "handler is a class, a generator or async, so a call of it returns no score"
    parameters = inspect.signature(handler).parameters
    first = list(parameters)[:2]
    if first[:1] == ["expected"] or first[1:] == ["output"]:
        return [], f"handler takes ({', '.join(first)}), but gets the output first and then what is expected"
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        taken = list(known)
    else:
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        taken = [name for name in known if name in parameters and parameters[name].kind in named]
    # The first two are given by position, so a name of theirs can't be given again.
    taken = [name for name in taken if name not in first]
    try:
        inspect.signature(handler).bind("", None, **dict.fromkeys(taken))
    except TypeError as error:
        return [], f"handler can't be called with (output, expected, **case): {error}"
    return taken, ""


def _told(value: object) -> dict[str, Any]:
    """Returns the handler's value as JSON, or the name of its type."""
    if isinstance(value, dict):
        value = {key: value[key] for key in KEYS if key in value}
        if isinstance(reason := value.get("reason"), str):
            value["reason"] = reason[:MAX_REASON]
        parts = list(value.items())
    else:
        parts = [("", value)]
    for key, part in parts:
        if not (part is None or isinstance(part, bool | int | float) or (isinstance(part, str) and key == "reason")):
            return {"type": f"{type(part).__name__} as {key}" if key else type(part).__name__}
    return {"value": value}


def _raised(error: BaseException, path: str) -> dict[str, Any]:
    name, text = type(error).__name__, str(error)[:MAX_REASON]
    return {"raised": f"{name}: {text}" if text else name, "line": _line(error, path), "kind": name}


def _line(error: BaseException, path: str) -> int | None:
    """Returns the line of the scorer where the exception passed last."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _read() -> dict[str, Any] | None:
    header = _exactly(4)
    if header is None:
        return None
    data = _exactly(struct.unpack(">I", header)[0])
    frame: dict[str, Any] | None = None if data is None else json.loads(data)
    return frame


def _exactly(size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        piece = os.read(0, min(size - len(data), 1 << 20))
        if not piece:
            return None
        data += piece
    return bytes(data)


def _say(reply: dict[str, Any]) -> None:
    data = json.dumps(reply).encode()
    data = struct.pack(">I", len(data)) + data
    while data:
        data = data[os.write(1, data) :]
