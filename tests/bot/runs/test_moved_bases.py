"""A success counts for the base that it was measured on, and only as long as that base judges as it did."""

import re

import pytest

from engine.publishing.check_names import NAME, check_name, is_ours
from tests.bot.scripted import GATE, PROMPT
from tests.fakes.github.state import Pull

pytestmark = pytest.mark.slow


def opened(bot, base, words="approved", branch="change"):
    prompt = {PROMPT: f"Sort the ticket of {bot.scene.repository.full_name}, {words}.\n"}
    pull, payload = bot.scene.open_pull(prompt, base=base, branch=branch)
    bot.emit("pull_request", payload)
    bot.quiet()
    return pull


def named(bot, pull):
    """Every check of ours on the head, oldest first."""
    runs = [run for run in bot.scene.repository.check_runs if run["head_sha"] == pull.head_sha]
    return [(run["name"], run["conclusion"]) for run in runs]


@pytest.mark.parametrize("base", ["lax", "ada/own", "fuchs-🦊"], ids="abc")
def test_a_base_that_no_ruleset_guards_is_named_and_its_success_is_nobody_elses(bot, base):
    bot.scene.git.commit(base, {"README.md": "lax\n"}, parents=(bot.scene.git.resolve("main"),))
    pull = opened(bot, base)
    ((name, conclusion),) = named(bot, pull)
    assert (name.startswith(f"{NAME} ("), conclusion) == (True, "success")
    assert bot.conclusions(pull.head_sha) == []
    pull.state = "closed"
    bot.emit("pull_request", bot.scene.pull_event("closed", pull))
    bot.quiet()
    again = Pull(9, "again", "ada", "main", "change", pull.head_sha, bot.scene.repository.full_name)
    bot.scene.repository.pulls[9] = again
    assert bot.conclusions(pull.head_sha) == [], "before its event comes nothing counts for main"
    bot.emit("pull_request", bot.scene.pull_event("opened", again))
    bot.quiet()
    assert bot.conclusions(pull.head_sha) == ["success"]


@pytest.mark.parametrize(("base", "counts"), [("main", False), ("release", True), ("lax", False)])
def test_a_base_whose_success_counts_for_the_default_branch_is_compared_with_it(bot, base, counts):
    main = bot.scene.git.resolve("main")
    if base != "main":
        bot.scene.git.commit(base, {"README.md": "x\n"}, parents=(main,))
    before = len(bot.evaluation.defaults)
    pull = opened(bot, base)
    bot.emit("merge_group", bot.scene.queue(pull))
    bot.quiet()
    queued = main if base != "main" else None  # the check of a merge of the queue has the plain name
    assert bot.evaluation.defaults[before:] == [main if counts else None, queued]


@pytest.mark.parametrize("bases", [("lax", "main"), ("release", "main"), ("lax", "release")], ids="abc")
def test_another_base_takes_the_earlier_verdict_back_before_it_is_measured(bot, bases):
    for base in {*bases} - {"main"}:
        bot.scene.git.commit(base, {"README.md": "x\n"}, parents=(bot.scene.git.resolve("main"),))
    pull = opened(bot, bases[0])
    stands = []
    publisher = bot.worker.reconciler._publisher.blocking
    begin = publisher.start_check

    def seen(*asked):
        stands.append(named(bot, pull))
        return begin(*asked)

    publisher.start_check = seen
    try:
        bot.emit("pull_request", bot.scene.retarget(pull, bases[1]))
        bot.quiet()
    finally:
        publisher.start_check = begin
    ((first,),) = stands
    assert first[1] == "cancelled"
    assert named(bot, pull)[-1] == (NAME, "success")


def test_a_check_of_a_base_can_be_run_again_and_does_not_hide_the_others(bot):
    bot.scene.git.commit("lax", {"README.md": "x\n"}, parents=(bot.scene.git.resolve("main"),))
    pull = opened(bot, "main")
    twin = Pull(9, "twin", "ada", "lax", "twin", pull.head_sha, bot.scene.repository.full_name)
    bot.scene.repository.pulls[9] = twin
    bot.emit("pull_request", bot.scene.pull_event("opened", twin))
    bot.quiet()
    assert named(bot, pull) == [(NAME, "success"), (f"{NAME} (lax)", "success")]
    before = len(bot.records.runs_of_head(bot.scene.repository.id, pull.head_sha))
    bot.emit("check_run", bot.scene.rerequest(bot.scene.repository.check_runs[-1]["id"]))
    bot.quiet()
    assert named(bot, pull)[2:] == [(f"{NAME} (lax)", "success")]
    publisher = bot.worker.reconciler._publisher.blocking  # the sweep finds nothing hidden
    run = bot.records.current_run(bot.scene.repository.id, 9)
    assert publisher.newest_run_id(run.repo, pull.head_sha, f"{NAME} (lax)") == run.id
    assert len(bot.records.runs_of_head(bot.scene.repository.id, pull.head_sha)) == before + 1


@pytest.mark.parametrize(
    ("base", "shown"),
    [
        ("main", NAME),
        ("release", NAME),
        ("feature/a", f"{NAME} (feature/a)"),
        ("x" * 300, None),
        ("a\u202eb", None),
        ("🦊", None),
    ],
)
def test_what_a_check_is_called(base, shown):
    name = check_name(base, "main", lambda branch: branch == "release")
    assert is_ours(name)
    assert len(name) < 100
    assert name == name.encode("utf-16-le").decode("utf-16-le")
    assert all(ord(letter) < 0x10000 and letter.isprintable() for letter in name)
    if shown is None:
        assert re.fullmatch(rf"{NAME} \(.* [0-9a-f]{{8}}\)", name)
        assert name != check_name(base + "y", "main", lambda _: False)
    else:
        assert name == shown
    assert not is_ours("prompt-verdict-of-another")


STRICTER = {GATE: "version: 1 # stricter\n"}


def moves(bot, base, files):
    """A push to a base branch, and its event."""
    before = bot.scene.git.resolve(f"refs/heads/{base}")
    tip = bot.scene.git.commit(base, files)
    pushed = {"ref": f"refs/heads/{base}", "before": before, "after": tip, "deleted": False}
    bot.emit("push", bot.scene._payload("mia", **pushed))
    bot.quiet()
    return tip


@pytest.mark.parametrize("base", ["main", "release"], ids="ab")
def test_a_stricter_base_has_its_open_heads_evaluated_again(bot, base):
    if base != "main":
        bot.scene.git.commit(base, {"README.md": "x\n"}, parents=(bot.scene.git.resolve("main"),))
    pull = opened(bot, base)
    tip = moves(bot, base, STRICTER)
    assert bot.conclusions(pull.head_sha) == ["cancelled", "success"]
    assert bot.evaluation.bases[-1] == tip
    assert bot.records.current_run(bot.scene.repository.id, pull.number).base_sha == tip
    asked = len(bot.github.asked)
    bot.emit("push", bot.scene._payload("mia", ref=f"refs/heads/{base}", before=tip, after=tip, deleted=False))
    bot.quiet()
    assert bot.conclusions(pull.head_sha) == ["cancelled", "success"], "heard again"
    assert len(bot.github.asked) - asked <= 3


@pytest.mark.parametrize("files", [{"README.md": "other\n"}, {"src/new.py": "x = 1\n"}], ids="ab")
def test_a_move_of_base_that_no_verdict_depends_on_costs_no_run(bot, files):
    pull = opened(bot, "main")
    moves(bot, "main", files)
    assert bot.conclusions(pull.head_sha) == ["success"]
    compared = len(bot.evaluation.compared)
    bot.do(bot.worker.sweep.heads())
    assert len(bot.evaluation.compared) == compared, "the sweep remembers what was compared"


def test_only_pull_requests_to_the_branch_that_moved_are_looked_at(bot):
    bot.scene.git.commit("release", {"README.md": "x\n"}, parents=(bot.scene.git.resolve("main"),))
    pull = opened(bot, "main")
    moves(bot, "release", STRICTER)
    assert bot.conclusions(pull.head_sha) == ["success"]
    before = len(bot.github.asked)
    moves(bot, "change", {"README.md": "y\n"})
    assert not [one for one in bot.github.asked[before:] if "access_tokens" not in one.path]


@pytest.mark.parametrize("words", ["approved", "needs_review"], ids="ab")
def test_a_lost_push_is_found_by_the_sweep(bot, words):
    pull = opened(bot, "main", words)
    tip = bot.scene.git.commit("main", STRICTER)
    bot.do(bot.worker.sweep.heads())
    bot.quiet()
    assert bot.conclusions(pull.head_sha)[0] == "cancelled"
    assert bot.records.current_run(bot.scene.repository.id, pull.number).base_sha == tip
    count = len(bot.checks(pull.head_sha))
    bot.do(bot.worker.sweep.heads())
    bot.quiet()
    assert len(bot.checks(pull.head_sha)) == count == 2
