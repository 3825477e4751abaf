"""A short version of ``make soak``: killed and damaged, the bot repairs itself or says what an operator must do; slow
forks keep nobody waiting."""

import json
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec

import pytest


async def campaign(*arguments):
    program = await create_subprocess_exec(sys.executable, "-m", *arguments, stdout=PIPE, stderr=PIPE)
    said, complaints = await program.communicate()
    assert program.returncode == 0, complaints.decode()[-2000:]
    return [json.loads(line) for line in said.splitlines()]


@pytest.mark.slow
@pytest.mark.long
async def test_a_bot_that_is_killed_and_damaged_repairs_itself_or_says_what_to_do():
    kills, damage = await campaign("benchmarks.self_repair", "--kills", "1", "--damage", "1", "--seed", "3")
    assert (kills["kills"], damage["damage"]) == (1, 2)
