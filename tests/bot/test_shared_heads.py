"""GitHub goes by the newest check of a commit: whoever is there shows what is theirs, also where others came and went, and
whatever our records missed of it. In the town of the schedules, at rest and without anybody stating anything anew."""

import pytest

from bot.store.records import Records
from schemas.host import CheckConclusion, ReviewState
from tests.bot.schedules import Fault, Town, stores

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


def cut_short(town, step, times=1):
    """The run of #2 is executed until its worker is killed at this step."""
    assert not town.run(lambda _, execution: execution.measure(run_of(town).id), Fault(times, "kill", at=step))


def run_of(town):
    (run,) = (run for run in town.store.open_runs() if run.number == 2)
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


@pytest.mark.parametrize("how", ["pushes on", "is closed"])
def test_who_had_a_head_for_a_moment_only_holds_up_nobody_there(town, head, how):
    """Meanwhile the others were judged together with it, and it had no verdict there."""
    town.moved(2, "synchronize", head_sha=town.commit("plain"))
    heard(town)
    town.moved(2, "synchronize", head_sha=head)
    assert town.restate(1)
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
    assert town.restate(1)
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
