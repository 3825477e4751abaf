"""``promptverdict suggest``: an edit that git applies, the cost before it, and an interrupted search that goes on."""

import asyncio
import json
import os
import signal
import subprocess
import sys

import pytest

from adapters.call_process.client import Caller
from engine.improve.suggest import ROUNDS
from tests.end_to_end.test_interrupt import ROOT, START
from tests.fakes.llm import FakeLlm
from tests.improve import lab

pytestmark = pytest.mark.slow

COMMAND = ("suggest", "triage", "--reflector", "editor")


@pytest.fixture
def shop(project):
    project.repository.commit(lab.files(), branch="main")
    project.repository.checkout("main")
    return project


@pytest.fixture
def models(monkeypatch):
    models = lab.Models(lab.fixes)
    monkeypatch.setattr(Caller, "provider", lambda *_: models.provider)
    return models


def test_the_patch_in_the_output_is_the_edit_and_both_numbers_are_above_it(shop, models):
    ran = shop.run(*COMMAND)
    text, begun, patch = ran.out.partition("--- a/triage.prompt.yml\n")
    assert (ran.code, bool(begun)) == (0, True)
    lines = text.splitlines()
    own = next(n for n, line in enumerate(lines) if line.startswith("  optimizer's own figure  30 cases: "))
    assert lines[own + 1].startswith("  cases it never saw      38 cases: ")
    assert lines[own + 2] == "  proposed"
    assert "failing cases mention “chargeback”" in text
    subprocess.run(["git", "apply", "-"], input=begun + patch, text=True, check=True, cwd=shop.repository.path)
    edited = (shop.repository.path / "triage.prompt.yml").read_text()
    added = f"      {lab.RULE}\n"
    assert edited == lab.PROMPT.replace("  - role: user\n", f"{added}  - role: user\n")
    assert ran.err.index("30 cases shown to the optimizer, 30 held out, 8 never shown") < ran.err.index("edit 1 of")
    asked = models.provider.calls
    again = json.loads(shop.run(*COMMAND, "--format", "json").out)
    assert (again["calls"], models.provider.calls) == (0, asked)
    assert again["patch"] == begun + patch


def test_a_dry_run_prints_the_cost_and_calls_nothing(shop, models):
    ran = shop.run(*COMMAND, "--dry-run", "--budget", "0.5", "--held-out", "0.7")
    assert (ran.code, models.provider.calls) == (0, 0)
    assert ran.out.startswith("triage: 18 cases shown to the optimizer, 42 held out, 8 never shown.")
    assert "never costs more than $0.50" in ran.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("suggest", "triage"), "triage has no judge to rewrite its prompt (--reflector NAME: toy, editor)"),
        ((*COMMAND[:3], "nobody"), "there is no model 'nobody'"),
        (("suggest", "sort"), "unknown lineage 'sort'"),
    ],
)
def test_a_mistake_is_said_before_anything_runs(shop, arguments, says):
    ran = shop.run(*arguments)
    assert (ran.code, says in ran.err) == (2, True)


@pytest.mark.slow
def test_stored_answers_name_the_commit_that_lost_cases_and_take_it_back(shop, models):
    ruled = lab.PROMPT.replace("money back, returns\n", f"money back, returns\n      {lab.RULE}\n")
    for text in (ruled, lab.PROMPT):
        shop.repository.commit({"triage.prompt.yml": text}, branch="main", message=f"Use {len(text)} characters")
        assert shop.run("score", "--lineage", "triage").code == 0
    asked = models.provider.calls
    ran = shop.run("suggest", "triage", "--budget", "0")
    assert (ran.code, models.provider.calls) == (0, asked)
    assert "68 of 68 cases have a stored answer" in ran.out
    assert f"“Use {len(lab.PROMPT)} characters”" in ran.out
    assert f"    + {lab.RULE}" in ran.out
    begun = ran.out.index("--- a/triage.prompt.yml")
    subprocess.run(["git", "apply", "-"], input=ran.out[begun:], text=True, check=True, cwd=shop.repository.path)
    assert lab.RULE in (shop.repository.path / "triage.prompt.yml").read_text()
    found = json.loads(shop.run("suggest", "triage", "--budget", "0", "--format", "json").out)
    assert {f"c{n}" for n in range(0, 60, 3)} & set(found["losses"][0]["cases"])
    shop.run(*COMMAND, "--budget", "0.02")
    sent = models.reflected[0].messages[0].content
    assert f"<part>\n{lab.RULE}" in sent or f"<part>{lab.RULE}" in sent, "the search learns of it"
    assert lab.CANARY not in sent


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
async def test_a_search_that_is_killed_keeps_what_it_paid_for(shop, how):
    async with FakeLlm(latency_s=0.05) as fake:
        served = f"{{provider: openai, base_url: '{fake.url}/v1', api_key_env: KEY, model"
        config = lab.CONFIG.replace("{provider: offline, model", served) + "run: {max_concurrency: 2}\n"
        shop.repository.commit({"promptverdict.yaml": config}, branch="main")

        async def start():
            return await asyncio.create_subprocess_exec(
                sys.executable, "-c", START, *COMMAND, "--format", "json",
                cwd=shop.repository.path,
                env={"PATH": os.environ["PATH"], "HOME": str(shop.home), "PYTHONPATH": str(ROOT), "KEY": "sk-test"},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip

        process = await start()
        async with asyncio.timeout(60):
            while fake.answered < 9:  # noqa: ASYNC110 - the fake has no event for it
                await asyncio.sleep(0.02)
            fake.latency_s = 120.0  # no call in flight ends by itself
            process.send_signal(how)
            _, err = await process.communicate()
        if how is signal.SIGINT:
            assert process.returncode == 130
            assert err.decode().count("the same command continues from there") == 1
            assert "Traceback" not in err.decode()
        await fake.hung_up()
        kept = json.loads((await asyncio.to_thread(shop.run, "store", "stats", "--format", "json")).out)["completions"]
        fake.latency_s, before = 0.0, fake.requests
        process = await start()
        async with asyncio.timeout(60):
            out, _ = await process.communicate()
        found = json.loads(out)
        assert found["calls"] == fake.requests - before
        assert 9 - 2 <= kept <= fake.answered - found["calls"]
        # Its answers are the last word of a message, so no edit is usable: each shown case and each round is one call.
        assert (found["edits"], found["calls"] + kept) == (0, 30 + ROUNDS)
