"""Several pull requests with one head share its commit status: it shows the worst verdict, whatever their runs' order."""

import io
import itertools
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action.outputs import Runner
from action.publish import CONTEXT, Publisher
from schemas.config import CommentPolicy
from schemas.host import CommitState, HostedPullRequest
from schemas.scorecard import CommitRef, Scorecard
from schemas.verdicts import VerdictStatus
from tests.action.stage import PROMPT

pytestmark = pytest.mark.slow

SHA = "a" * 40
BETTER = {PROMPT: "Sort the ticket well.\n"}


@pytest.fixture
def pull(scene):
    return scene.open_pull(BETTER)[0]


def opened(scene, pull):
    return scene.pull_event("opened", pull)


def test_two_pull_requests_on_one_head_show_the_worse_verdict(stage, scene, pull):
    scene.git.commit("release", {"x": "y"}, parents=(scene.git.resolve("main"),))
    other, _ = scene.open_pull({}, base="release")
    other.head_sha = pull.head_sha
    stage.script.status = VerdictStatus.BLOCKED
    stage.run("pull_request", opened(scene, pull))
    stage.script.status = VerdictStatus.APPROVED
    stage.run("pull_request", opened(scene, other))
    assert stage.state(pull.head_sha) == "failure"
    assert "#1 with the same head decides" in scene.repository.statuses_of(pull.head_sha)[0]["description"]
    stage.run("pull_request", opened(scene, pull))
    assert stage.state(pull.head_sha) == "success"


def test_a_pull_request_that_was_never_judged_gets_no_success_from_another_with_the_same_head(stage, scene, pull):
    other, _ = scene.open_pull({}, branch="other")
    other.head_sha = pull.head_sha
    stage.run("pull_request", opened(scene, pull))
    assert stage.state(pull.head_sha) == "pending"
    assert "#2 with the same head has no verdict yet" in scene.repository.statuses_of(pull.head_sha)[0]["description"]
    stage.run("pull_request", opened(scene, other))
    assert stage.state(pull.head_sha) == "success"


def test_no_success_where_other_pull_requests_of_the_head_can_not_be_read(stage, scene, github, pull):
    github.fail("GET", "/commits/[0-9a-f]+/pulls", status=500, times=9)
    stage.run("pull_request", opened(scene, pull))
    assert stage.state(pull.head_sha) == "error"


def test_no_success_where_it_can_not_be_told_whether_the_other_finished_meanwhile(stage, scene, github, pull):
    other, _ = scene.open_pull({}, branch="other")
    other.head_sha = pull.head_sha
    stage.run("pull_request", opened(scene, other))
    github.fail("GET", "/commits/[0-9a-f]+/statuses", status=500, times=9, skip=1)
    stage.run("pull_request", opened(scene, pull))
    assert stage.state(pull.head_sha) == "error"


class Turns:
    """Lets one thread at a time take one step, in the order of a schedule."""

    def __init__(self, count):
        self.may = [threading.Semaphore(0) for _ in range(count)]
        self.did = threading.Semaphore(0)
        self.running = [True] * count

    def step(self, me):
        self.did.release()
        self.may[me].acquire()

    def run(self, work, schedule):
        threads = [threading.Thread(target=self._one, args=(me, one), daemon=True) for me, one in enumerate(work)]
        for thread in threads:
            thread.start()
        for _ in threads:
            self.did.acquire()
        for chosen in itertools.chain(schedule, itertools.cycle(range(len(work)))):
            if not any(self.running):
                break
            turn = next(n for n in range(chosen, chosen + len(work)) if self.running[n % len(work)]) % len(work)
            self.may[turn].release()
            self.did.acquire()
        for thread in threads:
            thread.join(5)

    def _one(self, me, work):
        self.step(me)
        work()
        self.running[me] = False
        self.did.release()


class Commit:
    """One commit's statuses, as ``PullRequestHost`` shows them to the run of one pull request."""

    def __init__(self, turns, me, pulls, written):
        self.turns, self.me, self.pulls, self.written = turns, me, pulls, written

    def pull_requests_of(self, sha):
        self.turns.step(self.me)
        return self.pulls

    def statuses(self, sha, context):
        self.turns.step(self.me)
        return tuple(reversed(self.written))

    def set_status(self, sha, status):
        self.turns.step(self.me)
        self.written.append(status)


class Switches:
    status = True
    run_url = "https://github.test/run"


def newest_after(verdicts, schedule):
    """The state that the commit shows when all runs have ended."""
    turns, written = Turns(len(verdicts)), []
    pulls = tuple(
        HostedPullRequest(
            number=n, is_open=True, merged=False, author="ada", base_ref="main", default_branch="main", head_ref="x",
            head_sha=SHA, head_repository="acme/shop",
        )
        for n in range(1, len(verdicts) + 1)
    )  # fmt: skip

    def run(me, status):
        publisher = Publisher(
            Commit(turns, me, pulls, written), Runner(io.StringIO(), None, None), Switches(), number=me + 1, sha=SHA
        )

        def work():
            publisher.pending("opened")
            publisher.final(card(status), None)

        return work

    turns.run([run(me, status) for me, status in enumerate(verdicts)], schedule)
    assert not any(turns.running)
    return next(status.state for status in reversed(written) if status.context == CONTEXT)


def card(status):
    ref = CommitRef(ref="x", sha=SHA)
    return Scorecard(
        status=status, passes=status is VerdictStatus.APPROVED, title=status.value, summary="", base=ref, head=ref,
        merge_base=None, comment=CommentPolicy.OFF,
    )  # fmt: skip


GOOD, BAD = VerdictStatus.APPROVED, VerdictStatus.BLOCKED


@pytest.mark.parametrize("verdicts", [(GOOD, GOOD), (GOOD, BAD)])
def test_in_every_order_of_two_runs_the_last_word_is_the_worst_verdict(verdicts):
    """Each run takes 5 to 9 steps: what comes behind 9 chosen ones alternates."""
    expected = CommitState.SUCCESS if BAD not in verdicts else CommitState.FAILURE
    for schedule in itertools.product((0, 1), repeat=9):
        assert newest_after(verdicts, schedule) is expected, schedule


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([GOOD, BAD]), min_size=3, max_size=4), st.lists(st.integers(0, 3), max_size=40))
def test_in_any_order_of_several_too(verdicts, schedule):
    expected = CommitState.SUCCESS if BAD not in verdicts else CommitState.FAILURE
    assert newest_after(tuple(verdicts), [n % len(verdicts) for n in schedule]) is expected
