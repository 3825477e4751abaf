"""A short version of ``make soak``: killed again and again, a run pays for nothing twice and ends with the same verdict."""

import json
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec

import pytest


@pytest.mark.slow
async def test_a_run_that_is_killed_again_and_again_pays_for_nothing_twice():
    arguments = ["--kills", "4", "--cases", "150"]
    program = await create_subprocess_exec(
        sys.executable, "-m", "benchmarks.soak_kill", *arguments, stdout=PIPE, stderr=PIPE
    )
    said, complaints = await program.communicate()
    assert program.returncode == 0, complaints.decode()[-2000:]
    report = json.loads(said)
    assert report["kills"] == 4
    assert report["distinct"] == 300
    assert report["repeated"] <= 4 * 64
