"""Fills in templates where they can do no harm: Jinja in a child process that is killed when it takes too long.

The child (adapters/jailed.py) has a sandboxed environment, no variables of ours, no files and limits on memory and CPU;
a template can hang Jinja's compiler, so nothing less than a process will do. It starts with the first Jinja job.
"""

from __future__ import annotations

import importlib.util
import json
import select
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, JsonValue, ValidationError

from schemas.errors import SourceError
from schemas.ports import RenderFailure, RenderJob
from schemas.prompts import Dialect, Message

Result = tuple[Message, ...] | RenderFailure
FillIn = Callable[[RenderJob], Result]

MEMORY_BYTES = 256 * 1024 * 1024
DEADLINE_S = 2.0
MAX_OUTPUT = 4 * 1024 * 1024
"""Characters of one rendered job."""
MAX_KILLS = 3
"""Of one template in one call; then its other jobs fail untried, since 1,000 cases must not take 2,000 seconds."""
GLOBALS = frozenset({"cycler", "dict", "joiner", "lipsum", "namespace", "range"})
"""What Jinja itself brings along and the jail leaves out."""
CHUNK_JOBS = 256
CHUNK_BYTES = 8 * 1024 * 1024
START_S = 10.0
"""Seconds in which a child must be ready."""


class JailedRenderer:
    """Implements TemplateRenderer. ``fill_in`` renders the dialects without logic, in this process.

    One child, restarted after a kill; one bad job fails alone. Safe to call from several threads. Close it, or use it
    as a context manager.
    """

    def __init__(self, fill_in: FillIn, *, deadline_s: float = DEADLINE_S, memory_bytes: int = MEMORY_BYTES) -> None:
        self._fill_in = fill_in
        self._deadline_s = deadline_s
        self._memory_bytes = memory_bytes
        self._lock = threading.Lock()
        self._child: _Child | None = None

    def __enter__(self) -> JailedRenderer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def render(self, jobs: Sequence[RenderJob]) -> list[Result]:
        """One result for each job, in order. Raises SourceError only if no child can be started at all."""
        results: list[Result | None] = [None if job.dialect is Dialect.JINJA else self._fill_in(job) for job in jobs]
        waiting = [(index, job) for index, job in enumerate(jobs) if job.dialect is Dialect.JINJA]
        if waiting:
            with self._lock:
                for index, result in self._render_jinja(waiting):
                    results[index] = result
        return [result for result in results if result is not None]

    def close(self) -> None:
        """Ends the child."""
        with self._lock:
            if self._child is not None:
                self._child.kill()
                self._child = None

    def _render_jinja(self, waiting: list[tuple[int, RenderJob]]) -> Iterator[tuple[int, Result]]:
        kills: Counter[str] = Counter()
        while waiting:
            chunk, keys = _chunk(waiting)
            answered = 0
            for (index, job), key, reply in zip(chunk, keys, self._ask(chunk, keys), strict=False):
                answered += 1
                if isinstance(reply, str):
                    kills[key] += 1
                    yield index, RenderFailure(message=reply, gone=True)
                else:
                    yield index, _result(job, reply)
            waiting = waiting[answered:]
            if kills:
                stopped = {key for key, count in kills.items() if count >= MAX_KILLS}
                left = []
                for index, job in waiting:
                    if _template_key(job) in stopped:
                        yield (
                            index,
                            RenderFailure(
                                message=f"the template was stopped {MAX_KILLS} times, no more is tried", gone=True
                            ),
                        )
                    else:
                        left.append((index, job))
                waiting = left

    def _ask(self, chunk: list[tuple[int, RenderJob]], keys: list[str]) -> list[_Reply | str]:
        """The child's replies in order; after a text (why the child is gone) or a fatal one there are no more."""
        replies: list[_Reply | str] = []
        if self._child is None:
            self._child = _Child(self._memory_bytes, self._deadline_s)
        try:
            self._child.send(_frame(chunk, keys))
            for _ in chunk:
                reply = self._child.receive(self._deadline_s)
                replies.append(reply)
                if reply.fatal:
                    self._drop_child()
                    break
        except _Gone as gone:
            self._drop_child()
            replies.append(str(gone))
        except BaseException:
            self._drop_child()  # else the next call would read this one's answers
            raise
        return replies

    def _drop_child(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None


class _Reply(BaseModel):
    """What the child says about one job. It is data: the child has run a stranger's template."""

    texts: list[str] | None = None
    failure: str | None = None
    variable: str | None = None
    fatal: bool = False


class _Gone(Exception):  # noqa: N818 - says why the child is gone
    """The child had to be killed, or died."""


class _Child:
    """One jailed process and its two pipes."""

    def __init__(self, memory_bytes: int, deadline_s: float) -> None:
        spec = importlib.util.find_spec("jinja2")
        assert spec is not None
        assert spec.origin is not None
        site = Path(spec.origin).parent.parent
        program = Path(__file__).with_name("jailed.py")
        self._process = subprocess.Popen(  # noqa: S603 - our own program with our own numbers
            [sys.executable, "-I", "-S", "-B", program, site, str(memory_bytes), str(deadline_s), str(MAX_OUTPUT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            bufsize=0,
        )
        self._finalizer = weakref.finalize(self, _end, self._process)
        try:
            self.receive(START_S)
        except _Gone:
            self.kill()
            raise SourceError(
                "the process that fills in Jinja templates doesn't start", mend="run promptverdict doctor"
            ) from None

    def send(self, frame: bytes) -> None:
        """Raises _Gone."""
        assert self._process.stdin is not None
        try:
            view = memoryview(struct.pack(">I", len(frame)) + frame)
            while view:  # an unbuffered pipe may take less than it is given
                view = view[self._process.stdin.write(view) or 0 :]
        except OSError:
            raise _Gone("the renderer died") from None

    def receive(self, seconds: float) -> _Reply:
        """The next reply within ``seconds``. Raises _Gone."""
        deadline = time.monotonic() + seconds
        size = struct.unpack(">I", self._read(4, deadline))[0]
        if size > 12 * MAX_OUTPUT + 1024:  # what JSON makes of characters, at most
            raise _Gone("the renderer's answer is too long")
        try:
            return _Reply.model_validate_json(self._read(size, deadline))
        except ValidationError:
            raise _Gone("the renderer's answer can't be read") from None

    def _read(self, size: int, deadline: float) -> bytes:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        read = bytearray()
        while len(read) < size:
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise _Gone("it takes too long or never ends: the template was stopped")
            data = self._process.stdout.read(min(size - len(read), 1 << 20))
            if not data:
                raise _Gone("the template used too much memory or time: the renderer was ended")
            read += data
        return bytes(read)

    def kill(self) -> None:
        """Ends the process now."""
        self._finalizer()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _template_key(job: RenderJob) -> str:
    return json.dumps([[message.content for message in job.messages], job.partials], sort_keys=True)


def _chunk(waiting: list[tuple[int, RenderJob]]) -> tuple[list[tuple[int, RenderJob]], list[str]]:
    """As many of the next jobs as one frame takes, with the keys of their templates."""
    keys: list[str] = []
    size = 0
    for _, job in waiting[:CHUNK_JOBS]:
        key = _template_key(job)
        size += sum(len(str(value)) for value in job.variables.values()) + (len(key) if key not in keys else 0)
        if keys and size > CHUNK_BYTES:
            break
        keys.append(key)
    return waiting[: len(keys)], keys


def _frame(chunk: list[tuple[int, RenderJob]], keys: list[str]) -> bytes:
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    templates: dict[str, JsonValue] = {}
    for (_, job), key in zip(chunk, keys, strict=True):
        if key not in templates:
            templates[key] = {"messages": [m.content for m in job.messages], "partials": dict(job.partials)}
    jobs = [[places[key], job.variables] for (_, job), key in zip(chunk, keys, strict=True)]
    return json.dumps({"templates": list(templates.values()), "jobs": jobs}).encode()


def _result(job: RenderJob, reply: _Reply) -> Result:
    if reply.texts is not None and len(reply.texts) == len(job.messages):
        return tuple(
            Message(role=message.role, content=text) for message, text in zip(job.messages, reply.texts, strict=True)
        )
    if reply.variable in GLOBALS:
        return RenderFailure(
            message=f"Jinja's {reply.variable} is not available in prompts: only the case's inputs are"
        )
    if reply.variable is not None:
        has = ", ".join(sorted(job.variables)[:8]) or "none"
        return RenderFailure(
            message=f"the variable {reply.variable} has no value (the case has: {has})", variable=reply.variable
        )
    gone = reply.fatal or reply.failure is None
    return RenderFailure(message=" ".join((reply.failure or "the template failed").split())[:300], gone=gone)
