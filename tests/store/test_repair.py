"""A damaged file of outcomes: the bot keeps its sound rows, and every later operation works."""

import random
import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest

from adapters.store import open_store
from bot.runs.evaluation import LiveEvaluation
from schemas.errors import StoreError
from tests.store.test_store import row

PAGE = 4096
ROWS = 200


@pytest.fixture
async def path(tmp_path):
    path = tmp_path / "outcomes.sqlite3"
    store = open_store(str(path))
    await store.put([row(repetition=at, text=f"{at} " * 300) for at in range(ROWS)])
    await store.keep_plan("p" * 64, {"cases": 1})
    await store.aclose()
    return path


def overwritten(data, start, new):
    return data[:start] + new + data[start + len(new) :]


def garbled(data):
    dice = random.Random(1)
    return b"".join(
        overwritten(page, 100, dice.randbytes(2000)) if number % 20 == 7 else page
        for number, page in ((at // PAGE, data[at : at + PAGE]) for at in range(0, len(data), PAGE))
    )


DAMAGES = {
    "half": lambda data: data[: len(data) // 2],
    "a page short": lambda data: data[:-PAGE],
    "an empty page": lambda data: overwritten(data, 9 * PAGE, bytes(PAGE)),
    "garbled pages": garbled,
    "a bit in the index": lambda data: data.replace(b"a" * 64, b"a" * 63 + b"q", 1),
    "no tables": lambda data: overwritten(data, 100, bytes(PAGE - 100)),
}
LEFT = {
    "half": 90,
    "a page short": 190,
    "an empty page": 190,
    "garbled pages": 10,
    "a bit in the index": ROWS,
    "no tables": 0,
}
"""Rows that are kept at least: those before the first damage and after the last."""


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_store_keeps_its_sound_rows_and_everything_works_again(path, damage, caplog):
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    store = open_store(str(path), repairs=True)
    found = {
        key[1]: one.completion.text for key, one in (await store.get([("a" * 64, at) for at in range(ROWS)])).items()
    }
    assert all(text == f"{at} " * 300 for at, text in found.items())
    assert len(found) >= LEFT[damage]
    assert await store.plan("p" * 64) in ({"cases": 1}, None)
    await store.put([row("b")])
    assert await store.prune(older_than="2027") == len(found) + 1
    store.check()
    await store.aclose()
    assert "was damaged" in caplog.text
    assert {one.name for one in path.parent.iterdir()} == {path.name, f"{path.name}.live"}


async def test_other_files_are_left_alone(path, tmp_path, caplog):
    sound, file = path.read_bytes(), path.stat().st_ino
    await open_store(str(path), repairs=True).aclose()
    assert path.stat().st_ino == file
    for name, content in {
        "text": b"no database" * 1000,
        "another application's": overwritten(sound, 68, b"\0\0\0\7")[: len(sound) // 2],
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(StoreError):
            open_store(str(tmp_path / name), repairs=True)
        assert (tmp_path / name).read_bytes() == content
    assert caplog.text == ""


async def test_a_store_that_another_process_uses_is_not_replaced_beneath_it(path):
    other = open_store(str(path))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path.write_bytes(DAMAGES["half"](path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"is damaged \(stop every process that uses it, then start the bot"):
        open_store(str(path), repairs=True)
    assert path.read_bytes() == before
    await other.aclose()


async def test_the_bot_opens_its_store_so(path, caplog):
    path.write_bytes(DAMAGES["half"](path.read_bytes()))
    settings = SimpleNamespace(outcomes_url=str(path), caps=None)
    evaluation = LiveEvaluation(settings, records=None, sources=None, clock=None)
    evaluation.store.check()
    await evaluation.aclose()
    assert "was damaged" in caplog.text
