"""What happens in between: a check belongs to a commit, and GitHub goes by its newest. Whoever is there shows what is theirs,
also where others came and went, whatever our records missed of it and whoever wrote meanwhile. In the town of the
schedules, at rest, and without anybody stating anything anew."""

import pytest

from bot.store.records import Records
from schemas.host import CheckConclusion, ReviewState
from tests.bot.schedules import GAP, Fault, Town, stores

SUCCESS = CheckConclusion.SUCCESS


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    path = tmp_path_factory.mktemp("template") / "bot.db"
    records = Records(f"sqlite:///{path}")
    records.migrate()
    records.close()
    with stores(path) as made:
        yield made


@pytest.fixture
def town(empty):
    return Town(empty())


@pytest.fixture
def head(town):
    """Of #1, which deserves success; #2 has it too, and is blocked there as soon as it is measured."""
    town.opened("ada", "better", fork=False, base_ref="main")
    town.settle()
    head = town.host.pulls[1].head_sha
    assert town.host.current(head).conclusion is SUCCESS
    town.opened("ada", None, fork=False, base_ref="release", head=head)
    return head


def heard(town):
    """Everybody hears of everything."""
    town.rests = False
    town.settle()
    assert not town.broken


def leaves(town, how):
    if how == "pushes on":
        town.moved(2, "synchronize", head_sha=town.commit("plain"))
    else:
        town.moved(2, "closed", is_open=False)


def cut_short(town, step, *, number=2):
    """The oldest run of #2 is executed until its worker is killed at this step."""
    run = next(run for run in town.store.open_runs() if run.number == number)
    assert not town.run(lambda _, execution: execution.measure(run.id), Fault(1, "kill", at=step))


def run_of(town, number=2):
    (run,) = (run for run in town.store.open_runs() if run.number == number)
    return run


@pytest.mark.parametrize("how", ["pushes on", "is closed"])
@pytest.mark.parametrize("step", ["create_check done", "start", "digest"])
def test_who_leaves_holds_up_nobody_wherever_its_worker_was_killed(town, head, how, step):
    town.deliver(0)
    cut_short(town, step)
    leaves(town, how)
    heard(town)
    assert town.host.current(head).conclusion is SUCCESS


@pytest.mark.parametrize("how", ["pushes on", "is closed"])
@pytest.mark.parametrize("step", ["update_check done", "finish", "runs_of_head", "checks"])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_who_was_killed_while_it_leaves_holds_up_nobody(town, head, how, step, times):
    """It finds by itself that it is superseded, and dies before it has told the others."""
    town.deliver(0)
    cut_short(town, "digest")
    leaves(town, how)
    town.run(lambda _, execution: execution.measure(run_of(town).id), Fault(times, "kill", at=step))
    heard(town)
    assert town.host.current(head).conclusion is SUCCESS


@pytest.mark.parametrize("how", ["pushes on", "is closed"])
def test_a_run_that_was_given_up_decides_no_more_when_it_is_gone(town, head, how):
    town.deliver(0)
    run = run_of(town)
    town.queue.waiting.clear()
    assert town.run(lambda _, execution: execution.give_up(run, "Nobody could."))
    assert town.host.current(head).conclusion is CheckConclusion.FAILURE
    leaves(town, how)
    heard(town)
    assert town.host.current(head).conclusion is SUCCESS


def test_who_pushed_unheard_and_was_closed_holds_up_nobody(town, head):
    heard(town)
    assert town.host.current(head).conclusion is CheckConclusion.FAILURE
    town.host.changed(2, head_sha=town.commit("plain"))
    leaves(town, "is closed")
    heard(town)
    assert town.host.current(head).conclusion is SUCCESS


def test_what_is_heard_again_ends_no_later_attempt(town, head):
    """The attempt that the closed one's end asked for gave way to a command; then that end is heard again."""
    heard(town)
    leaves(town, "is closed")
    town.deliver(0, again=True)
    town.says(1, "mia", "/verdict rerun")
    town.deliver(1)
    asked = run_of(town, 1)
    town.deliver(0)
    assert run_of(town, 1) == asked
    heard(town)
    assert town.host.current(head).conclusion is SUCCESS


def test_a_command_that_is_heard_again_ends_no_later_attempt(town):
    town.opened("ada", "better", fork=False, base_ref="main")
    heard(town)
    town.says(1, "mia", "/verdict rerun")
    town.deliver(0, Fault(1, "kill", at="end_command"))
    town.says(1, "max", "/verdict rerun")
    town.deliver(1)
    asked = run_of(town, 1)
    town.deliver(0)
    assert run_of(town, 1) == asked


@pytest.mark.parametrize("how", ["pushes on", "is closed"])
def test_who_had_a_head_for_a_moment_only_holds_up_nobody_there(town, head, how):
    """Meanwhile the others were judged together with it, and it had no verdict there."""
    town.moved(2, "synchronize", head_sha=town.commit("plain"))
    heard(town)
    town.moved(2, "synchronize", head_sha=head)
    assert town.republish(1)
    assert town.host.current(head).conclusion is None
    leaves(town, how)
    heard(town)
    assert town.host.current(head).conclusion is SUCCESS


def test_who_is_back_from_another_base_is_waited_for_no_more(town, head):
    town.moved(2, "the base was changed", base_ref="main")
    heard(town)
    town.says(1, "mia", "/verdict rerun")
    heard(town)
    town.moved(2, "the base was changed", base_ref="release")
    assert town.republish(1)
    assert town.host.current(head).conclusion is None
    town.moved(2, "the base was changed", base_ref="main")
    heard(town)
    assert town.host.current(head).conclusion is SUCCESS


def test_who_is_open_again_counts_again(town, head):
    heard(town)
    leaves(town, "is closed")
    heard(town)
    assert town.host.current(head).conclusion is SUCCESS
    town.moved(2, "reopened", is_open=True)
    heard(town)
    assert town.host.current(head).conclusion is CheckConclusion.FAILURE


def test_what_was_taken_back_while_it_was_closed_does_not_count_when_it_is_open_again(town):
    town.opened("ada", "loose", fork=False, base_ref="main")
    heard(town)
    town.clock.forward(minutes=1)
    town.reviewed(1, "mia", ReviewState.APPROVED)
    heard(town)
    head = town.host.pulls[1].head_sha
    assert town.host.current(head).conclusion is SUCCESS
    town.moved(1, "closed", is_open=False)
    town.dismissed(1, "mia")
    heard(town)
    town.moved(1, "reopened", is_open=True)
    heard(town)
    assert town.host.current(head).conclusion is CheckConclusion.ACTION_REQUIRED


def test_a_push_while_a_verdict_is_stated_anew_leaves_nothing_of_it(town):
    """Before anybody hears of the push, and before the run that it leads to has begun."""
    town.opened("ada", "plain", fork=False, base_ref="main")
    heard(town)
    pushes = Fault(2, "meanwhile", lambda: town.moved(1, "synchronize", head_sha=town.commit("better")), GAP)
    assert town.republish(1, pushes)
    assert town.counted["meanwhile"] == 1
    (comment,) = town.host.ours(1)
    assert comment.startswith(f"<!-- prompt-verdict {town.host.pulls[1].head_sha} -->")
    assert run_of(town, 1).head_sha == town.host.pulls[1].head_sha


def test_what_is_mended_while_another_writes_is_looked_at_again(town):
    """Who found nothing newer than a run under way writes so over its verdict, and sees it."""
    town.opened("ada", "plain", fork=False, base_ref="main")
    town.deliver(0)
    old = run_of(town, 1).id
    assert town.run(lambda _, execution: execution.measure(old))
    town.moved(1, "synchronize", head_sha=town.commit("better"))

    def the_newer_one_ends():
        town.deliver(0)
        town.queue.waiting.pop(old, None)
        town.execute(0)
        assert "is approved" in town.host.ours(1)[0]

    assert town.run(lambda _, execution: execution.publish(old), Fault(2, "meanwhile", the_newer_one_ends, GAP))
    assert town.counted["meanwhile"] == 1
    assert "is approved" in town.host.ours(1)[0]
    assert town.host.pulls[1].head_sha in town.host.ours(1)[0]


def test_two_with_one_head_that_end_together_see_each_other(town, head):
    """The one writes its check, which waits for the other, when that has ended already."""
    town.deliver(0)
    town.says(1, "mia", "/verdict rerun")
    town.deliver(0)
    runs = {run.number: run.id for run in town.store.open_runs()}
    assert town.run(lambda _, execution: execution.measure(runs[1]))
    ends = Fault(1, "meanwhile", lambda: town.execute(list(town.queue.waiting).index(runs[2])), GAP)
    assert town.run(lambda _, execution: execution.publish(runs[1]), ends)
    assert town.counted["meanwhile"] == 1
    shown = {check.external_id: check.conclusion for check in town.host.checks_of.values()}
    assert [shown[runs[number]] for number in (1, 2)] == [CheckConclusion.FAILURE] * 2


def test_a_check_that_was_made_while_its_run_was_cancelled_is_taken_back(town):
    """Whoever cancels it had asked GitHub for its check already, and found none."""
    town.opened("ada", "plain", fork=False, base_ref="main")
    town.deliver(0)
    old = run_of(town, 1).id
    begins = Fault(1, "meanwhile", lambda: cut_short(town, "digest", number=1), "finish")
    town.says(1, "mia", "/verdict rerun")
    town.deliver(0, begins)
    (check,) = town.host.checks_of.values()
    assert (check.external_id, check.conclusion) == (old, CheckConclusion.CANCELLED)


def test_a_run_that_says_too_late_that_it_is_under_way_leaves_the_newer_verdict(town):
    town.opened("ada", "plain", fork=False, base_ref="main")
    town.deliver(0)
    old = run_of(town, 1).id

    def the_newer_one_ends():
        town.moved(1, "synchronize", head_sha=town.commit("better"))
        town.deliver(0)
        town.execute(0)

    assert town.run(lambda _, execution: execution.measure(old), Fault(2, "meanwhile", the_newer_one_ends, GAP))
    assert town.counted["meanwhile"] == 1
    (comment,) = town.host.ours(1)
    assert "is approved" in comment
    assert town.host.pulls[1].head_sha in comment
