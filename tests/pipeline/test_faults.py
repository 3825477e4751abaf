"""Each operation of a run on its store, its provider, git, the renderer and its files fails once, in each way in which it
can (tests/faults.py; GitHub's are in tests/action/test_faults.py): the verdict is the true one or an error that says what
failed, never a pass; no paid answer is lost or paid again; the next run comes to its verdict."""

import errno
import os
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import pytest

from action.cli import check
from adapters import sandbox
from adapters.framed_child import ChildGoneError, ChildLateError
from adapters.store import open_store
from schemas.errors import StoreError
from schemas.outcomes import CompletionError, ErrorKind
from tests.end_to_end.conftest import CONFIG, FILES, project
from tests.faults import Nth, moments
from tests.pipeline.test_measure import EDITED, PATH, label_of, measured, prepared
from tests.run.laboratory import completion

pytestmark = pytest.mark.slow

__all__ = ["project"]

DATABASE = {
    "full": sqlite3.SQLITE_FULL,
    "input or output": sqlite3.SQLITE_IOERR,
    "busy": sqlite3.SQLITE_BUSY,
    "read-only": sqlite3.SQLITE_READONLY,
    "corrupt": sqlite3.SQLITE_CORRUPT,
    "can't open": sqlite3.SQLITE_CANTOPEN,
    "done, but told otherwise": sqlite3.SQLITE_IOERR,
}
PROVIDER = (
    ErrorKind.RATE_LIMITED, ErrorKind.QUOTA, ErrorKind.TIMEOUT, ErrorKind.SERVER, ErrorKind.TRANSPORT,
    ErrorKind.MALFORMED,
)  # fmt: skip
GIT = {
    "refused": subprocess.CompletedProcess([], 128, b"", b"fatal: scripted"),
    "killed": subprocess.CompletedProcess([], -9, b"", b""),
    "silent": subprocess.TimeoutExpired("git", 120),
    "missing": FileNotFoundError(errno.ENOENT, "No such file or directory", "git"),
    "no handles": OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
    "no memory": OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
}
RENDERER = {
    "died": ChildGoneError("it exited"),
    "hung": ChildLateError("no reply in time"),
    "garbage": ChildGoneError("its reply can't be read"),
    "nothing": sandbox._Reply(),
    "too few": sandbox._Reply(texts=[]),
    "failed": sandbox._Reply(failure="scripted", fatal=True),
}
FILE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO, errno.EMFILE)


def worse(request, _repetition, _nth):
    """The candidate gets everything wrong."""
    right = label_of(request)
    wrong = "billing" if right == "refunds" else "refunds"
    return completion(wrong if "assign" in request.messages[0].content else right)


@pytest.fixture(scope="module")
def plan():
    return prepared(FILES, {PATH: EDITED})


async def run(plan, path, reply=worse):
    """The scorecard or the store's error; the provider, whose ``answered`` are the calls that were paid for."""
    answered = []

    def remembered(request, repetition, nth):
        answer = reply(request, repetition, nth)
        if not isinstance(answer, CompletionError):
            answered.append((request.digest, repetition))
        return answer

    try:
        store = open_store(str(path))
        try:
            card, _ = await measured(plan, remembered, store)
        finally:
            await store.aclose()
    except StoreError as error:
        return error, answered
    return card, answered


async def kept(path):
    """The keys of every row of the store."""
    store = open_store(str(path))
    keys = [(row.request_digest, row.repetition) for row in store.export()]
    await store.aclose()
    assert len(set(keys)) == len(keys), "an answer is stored twice"
    return keys


async def finishes(plan, path):
    """A next run, without a fault, comes to its verdict and pays for nothing that was kept."""
    before = await kept(path)
    card, answered = await run(plan, path)
    assert card.status.value == "blocked"
    assert not set(answered) & set(before)


# -- the store


@pytest.fixture
def database(monkeypatch):
    """Makes statement number ``nth`` of all connections fail; the counter."""
    real = sqlite3.connect

    def failing(way, nth=0):
        turn = Nth(nth)

        def tried(method, *given):
            if not turn():
                return method(*given)
            if way == "done, but told otherwise":
                method(*given)
            failure = sqlite3.OperationalError(f"scripted: {way}")
            failure.sqlite_errorcode = DATABASE[way]
            raise failure

        class Failing(sqlite3.Connection):
            def execute(self, *given):
                return tried(super().execute, *given)

            def executemany(self, *given):
                return tried(super().executemany, *given)

            def executescript(self, *given):
                return tried(super().executescript, *given)

        monkeypatch.setattr(sqlite3, "connect", lambda *given, **more: real(*given, **more, factory=Failing))
        return turn

    yield failing
    monkeypatch.setattr(sqlite3, "connect", real)


@pytest.mark.parametrize("way", DATABASE)
async def test_a_statement_of_the_store_that_fails_lets_nothing_pass(plan, tmp_path, monkeypatch, database, way):
    counted = database(way)
    card, _ = await run(plan, tmp_path / "calm.db")
    assert card.status.value == "blocked"
    assert counted.count > 50
    for nth in moments(counted.count, way, DATABASE):
        path = tmp_path / f"{nth}.db"
        with monkeypatch.context() as patch:
            turn = database(way, nth)
            result, _ = await run(plan, path)
            patch.undo()
            database(way)
            if isinstance(result, StoreError):
                assert turn.came
                assert f"scripted: {way}" in str(result)
                assert result.hint
            else:  # it was one that nobody depends on, or the threads took fewer statements this time
                assert result.status.value == "blocked"
            await finishes(plan, path)


# -- the provider


@pytest.mark.parametrize("kind", PROVIDER)
async def test_a_call_that_fails_lets_nothing_pass(plan, tmp_path, kind):
    calm, answered = await run(plan, tmp_path / "calm.db")
    for nth in moments(len(answered), kind, PROVIDER):
        turn = Nth(nth)

        def reply(*asked, turn=turn):
            return CompletionError(kind=kind, message="scripted") if turn() else worse(*asked)

        path = tmp_path / f"{nth}.db"
        card, answered = await run(plan, path, reply)
        if card.status.value == "error":
            assert kind is ErrorKind.QUOTA
            assert "scripted" in card.lineages[0].headline
            assert "raise it" in card.lineages[0].headline
        else:
            assert card.status == calm.status
        assert sorted(await kept(path)) == sorted(answered)
        await finishes(plan, path)


# -- git, the renderer and the files, through the command


TEMPLATE = """\
You sort support tickets into one of two teams. Answer with the label alone.
- billing: invoices, charges, payments, cards
- refunds: {}

Ticket: {{{{ ticket | trim }}}}
"""


@pytest.fixture
def checked(project, tmp_path):
    """The command on a pull request that is to be blocked; its prompt is a Jinja template."""
    files = {
        "promptverdict.yaml": CONFIG.replace("triage.prompt.yml", "triage.txt"),
        "prompts/triage.txt": TEMPLATE.format("money back, returns, refund requests"),
    }
    base = project.repository.commit(files, branch="main")
    broken = {
        "prompts/triage.txt": TEMPLATE.format(
            "zebra crossings\n- billing: money back, returns, refund requests, please refund"
        )
    }
    project.repository.commit(broken, branch="worse", parent=base)

    def check(name="calm", *, blocked=False):
        ran = project.run("check", "--head", "worse", "--output", tmp_path / name, XDG_CACHE_HOME=str(tmp_path / name))
        assert "Traceback" not in ran.err
        assert ran.code in ((1,) if blocked else (1, 2, 3)), ran.out + ran.err
        if ran.code == 1:
            assert ran.out.startswith("❌ Prompt Verdict: blocked")
        else:
            assert "error" in ran.out.partition("\n")[0] or ran.err.splitlines()[-1].startswith("promptverdict: ")
        return ran

    return check


@pytest.mark.parametrize("way", GIT)
def test_a_git_command_that_fails_lets_nothing_pass(checked, monkeypatch, way):
    real = subprocess.run
    turn = Nth()

    def failing(*given, **more):
        if not turn():
            return real(*given, **more)
        if isinstance(GIT[way], Exception):
            raise GIT[way]
        return GIT[way]

    monkeypatch.setattr(subprocess, "run", failing)
    checked(blocked=True)
    for nth in moments(turn.count, way, GIT):
        turn = Nth(nth)
        ran = checked(f"at-{nth}")
        assert ran.code in (2, 3)


@pytest.mark.parametrize("way", RENDERER)
def test_a_renderer_that_fails_lets_nothing_pass(checked, monkeypatch, way):
    real = sandbox._Child.receive
    turn = Nth()

    def failing(self, seconds):
        reply = real(self, seconds)
        if not turn():
            return reply
        if isinstance(RENDERER[way], Exception):
            raise RENDERER[way]
        return RENDERER[way]

    monkeypatch.setattr(sandbox._Child, "receive", failing)
    checked(blocked=True)
    assert turn.count > 100
    for nth in moments(turn.count, way, RENDERER):
        turn = Nth(nth)
        checked(f"at-{nth}")


@pytest.mark.parametrize("number", FILE, ids=errno.errorcode.get)
def test_a_file_that_can_not_be_written_lets_nothing_pass(checked, monkeypatch, tmp_path, number):
    turn = Nth()

    def failing(real):
        def write(*given, **more):
            if turn():
                raise OSError(number, os.strerror(number), str(tmp_path))
            return real(*given, **more)

        return write

    for place, name in ((Path, "write_text"), (Path, "mkdir"), (tempfile, "TemporaryFile"), (check, "put")):
        monkeypatch.setattr(place, name, failing(getattr(place, name)))
    checked(blocked=True)
    assert turn.count >= 8
    for nth in moments(turn.count, number, FILE):
        turn = Nth(nth)
        assert os.strerror(number) in checked(f"at-{nth}").err
