"""The client in a process of its own: forks, and what an import needs."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.fake_hub import TOKEN, version

ROOT = Path(__file__).parents[2]
FORKING = """
import os, sys, time
from promptverdict_client import Prompts, prompts as module

hub, cache = sys.argv[1:]
prompts = Prompts("acme/shop", tag="production", hub=hub, token="{token}", cache=cache, refresh_s=0.02)
text = lambda: prompts["support-triage"].render().messages[0]["content"]
{before}
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        os.write(1, f"read {{text()}}\\n".encode())
        until = time.monotonic() + 30
        while text() != "v1" and time.monotonic() < until:
            time.sleep(0.01)
        os._exit(text() != "v1")
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""
PLAIN = """
import sys
from promptverdict_client import Prompts
with Prompts("acme/shop", tag="production", hub=sys.argv[1], token="{token}", cache=sys.argv[2]) as prompts:
    prompts["support-triage"].render()
assert sys.modules.keys().isdisjoint({{"jinja2", "dotpromptz_handlebars", "pydantic", "schemas", "engine"}})
"""


def start(code, hub, tmp_path, **more):
    return subprocess.Popen(
        [sys.executable, "-c", code.format(token=TOKEN, **more), hub.url, str(tmp_path / "cache")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT / "client/src"), "PYTHONWARNINGS": "ignore::DeprecationWarning"},
    )


HELD = "module.FORK_WAIT_S = 0; prompts._starting.acquire(); prompts._refreshing.acquire()"
"""As if other threads were starting and refreshing just then."""


@pytest.mark.parametrize("before", ["", "text()", HELD])
def test_every_child_of_a_fork_refreshes_by_itself(hub, tmp_path, before):
    with start(FORKING, hub, tmp_path, before=before) as process:
        assert [process.stdout.readline() for _ in range(3)] == ["read v0\n"] * 3
        hub.put(version(1))
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")


def test_an_import_loads_neither_the_extras_nor_anything_of_ours(hub, tmp_path):
    with start(PLAIN, hub, tmp_path) as process:
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")
