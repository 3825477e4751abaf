"""Ctrl-C: what was paid for is kept, one line says how to go on, and the same command goes on from there."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.end_to_end.conftest import CONFIG, PROMPT
from tests.fakes.llm import FakeLlm

ROOT = Path(__file__).parents[2]
START = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from action.cli.main import main; main()"
)
"""As in a terminal: who starts the tests in the background of a script has them ignore Ctrl-C."""
COMMAND = ("-c", START, "check", "--head", "slow", "--base", "main", "--format", "json")


async def started(project):
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *COMMAND,
        cwd=project.repository.path,
        env={"PATH": os.environ["PATH"], "HOME": str(project.home), "PYTHONPATH": str(ROOT), "HOUSE_KEY": "sk-test"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.slow
async def test_an_interrupted_run_keeps_every_finished_answer_and_says_how_to_go_on(project):
    async with FakeLlm(latency_s=0.1) as fake:
        model = f"{{provider: openai, model: m, base_url: '{fake.url}/v1', api_key_env: HOUSE_KEY, price: {{input: 1, output: 4}}}}"
        start = CONFIG.index("  toy:")
        config = (
            CONFIG[:start] + f"  toy: {model}" + CONFIG[CONFIG.index("\ndefaults:") :] + "run: {max_concurrency: 3}\n"
        )
        base = project.repository.commit({"promptverdict.yaml": config}, branch="main")
        edited = PROMPT.replace("two teams", "2 teams")
        project.repository.commit({"prompts/triage.prompt.yml": edited}, branch="slow", parent=base)
        process = await started(project)
        async with asyncio.timeout(60):
            while fake.answered < 9:  # noqa: ASYNC110 - the fake has no event for it
                await asyncio.sleep(0.02)
            fake.latency_s = 30.0  # so that it can't end before the signal, however busy this machine is
            process.send_signal(signal.SIGINT)
            _, err = await process.communicate()
        lines = err.decode().splitlines()
        assert process.returncode == 130
        assert "Traceback" not in err.decode()
        assert sum("the same command continues from there" in line for line in lines) == 1
        kept = json.loads((await asyncio.to_thread(project.run, "store", "stats", "--format", "json")).out)[
            "completions"
        ]
        assert 9 - 3 <= kept <= fake.answered
        await fake.hung_up()
        fake.latency_s, before = 0.0, fake.requests
        process = await started(project)
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        spending = json.loads(out)["spending"]
        assert spending["stored"] >= kept
        assert spending["made"] == fake.requests - before
