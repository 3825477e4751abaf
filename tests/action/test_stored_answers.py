"""Outcomes that another run left as an artifact: reused where they can be read, and never in the way of a verdict."""

import asyncio
import io
import sqlite3
import zipfile

import pytest

from adapters.store import open_store
from adapters.store.rows import COLUMNS
from tests.action.stage import PROMPT

NAME = "prompt-verdict-1"


@pytest.fixture
def pull(scene):
    return scene.open_pull({PROMPT: "Sort the ticket well.\n"})[0]


def kept(stage):
    """What lies in the home's store."""

    async def read():
        store = open_store(str(stage.home / "prompt-verdict" / "outcomes.sqlite3"))
        try:
            return [row.request_digest for row in store.export()], dict(store.plans())
        finally:
            await store.aclose()

    return asyncio.run(read())


def test_the_merge_queue_reuses_the_verdict_and_pays_nothing(stage, scene, pull, outcomes):
    stage.run("pull_request", scene.pull_event("opened", pull))
    scene.artifact(
        NAME, {"outcomes.sqlite3": outcomes(700, plans={"a" * 64: {"history": None}})}, head_sha=pull.head_sha
    )
    event = scene.queue(pull)
    ran = stage.run("merge_group", event)
    assert stage.states(event["merge_group"]["head_sha"]) == ["pending", "success"]
    assert (ran.outputs["calls"], stage.script.paid, len(stage.comments)) == ("0", 40, 1)
    rows, plans = kept(stage)
    assert (len(rows), plans) == (700, {"a" * 64: {"history": None}})


def test_what_is_here_already_stays(stage, scene, pull, outcomes):
    home = stage.home / "prompt-verdict"
    home.mkdir(parents=True)
    (home / "outcomes.sqlite3").write_bytes(outcomes(5))
    scene.artifact(NAME, {"outcomes.sqlite3": outcomes(3)}, head_sha=pull.head_sha)
    stage.run("workflow_dispatch", scene.dispatch(pull_request="1"))
    assert len(kept(stage)[0]) == 5


def test_a_push_to_the_default_branch_adopts_what_was_measured(stage, scene, pull, outcomes):
    scene.artifact(NAME, {"outcomes.sqlite3": outcomes(3)}, head_sha=pull.head_sha)
    event = scene.merge(pull)
    ran = stage.run("push", event)
    assert "Kept 3 answers of #1." in ran.log
    assert "Kept 0 answers" in stage.run("push", event).log
    assert (ran.code, ran.outputs["calls"], scene.repository.statuses) == (0, "0", [])


def test_outcomes_that_a_fork_left_behind_are_not_taken(stage, scene, pull, outcomes):
    scene.artifact(NAME, {"outcomes.sqlite3": outcomes(3)}, head_sha=pull.head_sha, head_repository_id=1)
    stage.run("merge_group", scene.queue(pull))
    assert not (stage.home / "prompt-verdict" / "outcomes.sqlite3").exists()
    assert stage.script.paid == 40


def edited(data, folder, *statements):
    """A database with some SQL run on it."""
    path = folder / "edited.sqlite3"
    path.write_bytes(data)
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
    return path.read_bytes()


STRANGE = {
    "is no database": lambda good, _: b"rows",
    "is empty": lambda good, _: b"",
    "is cut off": lambda good, _: good[:5000],
    "is damaged": lambda good, _: good[:4096] + b"\xff" * (len(good) - 4096),
    "is of a newer version": lambda good, folder: edited(good, folder, "PRAGMA user_version = 99"),
    "is another program's": lambda good, folder: edited(b"", folder, "CREATE TABLE completions (x)", "CREATE TABLE plans (y)"),
    "has another row": lambda good, folder: edited(good, folder, "UPDATE completions SET price = 'free', completion = '{}'"),
    "has rows without values": lambda _, folder: edited(b"", folder, f"CREATE TABLE completions (id, {', '.join(COLUMNS)})", "INSERT INTO completions (repetition) VALUES (0)"),
    "has another plan": lambda good, folder: edited(good, folder, "INSERT INTO plans VALUES ('a', 'no JSON', '')"),
}  # fmt: skip


QUIET = {"is empty", "has another row", "has another plan"}
"""What is damaged in a sound file is left out."""


@pytest.mark.parametrize("what", STRANGE)
def test_a_store_that_can_not_be_read_costs_calls_and_no_verdict(stage, scene, pull, outcomes, tmp_path, what):
    home = stage.home / "prompt-verdict"
    home.mkdir(parents=True)
    (home / "outcomes.sqlite3").write_bytes(outcomes(2))
    scene.artifact(NAME, {"outcomes.sqlite3": STRANGE[what](outcomes(30), tmp_path)}, head_sha=pull.head_sha)
    event = scene.queue(pull)
    ran = stage.run("merge_group", event)
    assert ("can't be reused" in ran.log) == (what not in QUIET), ran.log
    assert (stage.state(event["merge_group"]["head_sha"]), stage.script.paid) == ("success", 40)
    assert len(kept(stage)[0]) >= 2
    ran = stage.run("push", scene.merge(pull))
    assert (ran.code, "were not kept" in ran.log) == (0, what not in QUIET)


def damaged():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("outcomes.sqlite3", b"rows" * 1000)
    data = bytearray(buffer.getvalue())
    data[46:54] = b"\xff" * 8  # the first bytes behind the member's header
    return bytes(data)


@pytest.mark.parametrize("files", [{"other": b""}, {"../outcomes.sqlite3": b"x"}, None])
def test_a_broken_artifact_costs_calls_but_no_verdict(stage, scene, pull, files):
    number = scene.artifact(NAME, files or {}, head_sha=pull.head_sha)
    if files is None:
        scene.repository.archives[number] = damaged()
    event = scene.queue(pull)
    ran = stage.run("merge_group", event)
    assert "can't be reused" in ran.log
    assert stage.state(event["merge_group"]["head_sha"]) == "success"


def test_a_home_that_can_not_be_written_costs_what_was_brought(stage, scene, pull, outcomes):
    stage.home.write_text("in the way")
    scene.artifact(NAME, {"outcomes.sqlite3": outcomes(3)}, head_sha=pull.head_sha)
    event = scene.queue(pull)
    assert "can't be reused" in stage.run("merge_group", event).log
    assert stage.state(event["merge_group"]["head_sha"]) == "success"
