"""What the sweep fixes: lost deliveries, runs in nobody's hands, dead workers. test_outage.py has its timers run."""

import asyncio
import re
import time
from datetime import timedelta
from functools import partial
from types import SimpleNamespace

import pytest

from adapters.clock import SystemClock
from bot.operations.sweep import HEADS_S, HOUSEKEEPING_S, RUNS_S
from bot.store.values import APPROVE, MOST_TRIES, AuditEntry, RunState
from bot.worker import assemble
from engine.publishing.check_names import NAME
from schemas.errors import StoreError
from schemas.host import CheckRun
from tests.bot.scripted import FILES, PROMPT, Scripted
from tests.bot.whole import Whole
from tests.fakes.github import FakeGitHub

pytestmark = pytest.mark.slow


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
    stage.move_to(f"acme/{re.sub('[^a-z]', '-', request.node.name[5:])}", FILES)
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
    later = opened(bot, lost=True)
    bot.do(bot.worker.sweep.deliveries())
    bot.until(lambda: bot.conclusions(later.head_sha) == ["success"])
    assert bot.conclusions(pull.head_sha) == ["success"]
    lists = [one.query.get("status") for one in bot.github.asked if one.path == "/app/hook/deliveries"]
    assert lists[-1] == ["failure"], "those that arrived are many"


def test_a_head_without_a_run_is_found(bot):
    bot.scene.open_pull({PROMPT: "Sort anew, blocked.\n"})
    (pull,) = bot.scene.repository.pulls.values()
    bot.do(bot.worker.sweep.heads())
    bot.until(lambda: bot.conclusions(pull.head_sha) == ["failure"])
    bot.quiet()


def test_a_check_that_nobody_ends_hides_no_verdict(bot):
    """Its run was cancelled while its worker made it, and died: GitHub goes by the newest check."""
    pull = opened(bot)
    bot.until(lambda: bot.conclusions(pull.head_sha) == ["success"])
    bot.quiet()
    repo = bot.records.current_run(bot.scene.repository.id, pull.number).repo
    bot.do(bot.worker.reconciler.retry(repo, pull.number, why="a test"))
    bot.quiet()
    host = bot.worker.reconciler._publisher.blocking.host(bot.records.current_run(repo.repository_id, pull.number))
    orphan = CheckRun(name=NAME, head_sha=pull.head_sha, external_id="exp:gone", title="measuring", summary="…")
    host.create_check(orphan)
    assert bot.conclusions(pull.head_sha) == ["success", "success", None]
    bot.do(bot.worker.sweep.heads())
    bot.until(lambda: bot.conclusions(pull.head_sha) == ["success", "success", None, "success"])
    bot.quiet()
    bot.do(bot.worker.sweep.heads())
    asked = bot.github.count("GET", "check-runs")
    bot.do(bot.worker.sweep.heads())
    assert bot.github.count("GET", "check-runs") == asked, "it looks once"


def test_a_run_that_met_an_outage_is_taken_up_again(bot):
    bot.github.fail("PATCH", "check-runs", status=503, times=10_000)
    pull = opened(bot)
    bot.until(lambda: bot.records.verdicts_of_head(bot.scene.repository.id, pull.head_sha))
    run = bot.records.current_run(bot.scene.repository.id, pull.number)
    bot.until(lambda: bot.do(bot.worker.run_queue.statuses([run.id]))[run.id] == "ended")
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


def test_a_suspension_that_ended_unheard_is_noticed_whichever_way_it_ended(bot):
    at = bot.clock.utc()
    opened(bot)
    bot.quiet()
    bot.records.installed(999, "acme", at)
    for number in (999, bot.installation):
        bot.records.suspended(number, at)
    bot.do(bot.worker.sweep.heads())
    assert bot.records.suspended_installations() == []
    assert bot.records.installations() == [bot.installation]


@pytest.mark.parametrize("by", ["heads", "somebody"])
def test_what_killed_its_worker_eight_times_is_not_lost_for_the_pull_request(bot, by):
    """The ledger gives it up; the sweep finds the head, and whoever has GitHub deliver it again finds it taken up."""
    pull = opened(bot, lost=True)
    lost = bot.github.webhooks.deliveries[-1]
    later = bot.clock.utc() + timedelta(hours=1)  # until then nobody here takes it
    bot.records.receive(lost.guid, lost.event, lost.body, later)
    for minute in range(MOST_TRIES):
        bot.records.claim("ghost", 1, 1, later + timedelta(minutes=minute))
    bot.clock.ahead += 7_200
    bot.until(lambda: bot.records.failed_count() == 1)
    bot.quiet()
    assert bot.conclusions(pull.head_sha) == []
    if by == "heads":
        bot.do(bot.worker.sweep.heads())
    else:
        bot.github.webhooks.redeliver(lost.id)
    bot.until(lambda: bot.conclusions(pull.head_sha) == ["success"])
    bot.quiet()
    bot.github.webhooks.redeliver(lost.id)
    bot.until(lambda: bot.records.failed_count() == 0)
    bot.quiet()
    assert bot.conclusions(pull.head_sha) == ["success"]


def test_a_run_that_nobody_brings_to_an_end_fails_after_a_day(bot):
    bot.github.fail("PATCH", "check-runs", status=503, times=10**9)
    pull = opened(bot)
    run = bot.until(lambda: bot.records.current_run(bot.scene.repository.id, pull.number))
    bot.until(lambda: bot.do(bot.worker.run_queue.statuses([run.id]))[run.id] == "ended")
    bot.clock.ahead += 90_000
    bot.github.faults.clear()
    bot.do(bot.worker.sweep.runs())
    (check,) = bot.checks(pull.head_sha)
    assert (check["conclusion"], check["output"]["title"]) == ("failure", "error: no verdict")
    assert bot.records.run(run.id).state is RunState.FAILED


def test_an_override_that_ended_accepts_no_more(bot):
    pull = opened(bot, words="blocked")
    bot.until(lambda: bot.conclusions(pull.head_sha) == ["failure"])
    bot.quiet()
    at, run = bot.clock.utc(), bot.records.current_run(bot.scene.repository.id, pull.number)
    bot.records.audit(
        AuditEntry(
            repository_id=run.repository_id,
            number=pull.number,
            by="mia",
            role="maintain",
            action=APPROVE,
            reason="known",
            head_sha=pull.head_sha,
            content_digest=run.content_digest,
            at=at,
            expires_at=at + timedelta(days=7),
            comment_id=1,
        )
    )
    bot.do(bot.worker.reconciler.republish(run.repo, pull.number))
    assert bot.conclusions(pull.head_sha) == ["success"]
    bot.clock.ahead += 7 * 86_400 + 60
    bot.do(bot.worker.sweep.heads())
    assert bot.conclusions(pull.head_sha) == ["failure"]


@pytest.mark.parametrize("seconds", [HEADS_S, HOUSEKEEPING_S])
def test_a_sweep_that_a_store_fails_says_what_to_do_and_is_tried_again_soon(bot, seconds):
    found, pauses = [], []

    async def tidy():
        found.append([str(one) for one in bot.worker.sweep._health._failing.values()])
        if len(found) < 3:
            raise StoreError("it broke", where="/srv/secret", hint="free the disk")

    async def sleep(pause):
        pauses.append(pause)
        if len(pauses) == 4:
            raise KeyError

    bot.worker.sweep._clock, clock = SimpleNamespace(sleep=sleep), bot.worker.sweep._clock
    try:
        with pytest.raises(KeyError):
            bot.do(bot.worker.sweep._every(seconds, tidy))
    finally:
        bot.worker.sweep._clock = clock
    assert pauses == [RUNS_S, RUNS_S, seconds, seconds]
    assert found == [[], *[["the sweep of tidy (free the disk)"]] * 2, []]
