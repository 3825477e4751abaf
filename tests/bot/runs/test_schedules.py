"""Whatever people, deaths and lost answers do, in whatever order: never a success on something that was not evaluated or
approved. A short walk here; ``make soak`` takes ten thousand (SCHEDULES=10000), and breaks eight rules, each of which the
machine has to see: see BREAKS."""

import logging
import os
from collections import Counter

import pytest
import structlog
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bot.approvals.approved_verdict import with_approvals
from bot.approvals.permissions import may
from bot.publishing.head_conclusion import head_conclusion
from bot.store.records import Records
from bot.store.values import APPROVE
from bot.webhooks.intents import PullRequestMoved
from engine.approvals.contributors import Contributors
from schemas.host import CheckConclusion, ReviewState, Role
from schemas.verdicts import VerdictStatus
from tests.bot.schedules import BASES, CONTENTS, GAP, WEEK, Fault, Town, stores

SCHEDULES = int(os.environ.get("SCHEDULES", "12"))
WALKS = int(os.environ.get("SCHEDULE_WALKS", "1"))
"""Seeds: the schedules are shared among them, so that several processors can walk."""
STEPS = 30
SEEN_WITHIN = 500
"""Schedules until a broken rule is seen."""
PASSES, FAILS, BLOCKED = CheckConclusion.SUCCESS, CheckConclusion.FAILURE, VerdictStatus.BLOCKED
PEOPLE = ("mia", "mia", "max", "ada", "rob", "eve")
MOST_PULLS = 3

anybody = st.sampled_from(PEOPLE)
contents = st.sampled_from((*CONTENTS, "worse", "loose", "odd"))
bases = st.sampled_from(BASES)
some = st.integers(0, 63)
"""Picks one of however many there are."""
TOTALS = Counter()


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """An empty database, made once."""
    path = tmp_path_factory.mktemp("template") / "bot.db"
    records = Records(f"sqlite:///{path}")
    records.migrate()
    records.close()
    return path


PERSONS_DO = (
    "open", "open", "push", "push", "push the same", "push back", "retarget", "move the policy", "close", "approve", "rerun", "help",
    "approve-run", "approve-run of another", "review", "comment in a review", "dismiss", "press", "change roles", "hint", "wait", "wait long",
)  # fmt: skip


def person_acts(town, data, what):
    """What people do."""
    town.rests = False
    number = sorted(town.host.pulls)[data.draw(some) % len(town.host.pulls)]
    heads = sorted(town.commits)
    now = town.host.pulls[number]
    match what:
        case "open" if len(town.host.pulls) < MOST_PULLS:
            author, same = data.draw(st.sampled_from(["ada", "mia", "eve"])), data.draw(st.booleans())
            town.opened(
                author, data.draw(contents), fork=author == "eve" and not same, base_ref=data.draw(bases),
                head=now.head_sha if same else None,
            )  # fmt: skip
        case "push":
            town.moved(number, "synchronize", head_sha=town.commit(data.draw(contents)))
        case "push the same":
            town.moved(number, "synchronize", head_sha=town.commit(town.commits[now.head_sha]))
        case "push back":
            town.moved(number, "synchronize", head_sha=heads[data.draw(some) % len(heads)])
        case "retarget":
            town.moved(number, "the base was changed", base_ref=data.draw(bases))
        case "move the policy":
            town.policy[data.draw(bases)] += 1
        case "close":
            town.moved(number, "reopened", is_open=not now.is_open)
        case "approve" | "rerun" | "help":
            town.says(number, data.draw(anybody), f"/verdict {what}{' it is fine' if what == 'approve' else ''}")
        case "approve-run":
            town.says(number, data.draw(anybody), f"/verdict approve-run {now.head_sha}")
        case "approve-run of another":
            town.says(number, data.draw(anybody), f"/verdict approve-run {heads[data.draw(some) % len(heads)]}")
        case "review":
            state = data.draw(
                st.sampled_from([ReviewState.APPROVED, ReviewState.APPROVED, ReviewState.CHANGES_REQUESTED])
            )
            town.reviewed(number, data.draw(anybody), state)
        case "comment in a review":
            town.reviewed(number, data.draw(anybody), ReviewState.COMMENTED)
        case "dismiss":
            town.dismissed(number, data.draw(anybody))
        case "press":
            town.pressed(number, "mia")
        case "change roles":
            town.host.roles[data.draw(st.sampled_from(["mia", "max", "eve"]))] = data.draw(st.sampled_from(list(Role)))
            town.unheard = True
        case "hint":
            town.mended = not town.mended
        case "wait":
            town.clock.forward(minutes=5)
        case "wait long":
            town.clock.forward(days=data.draw(st.sampled_from([1, 4, 8])))
            town.unheard = True


class Drawn:
    """Choices for what happens in the middle of an operation, in another thread: made of a number drawn before."""

    def __init__(self, number):
        self.number = number

    def draw(self, strategy):
        values = {id(some): range(64), id(contents): CONTENTS, id(bases): BASES, id(anybody): PEOPLE}[id(strategy)]
        self.number, picked = divmod(self.number, len(values))
        return values[picked]


def fault_in(town, data):
    """What goes wrong in the next operation."""
    kind = data.draw(st.sampled_from(["none", "none", "kill", "lose", "meanwhile", "gap"]))
    meanwhile, most = None, 3 if kind == "gap" else 40
    if kind in ("meanwhile", "gap"):
        moves = (
            ["push", "retarget"] if kind == "gap" else ["push", "retarget", "dismiss", "close", "deliver", "execute"]
        )
        what = data.draw(st.sampled_from(moves))

        drawn = Drawn(data.draw(st.integers(0, 2**32)))

        def meanwhile():
            if what in ("deliver", "execute"):
                machine_acts(town, None, what)
            else:
                person_acts(town, drawn, what)

    what, where = ("meanwhile", GAP) if kind == "gap" else (kind, "")
    return Fault(after=data.draw(st.integers(1, most)), kind=what, meanwhile=meanwhile, at=where)


def machine_acts(town, data, what):
    """What workers do; in between (``data`` is None) without a fault of its own."""
    town.rests = False
    pick = data.draw(some) if data else 0
    fault = fault_in(town, data) if data else None
    match what:
        case "deliver" | "deliver again" if town.mail:
            town.deliver(pick % len(town.mail), fault, again=what == "deliver again")
        case "execute" if town.queue.waiting:
            town.execute(pick % len(town.queue.waiting), fault)
        case "sweep":
            town.sweep(fault)
        case "restate":
            town.republish(sorted(town.host.pulls)[pick % len(town.host.pulls)], fault)
        case "lose" if town.mail:
            intent = town.mail[pick % len(town.mail)]
            if isinstance(intent, PullRequestMoved):  # the sweep of deliveries brings all others again
                town.mail.remove(intent)
                town.unheard = True


def machine(empty):
    """The machine; ``empty`` gives it a store for each schedule."""

    class Schedule(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.town = Town(empty())

        def teardown(self):
            self.everything_comes_to_rest()
            self.everything_is_stated_anew()
            assert not self.town.broken, self.town.broken
            self.town.check_all()
            TOTALS.update(self.town.counted)
            TOTALS["schedules"] += 1

        @invariant()
        def no_success_without_a_reason(self):
            assert not self.town.broken, self.town.broken
            self.town.clock.forward(seconds=1)

        @initialize(content=contents, fork=st.sampled_from([False, False, True]), base=bases)
        def first(self, content, fork, base):
            self.town.opened("eve" if fork else "ada", content, fork=fork, base_ref=base)

        @rule(data=st.data(), what=st.sampled_from(PERSONS_DO))
        def a_person(self, data, what):
            person_acts(self.town, data, what)

        @rule(
            data=st.data(),
            what=st.sampled_from(
                ["deliver", "deliver", "deliver again", "execute", "execute", "sweep", "restate", "lose"]
            ),
        )
        def the_machine(self, data, what):
            machine_acts(self.town, data, what)

        @rule()
        def everything_comes_to_rest(self):
            self.town.settle()
            if not self.town.unheard:
                self.town.check_all()

        def everything_is_stated_anew(self):
            """After what GitHub sends no event about."""
            for number in sorted(self.town.host.pulls):
                assert self.town.republish(number)
            self.town.unheard = False

        @rule(data=st.data(), way=st.sampled_from(["approve", "approve", "approve", "review", "review", "approve-run"]))
        def somebody_accepts_what_is_shown(self, data, way):
            """The way it is meant to go, up to the handling, which goes wrong in all ways."""
            self.town.settle()
            self.town.clock.forward(seconds=30)
            person_acts(self.town, data, way)
            self.town.clock.forward(seconds=1)
            self.town.deliver(len(self.town.mail) - 1, fault_in(self.town, data))

        @precondition(lambda self: len(self.town.host.pulls) < MOST_PULLS)
        @rule(data=st.data(), base=bases)
        def another_has_the_same_head(self, data, base):
            heads = [pull.head_sha for pull in self.town.host.pulls.values()]
            self.town.rests = False
            self.town.opened("ada", None, fork=False, base_ref=base, head=heads[data.draw(some) % len(heads)])

        @precondition(lambda self: self.town.queue.waiting)
        @rule(data=st.data(), what=st.sampled_from(["push", "retarget", "close"]))
        def what_is_measured_moves_on(self, data, what):
            """And nobody has heard of it yet."""
            person_acts(self.town, data, what)
            self.town.execute(data.draw(some) % len(self.town.queue.waiting), fault_in(self.town, data))

        @precondition(lambda self: self.town.counted["overridden"] or self.town.counted["accepted"])
        @rule(data=st.data(), what=st.sampled_from(["push", "retarget", "move the policy", "wait long", "dismiss"]))
        def what_was_accepted_changes(self, data, what):
            """An acceptance is of a content, of a person, and of a week."""
            person_acts(self.town, data, what)
            self.town.settle()
            self.everything_is_stated_anew()

    return Schedule


@pytest.mark.parametrize("walk", range(WALKS))
@pytest.mark.slow
def test_never_a_success_on_something_that_was_not_evaluated_or_approved(template, walk):
    phases = (Phase.generate, Phase.shrink) if WALKS == 1 else (Phase.generate,)
    walked = settings(
        max_examples=SCHEDULES // WALKS, stateful_step_count=STEPS, deadline=None, database=None, phases=phases,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    with stores(template) as empty:
        run_state_machine_as_test(seed(walk)(machine(empty)), settings=walked)
    print(dict(TOTALS))  # noqa: T201 - the soak shows it
    thorough = {"passed", "overridden", "kill", "lose", "meanwhile"} | ({"accepted"} if SCHEDULES >= 1000 else set())
    assert thorough <= set(TOTALS), "it has to be thorough"


# -- what the machine must see: each breaks one rule, wherever that rule is held (some are held twice). That a comment is
# fixed it saw not once in 500 schedules, as the next run writes over it: test_interleavings.py holds that.


def unmeasured_passes(patch):
    patch.setattr(
        "bot.publishing.head_conclusion.conclusion_of", lambda card: FAILS if card.status is BLOCKED else PASSES
    )


def nobody_waits_for_a_twin(patch):
    judged = head_conclusion
    patch.setattr(
        "bot.publishing.publisher.head_conclusion",
        lambda number, cards: judged(number, {n: card for n, card in cards.items() if card is not None}),
    )


def an_approval_outlives_its_content(patch):
    def overrides(records, repository_id, number, content_digest, at):
        log = records.audit_log(repository_id, number)
        stand = [one for one in log if one.action == APPROVE and one.permitted and one.expires_at > at]
        return [one.model_copy(update={"content_digest": content_digest}) for one in stand]

    patch.setattr(Records, "overrides", overrides)
    patch.setattr("bot.approvals.approved_verdict._saw_this_verdict", lambda *_: True)


async def _took_no_part(*_):
    return False


def authors_approve_their_own(patch):
    patch.setattr("bot.commands.dispatch.may", lambda *asked, author: may(*asked, author=False))
    patch.setattr(
        "bot.publishing.publisher.with_approvals",
        lambda card, **given: with_approvals(card, **given | {"author": None}),
    )
    patch.setattr("engine.clearing.contributors", lambda *_: Contributors(frozenset(), hidden=False))
    patch.setattr("bot.commands.dispatch._took_part", _took_no_part)


def readers_approve(patch):
    patch.setattr(
        "bot.commands.dispatch.may", lambda verb, rule, role, *rest, **more: may(verb, rule, Role.ADMIN, *rest, **more)
    )


def an_approval_never_expires(patch):
    real = Records.overrides

    def overrides(records, repository_id, number, content_digest, at):
        stood = (
            found
            for weeks in range(5)
            for found in real(records, repository_id, number, content_digest, at - weeks * WEEK)
        )
        return [one.model_copy(update={"expires_at": at + WEEK}) for one in stood]

    patch.setattr(Records, "overrides", overrides)


def an_old_head_is_published(patch):
    def current(records, host, run):
        there = host.pull_request(run.number)
        return there.model_copy(update={"head_sha": run.head_sha, "base_ref": run.base_ref, "is_open": True})

    patch.setattr("bot.publishing.publisher.current", current)
    patch.setattr("bot.publishing.pull_request_comment.current", current)


def forks_are_measured(patch):
    patch.setattr(Records, "approved_head", lambda *_: True)


SLOWLY = pytest.mark.skipif(SCHEDULES < 1000, reason="it takes up to half a minute until each is seen: make soak")
BREAKS = (
    unmeasured_passes,
    forks_are_measured,
    pytest.param(nobody_waits_for_a_twin, marks=SLOWLY),
    pytest.param(an_approval_outlives_its_content, marks=SLOWLY),
    pytest.param(an_approval_never_expires, marks=SLOWLY),
    pytest.param(authors_approve_their_own, marks=SLOWLY),
    pytest.param(readers_approve, marks=SLOWLY),
    pytest.param(an_old_head_is_published, marks=SLOWLY),
)


@pytest.fixture(autouse=True)
def quiet():
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("breaks", BREAKS, ids=lambda one: one.__name__)
@pytest.mark.slow
def test_what_breaks_a_rule_is_seen(template, monkeypatch, breaks):
    breaks(monkeypatch)
    walked = settings(
        max_examples=SEEN_WITHIN, stateful_step_count=STEPS, deadline=None, database=None, phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False, print_blob=False,
    )  # fmt: skip
    with stores(template) as empty, pytest.raises(AssertionError):
        run_state_machine_as_test(seed(0)(machine(empty)), settings=walked)
