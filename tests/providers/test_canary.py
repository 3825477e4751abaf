"""The canary: a fake secret that must appear on no surface, raw, base64, hex or URL-encoded."""

import asyncio
import base64
import os
import shutil
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from action.cli.check import renderer
from benchmarks.job import repository
from schemas.outcomes import ErrorKind
from schemas.ports import RenderJob
from schemas.prompts import Dialect, Message
from tests.faults import ALL
from tests.providers.conftest import KEY, request_of

SPELLINGS = [
    spelling
    for raw in (KEY.encode(), f"Bearer {KEY}".encode())
    for spelling in (
        raw,
        base64.b64encode(raw),
        base64.urlsafe_b64encode(raw),
        raw.hex().encode(),
        raw.hex().upper().encode(),
    )
] + [quote(KEY, safe="").encode(), base64.b64encode(KEY.encode())[:-4]]


def leaks(data):
    return [spelling for spelling in SPELLINGS if spelling in data]


async def test_a_refusal_that_quotes_the_key(provider):
    answer = await provider.complete(request_of("[[echo-key]]"), repetition=0, timeout_s=5)
    assert answer.kind is ErrorKind.AUTHENTICATION
    assert "Incorrect API key" in answer.message
    assert not leaks(answer.model_dump_json().encode())


@pytest.mark.slow
@pytest.mark.parametrize("fault", [None, "echo-key", "reset", "html"] if ALL else ["echo-key", "reset"])
async def test_a_whole_run_shows_the_key_nowhere(fake, tmp_path, fault):
    repository(tmp_path / "repository", 12, provider="openai", url=f"{fake.url}/v1", concurrency=4)
    if fault:
        prompt = tmp_path / "repository" / "triage.prompt.yml"
        prompt.write_text(
            prompt.read_text().replace("Is it", f"[[{fault} x1]] Is it" if fault == "reset" else f"[[{fault}]] Is it")
        )
        git = ["git", "-C", str(tmp_path / "repository"), "-c", "user.name=x", "-c", "user.email=x@localhost"]
        program = await asyncio.create_subprocess_exec(*git, "commit", "-qam", "fault")
        await program.wait()
    where = ["--repo", str(tmp_path / "repository"), "--base", "base", "--store", str(tmp_path / "store" / "o.db")]
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "action", "check", *where, "--yes", "--output", str(tmp_path / "reports"),
        env={**os.environ, "FAKE_KEY": KEY, "HOME": str(tmp_path), "OPENAI_LOG": "debug", "ANTHROPIC_LOG": "debug"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await program.communicate()
    assert fake.requests >= 2, said.decode()
    assert any(KEY in value for _, headers in fake.heads for value in headers.values())  # it was really in use
    assert not leaks(said), said.decode()
    written = [path for folder in ("store", "reports") for path in (tmp_path / folder).rglob("*") if path.is_file()]
    assert len(written) >= 3
    assert not [path for path in written if leaks(path.read_bytes())]
    if fault == "echo-key":
        assert b"api_key_env" in said


async def test_an_answer_that_quotes_the_key(provider):
    answer = await provider.complete(request_of("[[say-key]]"), repetition=0, timeout_s=5)
    assert answer.text.count("•••") == 4
    assert len(answer.text) < 20  # of base64 a letter or two may be left, which say nothing


BUG = """
from adapters.call_process import process
there = process.PROGRAM.replace(" main(", '''
from adapters.providers.openai import OpenAiProvider
def read(self, answer, latency_s, request):
    raise RuntimeError({spellings!r})
OpenAiProvider.read = read
main(''')
process.PROGRAM = there
from action.cli.main import main
main()
"""
SHIM = """#!/bin/sh
env > "{folder}/$$"
exec {git} "$@"
"""


@pytest.mark.slow
async def test_neither_our_own_bug_nor_gits_environment_shows_the_key(fake, tmp_path):
    repository(tmp_path / "repository", 2, provider="openai", url=f"{fake.url}/v1", concurrency=4)
    (tmp_path / "bin").mkdir()
    (tmp_path / "seen").mkdir()
    shim = tmp_path / "bin" / "git"
    shim.write_text(SHIM.format(folder=tmp_path / "seen", git=shutil.which("git")))
    shim.chmod(0o755)
    where = ["--repo", str(tmp_path / "repository"), "--base", "base", "--store", str(tmp_path / "o.db")]
    bug = BUG.format(spellings=" ".join(spelling.decode() for spelling in SPELLINGS[:-1]))
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", bug, "check", *where, "--yes",
        env={**os.environ, "FAKE_KEY": KEY, "HOME": str(tmp_path), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await program.communicate()
    assert program.returncode == 3
    assert b"RuntimeError: " in said
    assert b"\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2" in said
    assert not leaks(said)
    seen = [file.read_bytes() for file in (tmp_path / "seen").iterdir()]
    assert len(seen) > 5
    assert all(b"FAKE_KEY" not in environment and not leaks(environment) for environment in seen)


def test_the_jail_does_not_inherit_the_key(monkeypatch):
    monkeypatch.setenv("FAKE_KEY", KEY)
    with closing(renderer()) as sandbox:
        sandbox.render(
            [RenderJob(dialect=Dialect.JINJA, messages=(Message(role="user", content="{{ x }}"),), variables={"x": 1})]
        )
        children = [
            child for task in Path("/proc/self/task").iterdir() for child in (task / "children").read_text().split()
        ]
        environments = [Path(f"/proc/{child}/environ").read_bytes() for child in children]
    assert environments
    assert not [environment for environment in environments if leaks(environment)]
