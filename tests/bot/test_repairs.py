"""What the sweep mends: lost deliveries, runs in nobody's hands, dead workers, an hour without GitHub."""

import asyncio
import time
from datetime import timedelta
from functools import partial

import pytest

from adapters.clock import SystemClock
from bot.store.values import RunState
from bot.worker import assemble
from tests.bot.scripted import FILES, PROMPT, Scripted
from tests.bot.whole import Whole
from tests.fakes.github import FakeGitHub


class Leaping:
    """A clock that can be put forward; who sleeps meanwhile wakes up."""

    def __init__(self):
        self._clock = SystemClock()
        self.ahead = 0.0

    def monotonic(self):
        return self._clock.monotonic() + self.ahead

    def utc(self):
        return self._clock.utc() + timedelta(seconds=self.ahead)

    async def sleep(self, seconds):
        end = self.monotonic() + seconds
        while self.monotonic() < end:  # noqa: ASYNC110 - nobody tells when it leaps
            await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A bot on a clock that leaps; calls to GitHub are repeated without waiting."""
    folder = tmp_path_factory.mktemp("bot")
    with FakeGitHub(folder, strict=False, writes_a_minute=100_000) as github:
        made = Whole(github, folder / "data")
        made.clock = Leaping()

        def evaluation(*given):
            made.evaluation = Scripted(*given)
            return made.evaluation

        make = partial(assemble, evaluation=evaluation, clock=made.clock, sleep=lambda _: time.sleep(0.001))
        with made.web(), made.working(make, sweeping=False):
            yield made
        made.records.close()


@pytest.fixture
def bot(stage, request):
    stage.move_to(f"acme/{request.node.name[5:].replace('_', '-')}", FILES)
    stage.evaluation.calls, stage.evaluation.call_s = 4, 0.0
    stage.evaluation.made.clear()
    stage.github.faults.clear()
    return stage


def opened(bot, *, lost=False, words="approved"):
    prompt = {PROMPT: f"Sort the ticket of {bot.scene.repository.full_name} {time.monotonic()}, {words}.\n"}
    number = len(bot.scene.repository.pulls)
    pull, payload = bot.scene.open_pull(prompt, branch=f"change-{number}")
    bot.github.webhooks.drop = {"pull_request"} if lost else set()
    bot.emit("pull_request", payload)
    bot.github.webhooks.drop = set()
    return pull


def test_a_lost_delivery_is_fetched_from_github(bot):
    pull = opened(bot, lost=True)
    assert not bot.records.unhandled_count()
    bot.do(bot.worker.sweep.deliveries())
    bot.until(lambda: bot.conclusions(pull.head_sha) == ["success"])
    bot.do(bot.worker.sweep.deliveries())
    bot.quiet()
    assert bot.conclusions(pull.head_sha) == ["success"]


def test_a_head_without_a_run_is_found(bot):
    bot.scene.open_pull({PROMPT: "Sort anew, blocked.\n"})
    (pull,) = bot.scene.repository.pulls.values()
    bot.do(bot.worker.sweep.heads())
    bot.until(lambda: bot.conclusions(pull.head_sha) == ["failure"])
    bot.quiet()


def test_a_run_that_met_an_outage_is_taken_up_again(bot):
    bot.github.fail("PATCH", "check-runs", status=503, times=10_000)
    pull = opened(bot)
    bot.until(lambda: bot.records.verdicts_of_head(bot.scene.repository.id, pull.head_sha))
    run = bot.records.current_run(bot.scene.repository.id, pull.number)
    bot.until(lambda: bot.do(bot.worker.durable.statuses([run.id]))[run.id] == "ended")
    assert bot.records.run(run.id).state is RunState.RUNNING
    bot.github.faults.clear()
    made = len(bot.evaluation.made)
    bot.do(bot.worker.sweep.runs())
    bot.until(lambda: bot.conclusions(pull.head_sha) == ["success"])
    bot.quiet()
    assert len(bot.evaluation.made) == made
    assert len(bot.comments) == 1


def test_what_a_dead_worker_had_claimed_is_handled_elsewhere(bot):
    ghost, at = "ghost", bot.clock.utc()
    bot.records.heartbeat(ghost, at - timedelta(minutes=1))
    pull = opened(bot, lost=True)
    lost = bot.github.webhooks.deliveries[-1]
    bot.records.receive(lost.guid, lost.event, lost.body, at - timedelta(minutes=1))
    (held,) = bot.records.claim(ghost, 1, 3600, at - timedelta(minutes=1))
    assert held.id == lost.guid
    bot.do(bot.worker.sweep.beat())
    bot.until(lambda: bot.conclusions(pull.head_sha) == ["success"])
    assert ghost not in bot.records.dead_slots(bot.clock.utc())


def test_an_app_that_was_removed_unheard_is_forgotten(bot):
    pull = opened(bot)
    bot.until(lambda: bot.conclusions(pull.head_sha) == ["success"])
    bot.quiet()
    name = bot.scene.repository.full_name
    bot.app.installations[bot.installation] -= {name}
    bot.do(bot.worker.sweep.heads())
    assert bot.records.current_run(bot.scene.repository.id, pull.number) is None


def test_after_an_hour_without_github_every_open_head_has_its_verdict_within_ten_minutes(bot):
    running = opened(bot)
    bot.until(lambda: bot.conclusions(running.head_sha) == ["success"])
    bot.quiet()
    bot.github.fail("*", "", status=503, times=10**9)
    pulls = [opened(bot, lost=number % 2 == 1) for number in range(4)]
    for _ in range(6):
        bot.clock.ahead += 600
        time.sleep(0.3)
    assert all(bot.conclusions(pull.head_sha) == [] for pull in pulls)
    sweeping = asyncio.run_coroutine_threadsafe(bot.worker.sweep.run(), bot.loop)
    bot.github.faults.clear()
    back = bot.clock.utc()
    try:
        while not all(bot.conclusions(pull.head_sha)[-1:] == ["success"] for pull in (*pulls, running)):
            time.sleep(0.5)
            bot.clock.ahead += 14.5
            assert bot.clock.utc() - back < timedelta(minutes=10)
    finally:
        sweeping.cancel()
    bot.quiet()
    assert len(bot.comments) == 5
