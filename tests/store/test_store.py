"""The outcome store: what ``put`` returned from is on disk; rows are only added; nobody pays for one call twice."""

import asyncio
import sqlite3
import sys
from contextlib import closing
from decimal import Decimal

import psycopg
import pytest

from adapters.clock import SystemClock
from adapters.store import open_store
from adapters.store.rows import checksum, to_row
from adapters.store.sqlite import APPLICATION
from schemas.errors import StoreError
from schemas.outcomes import Completion, Finish, StoredCompletion, ToolCall, Usage
from tests.run.laboratory import Scripted, experiment, run_one


def row(digest="a", repetition=0, *, text="yes", at="2026-11-21T00:00:00.000000+00:00", cost="0.0012300"):
    return StoredCompletion(
        request_digest=digest * 64,
        repetition=repetition,
        completion=Completion(
            text=text, finish=Finish.STOP, usage=Usage(input=3, output=1, cached_input=2), model="m-1", fingerprint="f",
            tool_calls=(ToolCall(name="t", arguments="{}"),), latency_s=0.25, attempts=2,
        ),
        cost_usd=Decimal(cost), neutral_cost_usd=Decimal("0.002"), price={"input": "1"}, provider="openai", model="m",
        created_at=at,
    )  # fmt: skip


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "outcomes.db"


@pytest.fixture(params=["sqlite", "postgres"])
def where(request):
    """An empty store's place, in a file and in a database."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("path"))
    return request.getfixturevalue("new_database")()


@pytest.fixture
async def store(where):
    store = open_store(where)
    yield store
    await store.aclose()


@pytest.fixture
async def file_store(path):
    store = open_store(str(path))
    yield store
    await store.aclose()


async def test_what_was_put_comes_back_whole_also_after_a_restart(store, where):
    await store.put([row(), row(repetition=1, text="ünï ☃")])
    await store.aclose()
    again = open_store(where)
    found = await again.get([("a" * 64, 0), ("a" * 64, 1), ("b" * 64, 0)])
    assert found == {("a" * 64, 0): row(), ("a" * 64, 1): row(repetition=1, text="ünï ☃")}
    assert str(found["a" * 64, 0].cost_usd) == "0.0012300"
    await again.aclose()


async def test_the_newest_row_is_in_use_and_the_old_one_is_history(store):
    await store.put([row(text="old")])
    await store.put([row(text="new", at="2026-11-25T00:00:00.000000+00:00")])
    assert (await store.get([("a" * 64, 0)]))["a" * 64, 0].completion.text == "new"
    history = await store.history(["a" * 64, "b" * 64])
    assert [one.completion.text for one in history["a" * 64]] == ["old", "new"]
    assert "b" * 64 not in history


async def test_many_writers_share_a_sync(store):
    commits = 0
    whole = store._backend.transaction

    def counted():
        nonlocal commits
        commits += 1
        return whole()

    store._backend.transaction = counted
    async with asyncio.TaskGroup() as group:
        for repetition in range(200):
            group.create_task(store.put([row(repetition=repetition)]))
    assert commits < 50
    assert (await store.stats()).completions == 200


async def test_many_digests_at_once(store):
    rows = [row().model_copy(update={"request_digest": f"{at:064x}"}) for at in range(1200)]
    await store.put(rows)
    assert len(await store.get([(one.request_digest, 0) for one in rows])) == 1200


async def test_a_claim_is_won_once(store, where):
    other = open_store(where)
    keys = [("a" * 64, 0), ("b" * 64, 0)]
    assert await store.claim(keys) == set(keys)
    assert await store.claim(keys) == set()
    assert await other.claim([*keys, ("c" * 64, 0)]) == {("c" * 64, 0)}
    await store.release([keys[0]])
    assert await other.claim(keys) == {keys[0]}
    await other.release([keys[1]])  # not ours: no effect
    assert await other.claim(keys) == set()
    await store.put([row("b")])
    assert await other.claim(keys) == {keys[1]}  # stored now; who claims looks again before calling
    await other.aclose()


async def test_claims_end_with_the_life_of_the_process_that_held_them(store, where):
    program = (
        "import asyncio, os, sys\n"
        "from adapters.store import open_store\n"
        "async def main():\n"
        f"    store = open_store({where!r})\n"
        "    print(len(await store.claim([('a' * 64, 0)])), flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    said, _ = await child.communicate()
    assert said.strip() == b"1"
    async with asyncio.timeout(10):  # a busy server notices a moment later that a client is gone
        while not await store.claim([("a" * 64, 0)]):  # noqa: ASYNC110 - it has no event for it
            await asyncio.sleep(0.05)


async def test_a_claim_that_could_not_be_given_up_is_before_the_next_is_made(file_store, path):
    await file_store.claim([("a" * 64, 0)])
    file_store._backend._writer.execute("PRAGMA busy_timeout = 50")
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError):
            await file_store.release([("a" * 64, 0)])
        other.execute("ROLLBACK")
    assert await file_store.claim([("a" * 64, 0)])


async def test_closing_gives_claims_up_and_leaves_nothing_behind(store, where):
    other = open_store(where)
    await other.claim([("a" * 64, 0)])
    await other.aclose()
    await other.aclose()
    assert await store.claim([("a" * 64, 0)])


async def test_the_first_plan_of_a_digest_is_kept(store):
    assert await store.plan("d") is None
    assert await store.keep_plan("d", {"b": 1, "a": [1.5]}) == {"a": [1.5], "b": 1}
    assert await store.keep_plan("d", {"other": 1}) == {"a": [1.5], "b": 1}
    assert await store.plan("d") == {"a": [1.5], "b": 1}


async def test_every_plan_is_listed_with_its_digest(store):
    await store.keep_plan("e", {"n": 2})
    await store.keep_plan("d", {"n": 1})
    assert list(store.plans()) == [("d", {"n": 1}), ("e", {"n": 2})]


def table(where, name):
    return name if "://" not in where else f"promptverdict_{name}"


async def test_a_damaged_plan_is_none_and_gives_way_to_the_next(store, where):
    damages = ["plan = '{'", "plan = '{}'", "plan = replace(plan, '1', '2')", "checksum = ''"]
    for name, damage in enumerate(damages):
        digest = f"d{name}"
        await store.keep_plan(digest, {"n": 1})
        store._backend._writer.execute(f"UPDATE {table(where, 'plans')} SET {damage} WHERE content_digest = '{digest}'")
        assert digest not in dict(store.plans()), damage
        assert await store.plan(digest) is None, damage
        assert await store.keep_plan(digest, {"n": 3}) == {"n": 3}
        assert await store.keep_plan(digest, {"n": 4}) == {"n": 3}


async def test_stats_are_exact(store):
    await store.put([row(cost="0.1"), row(repetition=1, cost="0.2"), row("b", at="2026-11-20T00:00:00+00:00")])
    stats = await store.stats()
    assert (stats.completions, stats.requests, stats.plans) == (3, 2, 0)
    assert stats.cost_usd == {"m": "0.3012300"}
    assert stats.oldest == "2026-11-20T00:00:00+00:00"
    assert stats.bytes > 0


async def test_pruning_takes_the_oldest_and_only_as_many_as_it_must(file_store):
    long = "x" * 1000
    await file_store.put(
        [row(repetition=at, text=long, at=f"2026-11-{at // 100 + 1:02}T00:00:00+00:00") for at in range(2500)]
    )
    assert await file_store.prune(older_than="2026-11-02T00:00:00+00:00") == 100
    before = (await file_store.stats()).bytes
    deleted = await file_store.prune(max_bytes=before // 2)
    assert 1000 <= deleted <= 2000
    assert (await file_store.stats()).bytes <= before // 2
    left = await file_store.get([("a" * 64, at) for at in range(2500)])
    assert ("a" * 64, 2499) in left
    assert ("a" * 64, 100) not in left
    assert await file_store.prune(max_bytes=0) == len(left)


async def test_export_gives_everything_oldest_first(store):
    await store.put([row(), row(repetition=1)])
    assert list(store.export()) == [row(), row(repetition=1)]


async def test_nothing_is_written_after_closing(store):
    await store.aclose()
    with pytest.raises(StoreError, match="closed"):
        await store.put([row()])


async def test_a_damaged_file_is_no_store(path):
    path.parent.mkdir()
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError, match=r"outcomes\.db: the outcome store failed.*not a store; move the file away"):
        open_store(str(path))


def database(path, *statements):
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    return path.read_bytes()


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TABLE guests (name TEXT)",),
        ("CREATE TABLE completions (name TEXT)",),
        ("PRAGMA application_id = 7",),
        ("PRAGMA user_version = 99",),
    ],
)
async def test_a_database_of_somebody_else_is_refused_and_left_alone(path, statements):
    before = database(path, *statements)
    with pytest.raises(StoreError, match=r"outcomes\.db: this database is not an outcome store \(move it away"):
        open_store(str(path))
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


async def test_a_store_of_a_newer_version_is_refused(file_store, path):
    await file_store.aclose()
    before = database(path, "PRAGMA user_version = 3")
    with pytest.raises(StoreError, match="written by a newer version"):
        open_store(str(path))
    assert path.read_bytes() == before


async def test_a_store_from_before_it_was_marked_is_marked(file_store, path):
    await file_store.put([row()])
    await file_store.aclose()
    database(path, "PRAGMA application_id = 0")
    again = open_store(str(path))
    assert ("a" * 64, 0) in await again.get([("a" * 64, 0)])
    assert again._backend._reader.execute("PRAGMA application_id").fetchone()[0] == APPLICATION
    await again.aclose()


@pytest.mark.parametrize("table", ["completions", "claims", "plans"])
def test_a_table_of_somebody_else_is_refused_and_left_alone(server, new_database, table):
    url = new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE promptverdict_{table} (name TEXT)")
        with pytest.raises(StoreError, match=rf"promptverdict_{table} don't match this version .*use another database"):
            open_store(url)
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert names == [(f"promptverdict_{table}",)]


async def test_an_empty_file_becomes_a_store(path):
    path.parent.mkdir()
    path.touch()
    await open_store(str(path)).aclose()


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (sqlite3.SQLITE_FULL, "free the disk"),
        (sqlite3.SQLITE_IOERR_FSYNC, "free or fix the disk"),
        (sqlite3.SQLITE_BUSY, "another process uses it"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "writable"),
        (sqlite3.SQLITE_CORRUPT, "damaged"),
    ],
)
async def test_each_failure_says_how_to_mend_it(file_store, code, says):
    error = sqlite3.OperationalError("no")
    error.sqlite_errorcode = code
    with pytest.raises(StoreError, match=says), file_store._backend._reported_errors():
        raise error


async def test_a_store_that_is_locked_for_too_long_says_so(file_store, path):
    file_store._backend._writer.execute("PRAGMA busy_timeout = 50")
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"locked \(another process uses it"):
            await file_store.put([row()])
        other.execute("ROLLBACK")
    await file_store.put([row()])  # and goes on afterwards


async def test_a_place_that_cant_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="outcome store failed"):
        open_store(str(tmp_path / "file" / "outcomes.db"))


async def test_a_full_disk_fails_everyone_who_waits_and_keeps_what_was_there(file_store):
    await file_store.put([row()])
    pages = file_store._backend._writer.execute("PRAGMA page_count").fetchone()[0]
    file_store._backend._writer.execute(f"PRAGMA max_page_count = {pages + 2}")
    results = await asyncio.gather(
        *(file_store.put([row("b", repetition=at, text="x" * 9000)]) for at in range(20)), return_exceptions=True
    )
    assert any(isinstance(result, StoreError) and "full" in str(result) for result in results)
    assert ("a" * 64, 0) in await file_store.get([("a" * 64, 0)])
    failed = {at for at, result in enumerate(results) if result is not None}
    stored = {repetition for _, repetition in await file_store.get([("b" * 64, at) for at in range(20)])}
    assert not failed & stored  # who was told no has no row


DAMAGES = [
    "completion = '{}'",
    "completion = '{'",
    "completion = replace(completion, 'new', 'newer')",
    "created_at = 'soon'",
    "created_at = '2027-01-01T00:00:00.000000+00:00'",
    "cost_usd = '0'",
    "price = '[]'",
    "repetition = 1",
    "model = 'x'",
    "checksum = ''",
]


async def test_a_damaged_row_is_not_believed_and_makes_way_for_a_new_answer(store, where, caplog):
    for number, damage in enumerate(DAMAGES):
        digest = "0123456789abcdef"[number] * 64
        old, new, newest = (
            row().model_copy(update={"request_digest": digest, "completion": row(text=text).completion})
            for text in ("old", "new", "newest")
        )
        await store.put([old])
        await store.put([new, old.model_copy(update={"repetition": 2})])
        store._backend._writer.execute(
            f"UPDATE {table(where, 'completions')} SET {damage} WHERE completion LIKE '%new%'"
            f" AND request_digest = '{digest}'"
        )
        found = await store.get([(digest, repetition) for repetition in range(3)])
        assert {key[1]: one.completion.text for key, one in found.items()} == {0: "old", 2: "old"}, damage
        assert [one.completion.text for one in (await store.history([digest]))[digest]] == ["old", "old"], damage
        await store.put([newest])
        assert (await store.get([(digest, 0)]))[digest, 0].completion.text == "newest"
    assert len(list(store.export())) == 3 * len(DAMAGES)
    assert "damaged row" in caplog.text


async def test_bits_that_are_no_text_any_more_hide_no_other_row(file_store):
    await file_store.put([row(), row(repetition=1)])
    file_store._backend._writer.execute(
        "UPDATE completions SET completion = CAST(x'ff' || completion AS TEXT) WHERE repetition = 1"
    )
    assert set(await file_store.get([("a" * 64, 0), ("a" * 64, 1)])) == {("a" * 64, 0)}


async def test_a_whole_row_that_cant_be_read_is_an_error_not_a_miss(store):
    for at, value in [(5, "{}"), (2, "yesterday"), (2, "2026-11-21T00:00:00"), (8, "[")]:
        values = [*to_row(row())[:-1]]
        values[at] = value
        with store._backend.transaction() as write:
            write.put([(*values, checksum(values))])
        with pytest.raises(StoreError, match="can't be read"):
            await store.get([("a" * 64, 0)])


async def test_rows_without_checksums_get_them_when_the_store_is_opened(store, where):
    await store.put([row(), row("b", text="it's ünï ☃")])
    await store.keep_plan("d", {"n": 1})
    writer = store._backend._writer
    for name in ("completions", "plans"):
        writer.execute(f"ALTER TABLE {table(where, name)} DROP COLUMN checksum")
    if "://" not in where:
        writer.execute("PRAGMA user_version = 1")
    await store.aclose()
    again = open_store(where)
    assert [one.completion.text for one in again.export()] == ["yes", "it's ünï ☃"]
    assert await again.plan("d") == {"n": 1}
    await again.aclose()


async def test_a_store_that_was_replaced_while_it_was_open_is_noticed(file_store, path):
    file_store.check()
    path.rename(path.with_suffix(".away"))
    with pytest.raises(StoreError, match="failed"):
        file_store.check()
    path.write_bytes(b"")
    with pytest.raises(StoreError, match="replaced while it was open"):
        file_store.check()


async def test_rows_from_the_future_are_pruned(store):
    await store.put([row(), row("b", at="2031-01-01T00:00:00.000000+00:00")])
    assert await store.prune(newer_than="2026-11-22T00:00:00.000000+00:00") == 1
    assert [one.request_digest for one in store.export()] == ["a" * 64]
    store.check()


async def test_every_commit_is_synced(file_store):
    for connection in (file_store._backend._writer, file_store._backend._reader):
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


async def test_a_dead_process_leaves_no_lock_file_behind(file_store, path):
    other = open_store(str(path))
    await other.aclose()
    assert len(list(path.with_name(path.name + ".live").iterdir())) == 1


async def test_pruning_a_database_takes_the_oldest(store, monkeypatch):
    monkeypatch.setattr("adapters.store.postgres.PORTION", 2)
    await store.put([row(repetition=at, at=f"2026-11-{at + 1:02}T00:00:00+00:00") for at in range(20)])
    assert await store.prune(older_than="2026-11-06T00:00:00+00:00") == 5
    assert set(await store.get([("a" * 64, at) for at in range(20)])) == {("a" * 64, at) for at in range(5, 20)}
    assert await store.prune(max_bytes=0) == 15


async def test_what_is_to_be_forgotten_is_gone_with_its_plan_and_nothing_else_is(store):
    await store.put([row(), row(repetition=1), row("b")])
    await store.keep_plan("a" * 64, {"plan": 1})
    await store.keep_plan("c" * 64, {"plan": 2})
    assert await store.forget(["a" * 64, "e" * 64]) == 3
    assert [one.request_digest for one in store.export()] == ["b" * 64]
    assert (await store.plan("a" * 64), await store.plan("c" * 64)) == (None, {"plan": 2})
    assert await store.forget([]) == 0


async def test_what_is_forgotten_can_not_be_read_from_the_file(file_store, path):
    await file_store.put([row(text="a-canary-sings")])
    await file_store.forget(["a" * 64])
    await file_store.aclose()
    assert b"a-canary-sings" not in path.read_bytes()


async def test_a_connection_that_broke_is_opened_anew(server):
    server.psql("CREATE DATABASE broken")
    store = open_store(server.get_uri(database="broken"))
    await store.put([row()])
    server.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'broken'")
    with pytest.raises(StoreError, match="the outcome store failed"):
        await store.put([row(repetition=1)])
    with pytest.raises(StoreError):
        await store.get([("a" * 64, 0)])
    await store.put([row(repetition=1)])
    assert len(await store.get([("a" * 64, 0), ("a" * 64, 1)])) == 2
    await store.aclose()


async def test_a_database_that_is_not_there_is_told_without_its_password():
    with pytest.raises(StoreError, match="outcome store failed") as told:
        open_store("postgresql://me:s3cret@127.0.0.1:1/none")
    assert "s3cret" not in str(told.value)
    assert "127.0.0.1/none" in str(told.value)


async def test_two_runs_on_one_store_do_not_pay_for_one_call_twice(where):
    """Each with a connection of its own, as two processes have."""
    provider = Scripted(takes_s=0.005)
    stores = [open_store(where), open_store(where)]
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(run_one(experiment(150), provider, one, clock=SystemClock())) for one in stores]
    assert provider.calls == 300
    made = [one.result().spending.made for one in runs]
    assert sum(made) == 300
    assert all(not one.result().decision[0].missing.any() for one in runs)
    for one in stores:
        await one.aclose()
