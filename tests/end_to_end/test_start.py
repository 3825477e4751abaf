"""The command answers at once: help and the first line of a check come before anything heavy is imported."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.job import repository
from tests.end_to_end.conftest import PATH

ROOT = Path(__file__).parents[2]
HEAVY = {"aiohttp", "anthropic", "asyncio", "engine", "evaluators", "genai_prices", "jinja2", "numpy", "openai", "rich"}


@pytest.mark.parametrize(
    ("modules", "never"),
    [
        ("action.__main__, action.cli.main", {*HEAVY, "pydantic", "adapters"}),
        ("action.__main__, action.cli.main, action.cli.check", HEAVY),
    ],
    ids=["help", "first line"],
)
def test_little_is_imported_before_the_first_word(modules, never):
    code = f"import {modules}, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert not {name.partition(".")[0] for name in done.stdout.split()} & never


def test_a_check_of_a_thousand_cases_says_what_it_compares_and_what_it_may_cost_first(tmp_path):
    repository(tmp_path / "repository", 1000, provider="openai", url="http://127.0.0.1:9/v1", concurrency=4)
    command = [sys.executable, "-m", "action", "check", "--repo", str(tmp_path / "repository"), "--base", "base"]
    env = {"PATH": PATH, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "FAKE_KEY": "k"}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as program:
        assert program.stderr is not None
        first = program.stderr.readline()
        second = program.stderr.readline()
        program.kill()
    assert first.startswith(b"comparing HEAD (")
    assert b"with base (" in first
    assert second == b"measuring triage: up to 2,000 calls for one run of every case, about $0.14\n"
