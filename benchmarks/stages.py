"""Says on what the wall time of one ``check`` goes, in the job of benchmarks/throughput.py.

    python -m benchmarks.stages [--cases 1000] [--latency-ms 50] [--repeat 5]

A thread looks at the main thread's stack every millisecond and assigns what it sees to a stage: the first line of
``STAGES`` that the stack contains. The SDK's work in the calling process is not among them; where the main thread has
nothing to do meanwhile, it waits. Prints the median share of each stage.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType

from benchmarks.throughput import ours, provider

ROOT = str(Path(__file__).parent.parent) + os.sep
INTERVAL_S = 0.001
STAGES = (
    ("imports", "<frozen importlib", ""),
    ("reads both commits, detects the change", "engine/pipeline.py", "look"),
    ("renders, plans, estimates", "engine/planning/prepared.py", "plan"),
    ("passes calls to the SDK's process and back", "adapters/call_process/", ""),
    ("stores answers", "adapters/store/", ""),
    ("scores answers", "evaluators/", ""),
    ("decides (the gate's statistics)", "engine/gate/", ""),
    ("builds the scorecard", "engine/scorecard/", ""),
    ("writes the scorecard", "engine/render/", ""),
    ("plans cells, budget, limits, progress", "engine/runner/", ""),
    ("waits for answers, runs the event loop", "asyncio/runners.py", "run"),
)
REST = "everything else: git, options, start and end"


def stage_of(frame: FrameType | None) -> str:
    """Returns the stage of a stack."""
    stack = []
    while frame is not None:
        stack.append((frame.f_code.co_filename.removeprefix(ROOT), frame.f_code.co_name))
        frame = frame.f_back
    for stage, path, function in STAGES:
        if any(path in file and function in ("", name) for file, name in stack):
            return stage
    return REST


def watched() -> dict[str, float]:
    """Runs the command of ``sys.argv`` in this process; returns the seconds of each stage."""
    seen: Counter[str] = Counter()
    main, ended = threading.main_thread().ident, threading.Event()
    assert main is not None

    def watch() -> None:
        while not ended.wait(INTERVAL_S):
            seen[stage_of(sys._current_frames().get(main))] += 1  # noqa: SLF001 - there is no public way

    sys.setswitchinterval(INTERVAL_S / 2)
    watcher = threading.Thread(target=watch, daemon=True)
    started = time.perf_counter()
    watcher.start()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        from action.cli.main import main as command_line

        command_line()
    took = time.perf_counter() - started
    ended.set()
    watcher.join()
    return {stage: count / seen.total() * took for stage, count in seen.items()}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--latency-ms", type=float, default=50)
    parser.add_argument("--repeat", type=int, default=5, help="the median is shown")
    given = parser.parse_args()
    runs: list[dict[str, float]] = []
    with provider(given.latency_ms) as url:
        for _ in range(given.repeat):
            with tempfile.TemporaryDirectory() as name:
                command = ours(Path(name), url, given.cases, "ours")[3:]
                child = [sys.executable, "-c", "from benchmarks.stages import child; child()", *command]
                environment = {**os.environ, "FAKE_KEY": "k", "OPENAI_API_KEY": "k"}
                done = subprocess.run(child, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
                runs.append(json.loads(done.stdout))
    totals = [sum(run.values()) for run in runs]
    print(
        f"{given.cases:,} cases, {given.latency_ms:g} ms, median of {given.repeat}: {statistics.median(totals):.2f} s\n"
    )
    print("| stage | s | share |\n|---|--:|--:|")
    for stage in (*(stage for stage, _, _ in STAGES), REST):
        seconds = [run.get(stage, 0.0) for run in runs]
        shares = [one / total for one, total in zip(seconds, totals, strict=True)]
        print(f"| {stage} | {statistics.median(seconds):.2f} | {statistics.median(shares):.0%} |")


def child() -> None:
    """Runs one command and prints its stages as JSON."""
    sys.argv[0] = "promptverdict"
    json.dump(watched(), sys.stdout)


if __name__ == "__main__":
    main()
