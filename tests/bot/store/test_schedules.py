"""Any order of receiving, claiming, handling, giving back and waiting, against a model of the ledger; and of runs."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bot.store.records import Records
from bot.store.values import MOST_TRIES, RepositoryRef, RunKind, RunState

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 21, tzinfo=UTC)
NAMES = st.sampled_from("abcd")


class Stored(RuleBasedStateMachine):
    """A fresh database for each schedule, and time that is turned by hand."""

    @initialize()
    def start(self):
        self.folder = tempfile.TemporaryDirectory()
        self.records = Records(str(Path(self.folder.name) / "bot.sqlite3"))
        self.records.migrate()
        self.now = NOW

    @rule(seconds=st.integers(1, 20))
    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)

    def teardown(self):
        if hasattr(self, "records"):
            self.records.close()
            self.folder.cleanup()


class Ledger(Stored):
    """What is received is handled or failed in the end; nobody holds what somebody else holds."""

    def __init__(self):
        super().__init__()
        self.known = {}
        """Delivery → waiting, handled or failed."""
        self.tries = {}
        self.free_at = {}
        self.claims = []

    @rule(name=NAMES)
    def receive(self, name):
        fresh = self.known.get(name, "failed") == "failed"
        assert self.records.receive(name, "push", b"{}", self.now) == fresh
        if fresh:
            self.known[name], self.tries[name], self.free_at[name] = "waiting", 0, self.now

    @rule(limit=st.integers(1, 3), lease=st.integers(1, 15))
    def claim(self, limit, lease):
        free = [name for name in self.known if self.known[name] == "waiting" and self.free_at[name] <= self.now][:limit]
        taken = [name for name in free if self.tries[name] < MOST_TRIES]
        for name in set(free) - set(taken):
            self.known[name] = "failed"
        found = self.records.claim("w", limit, lease, self.now)
        assert [one.id for one in found] == taken
        for one in found:
            self.tries[one.id] += 1
            assert one.tries == self.tries[one.id]
            self.free_at[one.id] = one.lease_until
        self.claims += found

    @rule(data=st.data())
    def handled(self, data):
        if self.claims:
            one = data.draw(st.sampled_from(self.claims))
            self.records.handled(one, "", self.now)
            if self.known[one.id] == "waiting":
                self.known[one.id] = "handled"

    @rule(data=st.data(), pause=st.integers(0, 15), counts=st.booleans())
    def give_back(self, data, pause, counts):
        if self.claims:
            one = data.draw(st.sampled_from(self.claims))
            mine = self.known[one.id] == "waiting" and self.tries[one.id] == one.tries
            until = self.now + timedelta(seconds=pause)
            assert self.records.retry(one, until, "", counts=counts) == mine
            if mine:
                self.free_at[one.id] = until
                self.known[one.id] = "failed" if counts and one.tries == MOST_TRIES else "waiting"
                self.tries[one.id] -= not counts

    @invariant()
    def counts(self):
        if hasattr(self, "records"):
            states = list(self.known.values())
            assert self.records.unhandled_count() == states.count("waiting")
            assert self.records.failed_count() == states.count("failed")


class Runs(Stored):
    """Whatever happens, a head has one newest attempt, an ended run stays as it ended, and none is overlooked."""

    repo = RepositoryRef(installation_id=1, repository_id=2, full_name="acme/prompts")

    def __init__(self):
        super().__init__()
        self.states = {}
        self.newest = {}

    @rule(head=NAMES, again=st.booleans(), why=st.sampled_from(["x", "y"]))
    def open(self, head, again, why):
        run = self.records.open_run(
            self.repo, 3, head * 40, "main", why=why, kind=RunKind.PULL_REQUEST, raise_attempt=again, at=self.now
        )
        if run.id not in self.states:
            before = self.newest.get(head)
            assert run.attempt == (before.attempt + 1 if before else 1)
            assert before is None or again or self.states[before.id] is RunState.CANCELLED
            self.states[run.id], self.newest[head] = RunState.QUEUED, run
        elif again:
            assert run.why == why
        else:
            assert run.id == self.newest[head].id
        open_now = {one for one, state in self.states.items() if state.is_open}
        same, _ = run.id.rsplit(":", 1)
        later = {f"{same}:{attempt}" for attempt in range(run.attempt + 1, 100)}
        assert {one.id for one in self.records.older_runs(run)} == open_now - {run.id} - later

    @rule(head=NAMES)
    def begin(self, head):
        if head in self.newest:
            run = self.newest[head].id
            assert self.records.start(run, None, self.now) == self.states[run].is_open
            if self.states[run].is_open:
                self.states[run] = RunState.RUNNING

    @rule(head=NAMES, state=st.sampled_from([RunState.DONE, RunState.CANCELLED, RunState.FAILED]))
    def end(self, head, state):
        if head in self.newest:
            run = self.newest[head].id
            assert self.records.finish(run, state, self.now) == self.states[run].is_open
            if self.states[run].is_open:
                self.states[run] = state

    @invariant()
    def nothing_is_overlooked(self):
        if hasattr(self, "records"):
            assert {run.id: run.state for run in self.records.open_runs()} == {
                run: state for run, state in self.states.items() if state.is_open
            }


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
TestRuns = Runs.TestCase
TestRuns.settings = TestLedger.settings
