"""An hour without GitHub. The clock stands still while anybody works and moves on to the next timer when all sleep: what
brings the verdicts back are the service's own timers, in their own time."""

import asyncio
import heapq
import itertools
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import func, or_
from sqlmodel import col, select

from bot.runs.run_queue import QueueStatus
from bot.store.tables import Deliveries
from bot.worker import assemble
from tests.bot.scripted import FILES, PROMPT, Scripted
from tests.bot.whole import EVENTS, Whole
from tests.fakes.github import FakeGitHub
from tests.fakes.github.state import timestamp

MINUTE = 60
TIMERS = 5
"""Of the sweep."""


class Still:
    """A clock that is moved on by hand, to when the next sleeper wakes."""

    def __init__(self):
        self.began = datetime.now(UTC)
        self.passed = 0.0
        self._sleepers = []
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def monotonic(self):
        return self.passed

    def utc(self):
        return self.began + timedelta(seconds=self.passed)

    async def sleep(self, seconds):
        loop, timer = asyncio.get_running_loop(), asyncio.current_task().get_coro().__name__ == "_every"
        woken = loop.create_future()
        sleeper = (self.passed + seconds, next(self._numbers), timer, woken)
        with self._lock:
            heapq.heappush(self._sleepers, sleeper)
        await woken

    def timers(self):
        """How many timers of the sweep are waiting."""
        with self._lock:
            return sum(timer for _, _, timer, _ in self._sleepers)

    def move(self):
        """To the next sleeper, who wakes."""
        with self._lock:
            wakes, _, _, woken = heapq.heappop(self._sleepers)
            self.passed = max(self.passed, wakes)
        woken.get_loop().call_soon_threadsafe(lambda: woken.done() or woken.set_result(None))


@pytest.fixture
def bot(tmp_path, monkeypatch):
    """A bot with all its timers on such a clock. What GitHub refuses isn't tried again at once, but by those timers."""
    monkeypatch.setattr("adapters.github.calls.TRIES", 1)
    with FakeGitHub(tmp_path, strict=False, writes_a_minute=10**6) as github:
        made = Whole(github, tmp_path / "data")
        made.clock = Still()

        def evaluation(*given):
            made.evaluation = Scripted(*given)
            return made.evaluation

        make = partial(assemble, evaluation=evaluation, clock=made.clock)
        made.move_to("acme/shop", FILES)
        with made.web(), made.working(make):
            yield made
        made.records.close()


def works(bot):
    """Whether anybody does anything that takes no time on this clock."""
    now = bot.clock.utc()
    waiting = select(func.count()).where(
        col(Deliveries.state) == "waiting", or_(col(Deliveries.worker).is_not(None), col(Deliveries.next_at) <= now)
    )
    with bot.records._database.reading() as session:
        if session.exec(waiting).one():
            return True
    ids = [run.id for run in bot.records.open_runs()]
    return bool(ids) and {QueueStatus.WAITING, QueueStatus.RUNNING} & set(
        bot.do(bot.worker.run_queue.statuses(ids)).values()
    )


def rest(bot):
    end = time.monotonic() + 30
    bot._wake()  # who looks for deliveries twice a second does so on the real clock
    while bot.clock.timers() < TIMERS or works(bot):
        assert time.monotonic() < end, "it never comes to rest"
        time.sleep(0.01)


def live(bot, seconds, until=lambda: False):
    """So much time passes, or less. How much passed."""
    began = bot.clock.passed
    while bot.clock.passed < began + seconds and not until():
        rest(bot)
        bot.clock.move()
    rest(bot)
    return bot.clock.passed - began


def emit(bot, event, payload, *, lost):
    """A delivery that arrives, or is lost, as GitHub's list of deliveries says then."""
    bot.github.webhooks.drop = set(EVENTS) if lost else set()
    for delivery in bot.emit(event, payload):
        delivery.delivered_at = timestamp(bot.clock.utc().timestamp())


def opened(bot, name, *, lost):
    pull, payload = bot.scene.open_pull({PROMPT: f"Sort the ticket of {name}, approved.\n"}, branch=name)
    emit(bot, "pull_request", payload, lost=lost)
    return pull


def says(bot, pull, body, *, lost):
    emit(bot, "issue_comment", bot.scene.comment(pull.number, "ada", body), lost=lost)


@pytest.mark.slow
@pytest.mark.long
def test_after_an_hour_without_github_every_open_head_has_its_verdict_within_ten_minutes(bot):
    pushed, waits = opened(bot, "pushed", lost=False), opened(bot, "waits", lost=False)
    live(bot, MINUTE)
    assert [bot.conclusions(pull.head_sha) for pull in (pushed, waits)] == [["success"], ["success"]]
    bot.evaluation.call_s = 0.1
    under_way = opened(bot, "under-way", lost=False)
    bot.until(lambda: under_way.head_sha in bot.evaluation.made)

    bot.github.fail("*", "", status=503, times=10**9)
    live(bot, MINUTE)
    emit(bot, "pull_request", bot.scene.push(pushed, {PROMPT: "Sort it anew, blocked.\n"}), lost=True)
    pulls = [opened(bot, "arrived", lost=False), opened(bot, "lost", lost=True), under_way]
    says(bot, waits, "/verdict help", lost=True)
    live(bot, 20 * MINUTE)
    unheard, _ = bot.scene.open_pull({PROMPT: "Sort it as nobody was told, approved.\n"}, branch="unheard")
    pulls += [unheard, opened(bot, "later", lost=True)]
    says(bot, pushed, "/verdict help", lost=False)
    live(bot, 39 * MINUTE)
    assert not any(bot.conclusions(pull.head_sha)[-1:] in (["success"], ["failure"]) for pull in (*pulls, pushed))

    bot.github.faults.clear()

    def all_there():
        judged = all(bot.conclusions(pull.head_sha)[-1:] == ["success"] for pull in (*pulls, waits))
        return judged and bot.conclusions(pushed.head_sha) == ["failure"] and len(bot.comments) == 9

    assert live(bot, 10 * MINUTE, all_there) <= 10 * MINUTE
    assert all_there(), [(pull.head_ref, bot.conclusions(pull.head_sha)) for pull in (*pulls, pushed, waits)]
    bot.quiet()
    assert sum("prompt-verdict-answer" in comment for comment in bot.comments) == 2
    assert bot.records.failed_count() == 0
