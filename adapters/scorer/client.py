"""Runs own scorers in isolated processes: one supervisor for each scorer, and a fresh child for each answer.

adapters/scorer/supervisor.py is the other side. The processes get no environment, no descriptors of ours and no files
but Python's own modules. Seccomp takes network, files, programs, processes, threads and signals from the children.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import JsonValue

from adapters.framed_child import ChildGoneError, FramedChild
from adapters.scorer import TRUST
from schemas.ports import ScorerCase, ScorerJob, ScorerProblem, ScorerSource

PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); from adapters.scorer.supervisor import main; sys.path.pop(); "
    "main(float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), sys.argv[5] == 'trusted')"
)
ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"PYTHONHASHSEED": "0"}
"""The whole environment. The order of a set must be the same in every run."""
START_S = 60.0
"""Seconds until the supervisor must be ready, and beyond a scorer's own limit until it counts as dead."""
MOST_SLOW = 3
"""Slow answers in a row after which the scorer is stopped, because each one costs its whole time limit."""
MAX_FRAME = 1024 * 1024
SHOWN = 300


class Limits(NamedTuple):
    """Limits for scoring one answer."""

    seconds: float = 10.0
    """Limits wall-clock time, and a second later processor time."""
    memory_bytes: int = 512 * 1024 * 1024


class IsolatedScorers:
    """Implements CodeScorers. Its processes end when it is closed or garbage-collected.

    ``trusted`` runs scorers without isolation where the system has none. It belongs to the operator.
    """

    def __init__(self, *, trusted: bool = False, limits: Limits = Limits()) -> None:  # noqa: B008 - immutable
        self._trusted = trusted
        self._limits = limits
        self._supervisors: dict[ScorerSource, _Supervisor] = {}
        self._problems: dict[ScorerSource, ScorerProblem | None] = {}

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> IsolatedScorers:
        """Returns the scorers of an operator with this environment."""
        return cls(trusted=environment.get(TRUST) == "1")

    def problem(self, source: ScorerSource) -> ScorerProblem | None:
        """Returns why the scorer can't run here, if so. Loads it once, in a child. Blocks."""
        if source not in self._problems:
            found = self._supervisor(source).ask({"case": dict.fromkeys(ScorerCase.model_fields)})
            # Frees the process: the first answer may come much later, or never.
            self._supervisor(source).end()
            self._problems[source] = found if isinstance(found, ScorerProblem) else None
        return self._problems[source]

    async def value(self, source: ScorerSource, job: ScorerJob) -> JsonValue | ScorerProblem:
        """Returns what the scorer's ``handler`` returns: untrusted JSON, which may hold NaN."""
        supervisor = self._supervisor(source)
        request = {"output": job.output, "expected": job.expected, "case": job.case.model_dump(mode="json")}
        loop = asyncio.get_running_loop()
        # A thread of its own: waiting for a slow scorer must not use up the threads that everything else shares.
        return await loop.run_in_executor(supervisor.thread, supervisor.ask, request)

    def close(self) -> None:
        """Ends all processes. A later call starts them again."""
        for supervisor in self._supervisors.values():
            supervisor.end()

    def _supervisor(self, source: ScorerSource) -> _Supervisor:
        if source not in self._supervisors:
            self._supervisors[source] = _Supervisor(source, self._limits, trusted=self._trusted)
        return self._supervisors[source]


class _Supervisor:
    """The process that runs one scorer. It starts with the first request, and again after it died."""

    def __init__(self, source: ScorerSource, limits: Limits, *, trusted: bool) -> None:
        self._source = source
        self._limits = limits
        self._trusted = trusted
        self._process: _Process | None = None
        self._lock = threading.Lock()
        self._slow = 0
        """Answers in a row that took too long."""
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="scorer")

    def ask(self, request: dict[str, JsonValue]) -> JsonValue | ScorerProblem:
        """Returns the handler's value. One request at a time."""
        with self._lock:
            if self._slow >= MOST_SLOW:
                what = (
                    f"it was stopped, because {MOST_SLOW} answers in a row took longer than {self._limits.seconds:g} s"
                )
                return ScorerProblem(what=what, hint="make it faster")
            try:
                if self._process is None:
                    self._process = _Process(self._limits, trusted=self._trusted)
                    told = self._process.ask({"path": self._source.path, "text": self._source.text}, START_S)
                    if told:
                        self.end()
                        return _problem(told)
                reply = self._process.ask(request, self._limits.seconds + START_S)
                self._slow = self._slow + 1 if reply.get("slow") else 0
                return self._read(reply)
            except ChildGoneError as gone:
                self.end()
                return ScorerProblem(what=f"its process stopped: {gone}", hint="run again")
            except BaseException:
                self.end()  # otherwise the next request would read the reply to this one
                raise

    def end(self) -> None:
        """Ends the process. The next request starts another."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    @staticmethod
    def _read(reply: dict[str, Any]) -> JsonValue | ScorerProblem:
        if "payload" not in reply:
            return _problem(reply)
        try:
            said = json.loads(reply["payload"])
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict) or len(said.keys() & {"value", "type", "raised", "unusable"}) != 1:
            return _problem({"problem": "its result can't be read"})
        if "value" in said:
            value: JsonValue = said["value"]
            return value
        return _problem(said)


RETURN = "return a number from 0 to 1, True, False, or a dict with a score"
MODULES = "import only the standard library: a scorer can't read other files"
PERMISSION = "use only what the case gives: a scorer has no files, network, programs, processes or threads"
ALONE = "only compute and return the score: a scorer may use no file descriptors, signals or processes"


def _problem(said: Mapping[str, Any]) -> ScorerProblem:
    """Returns what the supervisor or the child reports. All of it is untrusted."""
    if "type" in said:
        return ScorerProblem(what=f"handler returned {_shown(said['type'])}", hint=RETURN)
    if "raised" in said:
        line = said.get("line")
        known = {"ModuleNotFoundError": MODULES, "ImportError": MODULES, "PermissionError": PERMISSION}
        return ScorerProblem(
            what=f"it raised {_shown(said['raised'])}",
            hint=known.get(str(said.get("kind")), "fix the scorer for this answer"),
            line=line if type(line) is int and 0 < line < 10**6 else None,
        )
    if "unusable" in said:
        return ScorerProblem(what=_shown(said["unusable"]), hint="define `def handler(output, expected):`")
    what = _shown(said.get("problem", "its process reported nothing"))
    if said.get("unisolated"):
        return ScorerProblem(
            what=f"own scorers can't be isolated here: {what}",
            hint=f"run on Linux with seccomp (x86_64 or aarch64), or set {TRUST}=1 to run scorers without isolation",
        )
    return ScorerProblem(what=what, hint="make it faster" if said.get("slow") else ALONE)


def _shown(text: object) -> str:
    line = " ".join(str(text)[: 2 * SHOWN].split())
    clipped = line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
    return "".join(c if c.isprintable() else "�" for c in clipped)


class _Process:
    """One supervisor process."""

    def __init__(self, limits: Limits, *, trusted: bool) -> None:
        numbers = (limits.seconds, limits.seconds, limits.memory_bytes, "trusted" if trusted else "isolated")
        # No packages, no working folder, no bytecode files. `-I` would do the same, but ignores the hash seed.
        arguments = ["-s", "-S", "-P", "-B", "-c", PROGRAM, str(ROOT), *map(str, numbers)]
        self._process = FramedChild(arguments, ENVIRONMENT, own_session=True)
        self.kill = self._process.kill

    def ask(self, request: Mapping[str, JsonValue], seconds: float) -> dict[str, Any]:
        """Sends a request and returns the reply within ``seconds``. Raises ChildGoneError."""
        self._process.send(json.dumps(request).encode())
        reply: dict[str, Any] = json.loads(self._process.receive(seconds, MAX_FRAME))
        return reply
