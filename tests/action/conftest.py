"""A repository with a prompt, a GitHub around it, and a runner."""

import asyncio
from decimal import Decimal

import pytest

from adapters.store import open_store
from schemas.outcomes import Completion, Finish, StoredCompletion, Usage
from tests.action.stage import GATE, PROMPT, Stage
from tests.fakes.github import Scene


@pytest.fixture
def scene(github):
    repository = github.repository("acme/shop", mia="maintain", max="write", ada="write", rob="read")
    repository.git.commit("main", {PROMPT: "Sort the ticket.\n", GATE: "version: 1\n", "README.md": "shop\n"})
    for branch in ("main", "release"):
        repository.required_checks[branch] = [{"context": "prompt-verdict"}]
    return Scene(github, repository)


@pytest.fixture
def stage(github, scene, tmp_path):
    return Stage(github, scene, tmp_path)


@pytest.fixture
def outcomes(tmp_path):
    """The bytes of an outcome store with so many rows, and with plans."""

    def make(count, plans=()):
        path = tmp_path / f"made-{count}.sqlite3"

        async def fill():
            store = open_store(str(path))
            await store.put([stored(n) for n in range(count)])
            for digest in plans:
                await store.keep_plan(digest, plans[digest])
            await store.aclose()

        asyncio.run(fill())
        return path.read_bytes()

    return make


def stored(number):
    completion = Completion(
        text="billing", finish=Finish.STOP, usage=Usage(input=9, output=1), model="m", latency_s=0.1
    )
    return StoredCompletion(
        request_digest=f"{number:064x}", repetition=0, completion=completion, cost_usd=Decimal("0.01"),
        neutral_cost_usd=Decimal("0.01"), provider="offline", model="m", created_at="2026-11-21T12:00:00Z",
    )  # fmt: skip
