"""Renders templates safely: those with logic run in a child process that is killed if it takes too long.

The child (adapters/sandbox_worker.py) has a sandboxed environment, none of our variables, no files, and limits on
memory and CPU. It must be a process, because a template can hang Jinja's compiler. It starts with the first job.

Each job is bounded, and so are all jobs of a renderer together: a thousand slow cases must not occupy a bot for hours.
"""

from __future__ import annotations

import importlib.util
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, JsonValue, ValidationError

from adapters.framed_child import ChildGoneError, ChildLateError, FramedChild
from schemas.errors import SourceError
from schemas.ports import RenderFailure, RenderJob
from schemas.prompts import LOGICAL, Dialect, Message, RoleSyntax

Result = tuple[Message, ...] | RenderFailure
FillIn = Callable[[RenderJob], Result]

MEMORY_BYTES = 256 * 1024 * 1024
DEADLINE_S = 2.0
MAX_OUTPUT = 4 * 1024 * 1024
"""Most characters of one rendered job."""
MAX_KILLS = 3
"""Most kills of one template in one call. Its other jobs then fail untried, since 1,000 cases must not take 2,000
seconds."""
GLOBALS = frozenset({"cycler", "dict", "joiner", "lipsum", "namespace", "range"})
"""Globals of Jinja that the sandbox removes."""
CHUNK_JOBS = 256
CHUNK_BYTES = 8 * 1024 * 1024
START_S = 60.0
"""Seconds until a child must be ready. A busy machine may take long to start one of low priority."""
Key = tuple[Dialect, RoleSyntax | None, tuple[str, ...], tuple[tuple[str, str], ...]]
"""The key of a template: its language and roles, the texts of its messages, and its partials by path."""


class Bounds(NamedTuple):
    """The most that all jobs of one renderer may take together."""

    seconds: float
    seconds_per_job: float
    characters: int
    """Most characters of all rendered prompts."""
    nice: int
    """The child's niceness (0 to 19)."""

    def time_for(self, jobs: int) -> float:
        """Seconds that this many jobs may take."""
        return self.seconds + self.seconds_per_job * jobs


ORDINARY = Bounds(seconds=60.0, seconds_per_job=0.005, characters=2**30, nice=0)
STRANGERS = Bounds(seconds=10.0, seconds_per_job=0.0, characters=2**26, nice=19)
"""For forks without approval: anyone can open one, so it gets little time and the lowest priority."""


class SandboxedRenderer:
    """Implements TemplateRenderer. ``fill_in`` renders the dialects without logic, in this process.

    There is one child, restarted after a kill. One bad job fails alone. ``bounds`` apply to all jobs of this renderer
    together; jobs beyond them fail untried. Several threads may call it. Close it, or use it as a context manager.
    """

    def __init__(
        self,
        fill_in: FillIn,
        *,
        bounds: Bounds = ORDINARY,
        deadline_s: float = DEADLINE_S,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self._fill_in = fill_in
        self._bounds = bounds
        self._deadline_s = deadline_s
        self._memory_bytes = memory_bytes
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._jobs = 0
        self._used_s = 0.0
        self._characters = 0

    def __enter__(self) -> SandboxedRenderer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def render(self, jobs: Sequence[RenderJob]) -> list[Result]:
        """Returns one result per job, in order. Raises SourceError only if no child can be started at all."""
        results: list[Result | None] = [None] * len(jobs)
        waiting: list[tuple[int, RenderJob]] = []
        with self._lock:
            # The allowance grows with the jobs, so a large test set gets more time than a small one.
            self._jobs += len(jobs)
            # Only logic runs code of the template; the other dialects are filled in without a child.
            for index, job in enumerate(jobs):
                if job.dialect in LOGICAL:
                    waiting.append((index, job))
                else:
                    results[index] = self._timed(lambda job=job: self._fill_in(job))  # type: ignore[misc]
            for index, result in self._render_logic(waiting):
                results[index] = result
        return [result for result in results if result is not None]

    def close(self) -> None:
        """Ends the child."""
        with self._lock:
            self._drop_child()

    def _timed(self, work: Callable[[], Result]) -> Result:
        over = self._over()
        if over is not None:
            return over
        began = time.monotonic()
        try:
            return self._counted(work())
        finally:
            # Failed work counts too: otherwise templates that raise would be free.
            self._used_s += time.monotonic() - began

    def _over(self) -> RenderFailure | None:
        """Returns why no more jobs are rendered, if the bounds are exhausted."""
        most_s = self._bounds.time_for(self._jobs)
        if self._used_s >= most_s:
            return RenderFailure(message=f"filling in all cases takes longer than {most_s:.0f} s", gone=True)
        if self._characters > self._bounds.characters:
            most = f"{self._bounds.characters // 2**20} MiB"
            return RenderFailure(message=f"the rendered prompts of all cases are longer than {most}", gone=True)
        return None

    def _counted(self, result: Result) -> Result:
        """Returns ``result``, or a failure if all results together exceed the bounds."""
        if not isinstance(result, RenderFailure):
            self._characters += sum(len(message.content) for message in result)
        return result if self._characters <= self._bounds.characters else self._over() or result

    def _render_logic(self, waiting: list[tuple[int, RenderJob]]) -> Iterator[tuple[int, Result]]:
        kills: Counter[Key] = Counter()
        while waiting:
            over = self._over()
            if over is not None:
                yield from ((index, over) for index, _ in waiting)
                return
            chunk, keys = _chunk(waiting)
            began = time.monotonic()
            try:
                replies = self._ask(chunk, keys)
            finally:
                self._used_s += time.monotonic() - began
            for (index, job), key, reply in zip(chunk, keys, replies, strict=False):
                if isinstance(reply, str):
                    kills[key] += 1
                    yield index, RenderFailure(message=reply, gone=True)
                else:
                    yield index, self._counted(_result(job, reply))
            # The rest of the chunk goes to a new child: jobs behind a bad one must not fail with it.
            waiting = waiting[len(replies) :]
            # One bad template must not cost a timeout for each of a thousand cases.
            stopped = {key for key, count in kills.items() if count >= MAX_KILLS}
            if stopped:
                gone = RenderFailure(
                    message=f"the template was stopped {MAX_KILLS} times and is not tried again", gone=True
                )
                yield from ((index, gone) for index, job in waiting if _template_key(job) in stopped)
                waiting = [each for each in waiting if _template_key(each[1]) not in stopped]

    def _ask(self, chunk: list[tuple[int, RenderJob]], keys: list[Key]) -> list[_Reply | str]:
        """Returns the child's replies in order. They end after a text (why the child is gone) or a fatal reply."""
        replies: list[_Reply | str] = []
        # Sizes and times are checked here as well: the child is untrusted once it has seen a template.
        end = time.monotonic() + self._bounds.time_for(self._jobs) - self._used_s
        room = self._bounds.characters - self._characters
        if self._child is None:
            self._child = _Child(self._memory_bytes, self._deadline_s, self._bounds.nice)
        try:
            self._child.send(_frame(chunk, keys))
            for _ in chunk:
                reply = self._child.receive(min(self._deadline_s, end - time.monotonic()))
                replies.append(reply)
                room -= sum(map(len, reply.texts or ()))
                # After running out of memory, the child's state can't be trusted.
                if reply.fatal or room < 0 or time.monotonic() >= end:
                    self._drop_child()
                    break
        except ChildLateError:
            self._drop_child()
            replies.append("the template takes too long or never ends, and was stopped")
        except ChildGoneError:
            self._drop_child()
            replies.append("the template used too much memory or time, and was stopped")
        except BaseException:
            self._drop_child()  # otherwise the next call would read the answers of this one
            raise
        return replies

    def _drop_child(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None


class _Reply(BaseModel):
    """The child's reply to one job. It is untrusted data, since the child has run an unknown template."""

    texts: list[str] | None = None
    failure: str | None = None
    variable: str | None = None
    fatal: bool = False


class _Child:
    """One sandboxed process. Its methods raise ChildGoneError."""

    def __init__(self, memory_bytes: int, deadline_s: float, nice: int) -> None:
        spec = importlib.util.find_spec("jinja2")
        assert spec is not None
        assert spec.origin is not None
        # With `-S`, the child knows no installed packages, so it is told where Jinja is.
        site = Path(spec.origin).parent.parent
        program = Path(__file__).with_name("sandbox_worker.py")
        numbers = map(str, (memory_bytes, deadline_s, MAX_OUTPUT, nice))
        # Isolated: no user packages, no environment, no bytecode files. Only the named folder is added.
        self._process = FramedChild(["-I", "-S", "-B", str(program), str(site), *numbers], env={})
        self.send, self.kill = self._process.send, self._process.kill
        try:
            self.receive(START_S)
        except ChildGoneError:
            self.kill()
            raise SourceError(
                "the process that renders templates doesn't start", hint="run promptverdict doctor"
            ) from None

    def receive(self, seconds: float) -> _Reply:
        """Returns the next reply within ``seconds``."""
        frame = self._process.receive(seconds, 12 * MAX_OUTPUT + 1024)  # the most bytes that JSON uses for a character
        try:
            return _Reply.model_validate_json(frame)
        except ValidationError:
            raise ChildGoneError("its reply can't be read") from None


def _template_key(job: RenderJob) -> Key:
    texts = tuple(message.content for message in job.messages)
    return job.dialect, job.roles, texts, tuple(sorted(job.partials.items()))


def _chunk(waiting: list[tuple[int, RenderJob]]) -> tuple[list[tuple[int, RenderJob]], list[Key]]:
    """Returns as many of the next jobs as fit into one frame, with the keys of their templates."""
    keys: list[Key] = []
    size = 0
    for _, job in waiting[:CHUNK_JOBS]:
        key = _template_key(job)
        size += sum(len(str(value)) for value in job.variables.values())
        # Templates are sent once per frame and shared by their jobs.
        if key not in keys:
            size += sum(map(len, key[2])) + sum(len(path) + len(text) for path, text in key[3])
        if keys and size > CHUNK_BYTES:
            break
        keys.append(key)
    return waiting[: len(keys)], keys


def _frame(chunk: list[tuple[int, RenderJob]], keys: list[Key]) -> bytes:
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    templates: list[JsonValue] = [
        {"language": language, "roles": roles, "messages": list(texts), "partials": dict(partials)}
        for language, roles, texts, partials in places
    ]
    jobs = [[places[key], job.variables] for (_, job), key in zip(chunk, keys, strict=True)]
    return json.dumps({"templates": templates, "jobs": jobs}).encode()


def _result(job: RenderJob, reply: _Reply) -> Result:
    # The number of texts is checked, because the reply may come from a template that took over the child.
    if reply.texts is not None and len(reply.texts) == len(job.messages):
        return tuple(
            Message(role=message.role, content=text) for message, text in zip(job.messages, reply.texts, strict=True)
        )
    if reply.variable in GLOBALS:
        return RenderFailure(
            message=f"Jinja's {reply.variable} is not available in prompts; only the case's inputs are"
        )
    if reply.variable is not None:
        has = ", ".join(sorted(job.variables)[:8]) or "none"
        return RenderFailure(
            message=f"the variable {reply.variable} has no value (the case has: {has})", variable=reply.variable
        )
    gone = reply.fatal or reply.failure is None
    return RenderFailure(message=" ".join((reply.failure or "the template failed").split())[:300], gone=gone)
