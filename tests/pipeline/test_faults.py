"""Operations on the store (six kinds of failure), the provider (six) and git (it has one for all) fail once: no candidate
that is worse passes, and nothing is lost for the next run."""

import sqlite3
from contextlib import closing

import pytest

from action.cli.check import prices, renderer
from adapters.git import GitRepository
from adapters.store import open_store
from engine.pipeline import World, measure, prepare
from engine.runner.access import Access
from schemas.errors import PromptVerdictError, SourceError, StoreError
from schemas.outcomes import CompletionError, ErrorKind
from schemas.pullrequests import PullRequest, Trust
from tests.end_to_end.conftest import FILES
from tests.pipeline.test_measure import EDITED, PATH, label_of, measured, prepared
from tests.repositories import Repository
from tests.run.laboratory import HandClock, Scripted, completion

SQLITE = (
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_CANTOPEN,
)  # fmt: skip
PROVIDER = (
    ErrorKind.RATE_LIMITED, ErrorKind.QUOTA, ErrorKind.TIMEOUT, ErrorKind.SERVER, ErrorKind.TRANSPORT,
    ErrorKind.MALFORMED,
)  # fmt: skip
GIT = ("entry", "lookup", "find", "changes", "read", "entries")


def worse(request, _repetition, _nth):
    """The candidate gets everything wrong."""
    right = label_of(request)
    wrong = "billing" if right == "refunds" else "refunds"
    return completion(wrong if "assign" in request.messages[0].content else right)


class FailsOnce:
    """``inner``, whose ``nth`` call of ``name`` raises."""

    def __init__(self, inner, name, nth, failure):
        self._inner, self._name, self._left, self._failure = inner, name, nth, failure
        self.failed = False

    def __getattr__(self, name):
        method = getattr(self._inner, name)
        if name != self._name:
            return method

        def counted(*arguments, **named):
            self._left -= 1
            if self._left == 0:
                self.failed = True
                raise self._failure
            return method(*arguments, **named)

        return counted


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("plan"), FILES, {PATH: EDITED})


async def test_without_a_fault_it_is_blocked(plan, tmp_path):
    store = open_store(str(tmp_path / "o.db"))
    card, _ = await measured(plan, worse, store)
    await store.aclose()
    assert card.status.outcome == "blocked"


@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("name", ["rows", "plan", "transaction"])
@pytest.mark.parametrize("code", SQLITE)
async def test_a_database_that_fails_once_lets_nothing_pass(plan, tmp_path, name, nth, code):
    store = open_store(str(tmp_path / "o.db"))
    failure = sqlite3.OperationalError("scripted")
    failure.sqlite_errorcode = code
    inner = store._backend
    try:
        with inner._told():
            raise failure
    except StoreError as told:
        store._backend = broken = FailsOnce(inner, name, nth, told)
    try:
        card, _ = await measured(plan, worse, store)
    except StoreError:
        assert broken.failed
    else:
        assert not broken.failed
        assert not card.passes
    store._backend = inner
    await store.aclose()
    store = open_store(str(tmp_path / "o.db"))
    again, _ = await measured(plan, worse, store)  # nothing was damaged: the next run comes to its verdict
    await store.aclose()
    assert again.status.outcome == "blocked"


@pytest.mark.parametrize("nth", [1, 7, 40])
@pytest.mark.parametrize("kind", PROVIDER)
async def test_a_call_that_fails_once_lets_nothing_pass(plan, tmp_path, kind, nth):
    calls = 0

    def reply(request, repetition, tries):
        nonlocal calls
        calls += 1
        if calls == nth:
            return CompletionError(kind=kind, message="scripted")
        return worse(request, repetition, tries)

    store = open_store(str(tmp_path / "o.db"))
    card, _ = await measured(plan, reply, store)
    await store.aclose()
    assert not card.passes
    assert card.status.outcome == ("error" if kind is ErrorKind.QUOTA and calls >= nth else "blocked")


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    made = Repository(tmp_path_factory.mktemp("git") / "repository")
    first = made.commit(FILES)
    last = made.commit({PATH: EDITED}, branch="pr", parent=first)
    return GitRepository(made.path), first, last


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("name", GIT)
async def test_a_repository_that_fails_once_lets_nothing_pass(repository, tmp_path, name, nth):
    tree, first, last = repository
    broken = FailsOnce(tree, name, nth, SourceError("git failed"))
    pull_request = PullRequest(base_ref="main", base_sha=first, head_ref="pr", head_sha=last, trust=Trust.OPERATOR)
    store, clock = open_store(str(tmp_path / "o.db")), HandClock()
    provider = Scripted(worse)
    try:
        with closing(renderer()) as jail:
            found = prepare(pull_request, first, World(broken, jail, prices()))
        access = Access(lambda model: provider, clock)
        card = await measure(found, access=access, store=store, clock=clock)
        assert not card.passes
    except PromptVerdictError:
        assert broken.failed
    finally:
        await store.aclose()
