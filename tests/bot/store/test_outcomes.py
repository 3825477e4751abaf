"""The outcome store as one repository uses it: every use is noted before it is paid, many in one transaction."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlmodel import select

from adapters.store import open_store
from bot.store.repository_outcomes import RepositoryOutcomes
from bot.store.tables import Outcomes
from bot.store.values import RepositoryRef
from schemas.errors import StoreError
from tests.bot.scripted import paid
from tests.run.laboratory import HandClock

NOW = datetime(2026, 11, 21, tzinfo=UTC)
REPO = RepositoryRef(installation_id=7, repository_id=11, full_name="acme/prompts")


class Watched:
    """Records that count transactions; a store that looks whether what it is asked for was noted."""

    def __init__(self, records):
        self.records = records
        self.transactions = 0
        self.unnoted = []
        self.asked = []

    def use_outcomes(self, repository_id, digests, at):
        self.transactions += 1
        self.records.use_outcomes(repository_id, digests, at)

    def _look(self, digests):
        self.asked += digests
        with self.records._database.reading() as session:
            noted = set(session.exec(select(Outcomes.digest)))
        self.unnoted += [digest for digest in digests if digest not in noted]

    async def get(self, keys):
        self._look([digest for digest, _ in keys])
        return {}

    async def claim(self, keys):
        self._look([digest for digest, _ in keys])
        return frozenset(keys)

    async def plan(self, content_digest):
        self._look([content_digest])

    async def keep_plan(self, content_digest, plan):
        self._look([content_digest])
        return plan


@pytest.fixture
def watched(records):
    records.repository(REPO, NOW)
    return Watched(records)


async def test_whatever_is_asked_for_was_noted_before(watched):
    noted = RepositoryOutcomes(watched, watched, REPO, HandClock())
    await noted.claim([("a" * 64, 0), ("a" * 64, 1)])
    await noted.get([("b" * 64, 0)])
    await noted.plan("c" * 64)
    await noted.keep_plan("d" * 64, 1)
    await noted.get([("a" * 64, 7), ("b" * 64, 1)])
    assert (watched.unnoted, len(watched.asked), watched.transactions) == ([], 7, 4)


async def test_many_at_once_are_noted_in_few_transactions(watched):
    noted = RepositoryOutcomes(watched, watched, REPO, HandClock())
    async with asyncio.TaskGroup() as group:
        for number in range(100):
            group.create_task(noted.get([(f"{number:064}", 0)]))
    assert watched.unnoted == []
    assert watched.transactions <= 3


async def test_nothing_is_asked_for_once_the_app_was_removed(watched):
    noted = RepositoryOutcomes(watched, watched, REPO, HandClock())
    watched.records.uninstalled(7, NOW)
    for _ in range(2):
        with pytest.raises(StoreError, match="the App was removed"):
            await noted.claim([("a" * 64, 0)])
    assert watched.asked == []


async def test_what_one_account_paid_for_is_unknown_to_another(records, tmp_path):
    """Otherwise the figure “from the store” tells one account which requests another has made."""
    store, key = open_store(str(tmp_path / "outcomes.sqlite3")), ("a" * 64, 0)
    sibling = REPO.model_copy(update={"repository_id": 12, "repository": "acme/other"})
    stranger = REPO.model_copy(update={"installation_id": 8, "repository_id": 13, "repository": "eve/guess"})
    for repo in (REPO, sibling, stranger):
        records.repository(repo, NOW)
    first, second, third = (RepositoryOutcomes(store, records, repo, HandClock()) for repo in (REPO, sibling, stranger))
    assert await first.claim([key]) == {key}
    assert (await second.claim([key]), await third.claim([key])) == (set(), {key})
    await first.put([paid(*key)])
    await first.keep_plan("c" * 64, 1)
    assert await first.get([key]) == await second.get([key]) == {key: paid(*key)}
    assert await second.history([key[0]]) == {key[0]: (paid(*key),)}
    assert await second.plan("c" * 64) == 1
    assert (await third.get([key]), await third.history([key[0]]), await third.plan("c" * 64)) == ({}, {}, None)
    await third.release([key])
    assert await store.get([key]) == {}
    await store.aclose()
