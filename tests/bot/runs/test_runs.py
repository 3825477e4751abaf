"""What events lead to, with a scripted evaluation: which runs there are, what they pay and what they show."""

import threading
import time

import pytest

from adapters.github.checks import AppHost
from bot.store.values import REVIEW
from schemas.errors import StoreError
from schemas.pullrequests import Trust
from schemas.verdicts import VerdictStatus
from tests.bot.scripted import GATE, PROMPT

pytestmark = pytest.mark.slow


def prompt(bot, words):
    """A prompt that no other repository has: what was paid for is shared."""
    return {PROMPT: f"Sort the ticket of {bot.scene.repository.full_name}, {words}.\n"}


def opened(bot, words="approved", **how):
    pull, payload = bot.scene.open_pull(prompt(bot, words), **how)
    bot.emit("pull_request", payload)
    return pull


def judged(bot, words="approved", **how):
    pull = opened(bot, words, **how)
    bot.until(lambda: bot.conclusions(pull.head_sha)[-1:] not in ([], [None]))
    bot.quiet()
    return pull


@pytest.mark.slow
def test_a_superseded_run_stops_at_the_push(bot):
    bot.evaluation.calls, bot.evaluation.call_s = 1000, 0.05
    pull = opened(bot)
    old = pull.head_sha
    bot.until(lambda: len(bot.evaluation.made) > 3)
    pushed = bot.scene.push(pull, prompt(bot, "better: approved"))
    bot.emit("pull_request", pushed)
    bot.until(lambda: bot.conclusions(old) == ["cancelled"])
    bot.until(lambda: bot.evaluation.made.count(pull.head_sha) > 60)
    until_then = bot.evaluation.made.count(old)
    bot.until(lambda: bot.evaluation.made.count(pull.head_sha) > 80)
    assert bot.evaluation.made.count(old) == until_then < bot.evaluation.calls
    bot.evaluation.calls = 0
    bot.until(lambda: [of_head(comment) for comment in bot.comments] == [pull.head_sha])


def of_head(comment):
    """The head that a comment says it is about."""
    return comment.splitlines()[0].removeprefix("<!-- prompt-verdict ").removesuffix(" -->")


@pytest.mark.slow
def test_a_second_push_is_judged_and_the_one_comment_follows(bot):
    pull = judged(bot, "approved")
    first = pull.head_sha
    bot.emit("pull_request", bot.scene.push(pull, prompt(bot, "blocked")))
    bot.until(lambda: bot.conclusions(pull.head_sha) == ["failure"])
    bot.quiet()
    assert bot.conclusions(first) == ["success"]
    (comment,) = bot.comments
    assert of_head(comment) == pull.head_sha


def test_the_comment_says_that_a_head_is_being_measured(bot):
    pull = judged(bot, "approved")
    bot.evaluation.calls, bot.evaluation.call_s = 1000, 0.05
    bot.emit("pull_request", bot.scene.push(pull, prompt(bot, "better: blocked")))
    bot.until(lambda: "Prompt Verdict: running" in bot.comments[0] and of_head(bot.comments[0]) == pull.head_sha)
    bot.until(lambda: pull.head_sha in bot.evaluation.made)
    pull.state = "closed"
    bot.emit("pull_request", bot.scene.pull_event("closed", pull))
    bot.quiet()
    (comment,) = bot.comments
    assert "The pull request was closed before its newest head was evaluated" in comment


@pytest.mark.parametrize("written", ["check", "comment"])
def test_a_push_while_a_verdict_is_written_takes_it_back(bot, monkeypatch, written):
    """GitHub can't write only if the head is still the same: what stands then on the old one is fixed at once."""
    pull, payload = bot.scene.open_pull(prompt(bot, "approved"))
    old = pull.head_sha
    shown = pushes_after(bot, monkeypatch, pull, lambda asked: is_verdict(asked, written))
    bot.emit("pull_request", payload)
    bot.until(lambda: bot.conclusions(pull.head_sha) == ["failure"])
    bot.quiet()
    assert shown[old][-1] == bot.conclusions(old)[-1] == "cancelled"
    (comment,) = bot.comments
    assert of_head(comment) == pull.head_sha
    assert "blocked" in comment


def test_a_push_between_two_tries_of_a_write_leaves_it_unwritten(bot, monkeypatch):
    pull, payload = bot.scene.open_pull(prompt(bot, "approved"))
    old = pull.head_sha
    bot.github.fail("PATCH", "check-runs", status=502)
    shown = pushes_after(bot, monkeypatch, pull, lambda asked: False)
    answer = bot.github.fault_for

    def pushed(method, path):
        fault = answer(method, path)
        if fault is not None and pull.head_sha == old:
            bot.scene.push(pull, prompt(bot, "blocked"))
        return fault

    monkeypatch.setattr(bot.github, "fault_for", pushed)
    bot.emit("pull_request", payload)
    bot.until(lambda: bot.conclusions(pull.head_sha) == ["failure"])
    bot.quiet()
    assert set(shown[old]) == {"cancelled"}
    assert [of_head(comment) for comment in bot.comments] == [pull.head_sha]


def test_an_older_run_that_writes_last_leaves_the_newest_verdict(bot, monkeypatch):
    """It looked before the push, and its comment arrives when the newer head has its verdict."""
    pull, payload = bot.scene.open_pull(prompt(bot, "approved"))
    old = pull.head_sha
    write = AppHost.write_comment

    def late(host, number, body, marker, known, look=None):
        if of_head(body) == old and "running" not in body and pull.head_sha == old:
            bot.emit("pull_request", bot.scene.push(pull, prompt(bot, "blocked")))
            bot.until(lambda: bot.conclusions(pull.head_sha) == ["failure"])
            bot.until(lambda: of_head(bot.comments[0]) == pull.head_sha and "blocked" in bot.comments[0])
            look = None
        return write(host, number, body, marker, known, look)

    monkeypatch.setattr(AppHost, "write_comment", late)
    bot.emit("pull_request", payload)
    bot.until(lambda: pull.head_sha != old)
    bot.quiet()
    bot.until(lambda: of_head(bot.comments[0]) == pull.head_sha and "blocked" in bot.comments[0])
    assert len(bot.comments) == 1


def is_verdict(asked, written):
    body = asked.json_or_none() or {}
    if written == "check":
        return body.get("conclusion") == "success"
    return "approved" in body.get("body", "")


def pushes_after(bot, monkeypatch, pull, matches):
    """The head moves the moment after a request that matches, and no event says so. What is written on checks, by head."""
    answer, old, shown = bot.github.answer, pull.head_sha, {}

    def answered(request):
        reply = answer(request)
        conclusion = (request.json_or_none() or {}).get("conclusion")
        if conclusion is not None and reply.status < 300:
            shown.setdefault(reply.body["head_sha"], []).append(conclusion)
        if reply.status < 300 and pull.head_sha == old and matches(request):
            bot.scene.push(pull, prompt(bot, "blocked"))
        return reply

    monkeypatch.setattr(bot.github, "answer", answered)
    return shown


def test_a_run_asks_github_so_often(bot):
    """Of the seven looks at the pull request three are right before a write that says something, and one is after all.
    Four writes: the check made and completed, the comment running and with the verdict (GitHub permits 80 a minute)."""
    judged(bot)
    first = len(bot.github.asked)
    pull = judged(bot)
    asked = [one for one in bot.github.asked[first:] if "access_tokens" not in one.path]
    looks = [one for one in asked if one.method == "GET" and one.path.endswith(f"/pulls/{pull.number}")]
    writes = [one for one in asked if one.method != "GET"]
    assert (len(looks), len(writes), len(asked)) == (7, 4, 16)


def test_a_redelivery_changes_nothing(bot):
    pull = judged(bot)
    writes = bot.github.count("POST", "check-runs|comments")
    bot.emit("pull_request", bot.scene.pull_event("synchronize", pull))
    bot.emit("pull_request", bot.scene.pull_event("opened", pull))
    bot.quiet()
    assert bot.github.count("POST", "check-runs|comments") == writes


def test_a_closed_pull_request_ends_its_run(bot):
    bot.evaluation.calls, bot.evaluation.call_s = 1000, 0.05
    pull = opened(bot)
    bot.until(lambda: bot.evaluation.made)
    pull.state = "closed"
    bot.emit("pull_request", bot.scene.pull_event("closed", pull))
    bot.quiet()
    assert bot.conclusions(pull.head_sha) == ["cancelled"]


def test_another_base_starts_again_and_going_back_does_too(bot):
    bot.scene.git.commit(
        "release", {"promptverdict.yaml": "version: 1 # strict\n"}, parents=(bot.scene.git.resolve("main"),)
    )
    pull = judged(bot)
    bot.emit("pull_request", bot.scene.retarget(pull, "release"))
    bot.until(lambda: bot.conclusions(pull.head_sha) == ["cancelled", "success"])
    bot.quiet()
    made = len(bot.evaluation.made)
    bot.emit("pull_request", bot.scene.retarget(pull, "main"))
    bot.until(lambda: bot.conclusions(pull.head_sha) == ["cancelled", "cancelled", "success"])
    bot.quiet()
    assert len(bot.evaluation.made) == made, "what was paid for is in the store"
    bases = [run.base_ref for run in bot.records.runs_of_head(bot.scene.repository.id, pull.head_sha)]
    assert bases == ["main", "release", "main"]


def test_the_button_measures_again_and_pays_nothing_twice(bot):
    pull = judged(bot)
    (check,) = bot.checks(pull.head_sha)
    made = len(bot.evaluation.made)
    payload = rerun(bot, check)
    bot.emit("check_run", payload)
    bot.until(lambda: bot.conclusions(pull.head_sha) == ["success", "success"])
    bot.emit("check_run", payload)
    bot.quiet()
    assert bot.conclusions(pull.head_sha) == ["success", "success"], "the same press is the same attempt"
    assert len(bot.evaluation.made) == made


def rerun(bot, check):
    shown = {**check, "pull_requests": [], "check_suite": {"id": 1, "pull_requests": []}}
    return bot.scene._payload("ada", action="rerequested", check_run=shown)


def test_a_merge_of_the_queue_carries_the_verdict_of_the_same_content(bot):
    pull = judged(bot)
    made = len(bot.evaluation.made)
    queued = bot.scene.queue(pull)
    bot.emit("merge_group", queued)
    head = queued["merge_group"]["head_sha"]
    bot.until(lambda: bot.conclusions(head) == ["success"])
    assert len(bot.evaluation.made) == made
    assert len(bot.comments) == 1


def test_a_merge_of_other_content_is_measured(bot):
    pull = judged(bot)
    bot.scene.git.commit("main", {"promptverdict.yaml": "version: 1 # another gate\n"})
    made = len(bot.evaluation.made)
    queued = bot.scene.queue(pull)
    bot.emit("merge_group", queued)
    bot.until(lambda: bot.conclusions(queued["merge_group"]["head_sha"]) == ["success"])
    assert len(bot.evaluation.made) == made + bot.evaluation.calls


def test_a_push_to_the_default_branch_pays_nothing_and_asks_for_its_tip_and_its_pull_requests(bot):
    pull = judged(bot)
    made, before = len(bot.evaluation.made), len(bot.github.asked)
    bot.emit("push", bot.scene.merge(pull))
    bot.quiet()
    asked = [one.path.rpartition("/")[2] for one in bot.github.asked[before:] if "access_tokens" not in one.path]
    assert (len(bot.evaluation.made), asked) == (made, ["main", "pulls"])


def test_the_worst_verdict_of_pull_requests_with_one_head_counts(bot):
    bot.scene.git.commit("release", {PROMPT: "Sort it.\n"}, parents=(bot.scene.git.resolve("main"),))
    bad = judged(bot, "needs_review")
    assert bot.conclusions(bad.head_sha) == ["action_required"]
    twin, _ = bot.scene.open_pull({}, branch="twin", base="release")
    twin.head_sha = bad.head_sha
    bot.emit("pull_request", bot.scene.pull_event("opened", twin))
    bot.until(lambda: len(bot.checks(bad.head_sha)) == 2)
    bot.quiet()
    assert bot.conclusions(bad.head_sha) == ["action_required"] * 2


def test_nothing_on_a_shared_head_passes_before_all_are_judged(bot):
    bot.scene.git.commit("release", {PROMPT: "Sort it.\n"}, parents=(bot.scene.git.resolve("main"),))
    good, payload = bot.scene.open_pull(prompt(bot, "approved"))
    twin, _ = bot.scene.open_pull({}, branch="twin", base="release")
    twin.head_sha = good.head_sha
    bot.emit("pull_request", payload)
    bot.until(lambda: bot.records.verdicts_of_head(bot.scene.repository.id, good.head_sha))
    bot.quiet()
    (check,) = bot.checks(good.head_sha)
    assert (check["status"], check["conclusion"]) == ("in_progress", None)
    assert check["output"]["title"].startswith("#2 with the same head has no verdict yet; ")
    bot.emit("pull_request", bot.scene.pull_event("opened", twin))
    bot.until(lambda: bot.conclusions(good.head_sha) == ["success", "success"])


@pytest.mark.parametrize("how", ["pushes on", "is closed"])
def test_who_leaves_a_shared_head_holds_up_nobody_there(bot, how):
    """The newest check of a commit is the one that counts at GitHub: it may not be that of who has gone."""
    bot.scene.git.commit("release", {PROMPT: "Sort it.\n"}, parents=(bot.scene.git.resolve("main"),))
    good = judged(bot, "approved")
    head = good.head_sha
    bot.evaluation.calls, bot.evaluation.call_s = 1000, 0.05
    twin, _ = bot.scene.open_pull({GATE: "version: 1 # other\n"}, branch="twin", base="release")
    twin.head_sha = head
    bot.emit("pull_request", bot.scene.pull_event("opened", twin))
    bot.until(lambda: bot.conclusions(head) in (["success", None], [None, None]))
    bot.evaluation.calls = 4
    if how == "pushes on":
        bot.emit("pull_request", bot.scene.push(twin, prompt(bot, "better: blocked")))
    else:
        twin.state = "closed"
        bot.emit("pull_request", bot.scene.pull_event("closed", twin))
    bot.until(lambda: bot.conclusions(head)[-1] == "success")
    bot.quiet()
    assert bot.conclusions(head)[-1] == "success"


def test_a_fork_waits_and_pays_nothing(bot):
    pull = judged(bot, "approved", fork="eve/shop", author="eve")
    assert bot.conclusions(pull.head_sha) == ["action_required"]
    assert bot.evaluation.made == []


def test_a_review_clears_what_it_may(bot):
    pull = judged(bot, "needs_review")
    time.sleep(1)
    bot.emit("pull_request_review", bot.scene.review(pull, "max"))
    bot.until(lambda: bot.conclusions(pull.head_sha) == ["success"])
    assert "accepted by max" in bot.checks(pull.head_sha)[0]["output"]["title"]
    bot.until(lambda: "accepted by max" in bot.comments[0])
    (entry,) = bot.records.audit_log(bot.scene.repository.id, pull.number)
    assert (entry.action, entry.by, entry.head_sha) == (REVIEW, "max", pull.head_sha)
    assert entry.url.endswith("#pullrequestreview-1")


def test_a_bug_ends_as_an_error_that_names_the_run(bot):
    bot.evaluation.trouble = ZeroDivisionError("oh")
    pull = judged(bot)
    (check,) = bot.checks(pull.head_sha)
    assert check["conclusion"] == "failure"
    assert "a bug in Prompt Verdict" in check["output"]["summary"]
    run = bot.records.current_run(bot.scene.repository.id, pull.number)
    assert run.id in check["output"]["summary"].replace("&#58;", ":")
    assert bot.records.verdict(run.id).scorecard.status is VerdictStatus.ERROR


def test_a_bug_while_publishing_fails_the_check_too(bot, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("bot.publishing.publisher.check_text", broken)
    pull = judged(bot)
    (check,) = bot.checks(pull.head_sha)
    assert (check["conclusion"], check["output"]["title"]) == ("failure", "error: no verdict")
    assert "a bug in Prompt Verdict" in check["output"]["summary"]
    assert bot.records.current_run(bot.scene.repository.id, pull.number).state == "failed"
    (comment,) = bot.comments
    assert "Prompt Verdict: error" in comment
    assert "a bug in Prompt Verdict" in comment


def test_a_locked_conversation_changes_no_verdict(bot):
    pull, payload = bot.scene.open_pull(prompt(bot, "approved"))
    pull.locked = True
    bot.emit("pull_request", payload)
    bot.until(lambda: bot.conclusions(pull.head_sha) == ["success"])
    bot.quiet()
    assert bot.comments == []


def test_lost_answers_and_refusals_leave_one_comment_and_one_check(bot):
    bot.github.fail("POST", "check-runs", lost=True)
    bot.github.fail("PATCH", "check-runs", status=502)
    bot.github.fail("POST", "comments", lost=True)
    bot.github.fail("POST", "comments", status=500, skip=1)
    pull = judged(bot)
    assert len(bot.checks(pull.head_sha)) == 1
    assert len(bot.comments) == 1


@pytest.mark.parametrize("moved", [{GATE: "version: 1 # stricter\n"}, {"tests/triage.jsonl": "{}\n"}], ids="ab")
def test_what_judges_is_the_tip_of_base_and_not_where_it_was_when_the_pull_request_was_opened(bot, moved):
    pull = judged(bot)
    tip = bot.scene.git.commit("main", moved)
    bot.emit("pull_request", bot.scene.push(pull, {"README.md": "x\n"}))
    bot.until(lambda: bot.conclusions(pull.head_sha) == ["success"])
    bot.quiet()
    assert bot.evaluation.bases[-1] == tip


@pytest.mark.slow
def test_forks_that_take_long_keep_no_other_pull_request_waiting(bot, monkeypatch):
    """They stand in a line of their own, one at a time."""
    go_on, there, most = threading.Event(), [], []
    real = bot.evaluation.prepare

    def slow(repo, pull_request):
        if pull_request.trust is Trust.FORK:
            there.append(pull_request.head_sha)
            most.append(len(there))
            assert go_on.wait(30)
            there.pop()
        return real(repo, pull_request)

    monkeypatch.setattr(bot.evaluation, "prepare", slow)
    forks = [opened(bot, f"fork {n}", fork=f"stranger{n}/shop", branch=f"f{n}") for n in range(6)]
    bot.until(lambda: there)
    pulls = [opened(bot, f"pull {n}", branch=f"p{n}") for n in range(3)]
    bot.until(lambda: all(bot.conclusions(pull.head_sha) == ["success"] for pull in pulls))
    assert not [fork for fork in forks if None not in bot.conclusions(fork.head_sha) and bot.checks(fork.head_sha)]
    bot.emit("issue_comment", bot.scene.comment(forks[5].number, "mia", f"/verdict approve-run {forks[5].head_sha}"))
    bot.until(lambda: bot.conclusions(forks[5].head_sha)[-1:] == ["success"])  # approved: in the line of the others
    go_on.set()
    bot.quiet()
    assert [bot.conclusions(fork.head_sha)[-1] for fork in forks[:5]] == ["action_required"] * 5
    assert set(most) == {1}


@pytest.mark.parametrize(
    ("how", "reviewers", "conclusion"),
    [
        ({"by": "mia"}, ["mia"], "action_required"),
        ({"wrote": "Mia <1+mia@users.noreply.github.com>"}, ["mia"], "action_required"),
        ({"message": "x\n\nCo-authored-by: mia <m@x.example>"}, ["mia"], "action_required"),
        ({"message": "x\n\nCo-authored-by: mia <m@x.example>"}, ["mia", "max"], "success"),
        ({"author": "github-actions[bot]"}, ["max"], "action_required"),
        ({"by": "renovate[bot]"}, ["max"], "action_required"),
        ({"by": "renovate[bot]"}, ["max", "mia"], "success"),
    ],
    ids="abcdefg",  # a repository for each
)
def test_only_people_without_a_part_in_the_head_accept_it(bot, how, reviewers, conclusion):
    pull = judged(bot, "needs_review", **how)
    assert bot.conclusions(pull.head_sha) == ["action_required"]
    time.sleep(1.1)  # reviews have whole seconds
    for reviewer in reviewers:
        bot.emit("pull_request_review", bot.scene.review(pull, reviewer))
    bot.quiet()
    assert bot.conclusions(pull.head_sha) == [conclusion]


def test_a_store_that_fails_says_on_the_check_what_an_operator_must_do_until_it_works(bot):
    bot.evaluation.trouble = StoreError("the disk is full", where="/srv/secret", hint="free the disk")
    pull = opened(bot)
    bot.until(lambda: "waiting" in bot.checks(pull.head_sha)[-1:].__str__())
    shown = bot.checks(pull.head_sha)[-1]
    assert (shown["status"], shown["output"]["title"]) == ("in_progress", "waiting for the operator of Prompt Verdict")
    assert shown["output"]["summary"].startswith("The disk is full. What to do: free the disk.")
    assert "secret" not in str(shown)
    assert bot.worker.troubles() == ("runs that wait for the operator (free the disk)",)
    bot.do(bot.worker.sweep.runs())
    bot.until(lambda: not bot.worker.sweep._may_revive(bot.records.open_runs()[0]))  # not again and again at once
    bot.evaluation.trouble = None
    bot.worker.sweep._revived.clear()
    bot.do(bot.worker.sweep.runs())
    bot.until(lambda: bot.conclusions(pull.head_sha) == ["success"])
    bot.until(lambda: bot.worker.troubles() == ())
