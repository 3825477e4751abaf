"""Commands from comment to answer: what is done, what is refused, and that each is answered once."""

import asyncio
import dataclasses

import pytest

from bot.approvals.approved_verdict import with_approvals
from bot.commands.command import CommandContext
from bot.commands.dispatch import MOST_ANSWERS, answer
from bot.commands.replies import ANSWER, ENOUGH
from bot.store.records import Records
from bot.store.values import APPROVE, RunKind, RunState
from bot.webhooks.intents import CommandPosted, Ignored
from bot.webhooks.routing import read_event
from engine.render.markdown import MARKER
from schemas.errors import HostError
from schemas.host import Role
from schemas.verdicts import Reason, ReasonCode, VerdictStatus
from tests.bot.hosting import REPO, MemoryHost, Ticking
from tests.render import scorecards

HEAD, OTHER = "a" * 40, "c" * 40
WAITS = Reason(code=ReasonCode.UNTRUSTED, status=VerdictStatus.NEEDS_REVIEW, sentence="A fork.")


class Town:
    """A repository with the bot in it. Runs are asked for and never made: a verdict is put where it is needed."""

    def __init__(self, records):
        self.records = records
        self.clock = Ticking()
        self.host = MemoryHost(self.clock)
        self.host.roles = {
            "ada": Role.WRITE, "mia": Role.WRITE, "max": Role.ADMIN, "rob": Role.READ, "tri": Role.TRIAGE,
        }  # fmt: skip
        self.host.opened(1, HEAD)
        self.retried, self.republished = [], []
        self.files = {}
        self.context = CommandContext(
            records=records, host=self.host, reconciler=self, read=self.read, now=self.clock, hub=None, suggesting=None
        )

    async def retry(self, repo, number, *, why, approved_sha=None):
        self.retried.append((why, approved_sha))
        pull = self.host.pulls[number]
        return self.records.open_run(
            repo, number, pull.head_sha, pull.base_ref, why=why, kind=RunKind.PULL_REQUEST, raise_attempt=True,
            at=self.clock(), approved_sha=approved_sha,
        )  # fmt: skip

    async def republish(self, repo, number):
        self.republished.append(number)

    def read(self, work):
        raise AssertionError("no file is asked for here")

    def shows(self, card, digest="d1", number=1):
        """The pull request's head shows this verdict from now on."""
        pull = self.host.pulls[number]
        run = self.records.open_run(
            REPO, number, pull.head_sha, pull.base_ref, why=f"test {self.clock.at}", kind=RunKind.PULL_REQUEST,
            raise_attempt=True, at=self.clock(),
        )  # fmt: skip
        self.records.keep_verdict(run.id, card, digest, at=self.clock())
        self.records.finish(run.id, RunState.DONE, self.clock())
        self.records.shown(run.id, self.clock())
        return run

    def says(self, body, author="mia", *, after=60, number=1):
        """Posts a comment and has it handled; the answer's text, or None."""
        self.clock.forward(seconds=after)
        posted = self.post(body, author, number)
        self.handle(posted)
        answers = [text for text in self.host.ours(number) if text.startswith(f"{ANSWER} {posted.comment_id} -->")]
        assert len(answers) <= 1
        return answers[0] if answers else None

    def post(self, body, author="mia", number=1):
        found = self.host.posted(number, author, body)
        return CommandPosted(
            repo=REPO, number=number, comment_id=found, author=author, body=body, posted_at=self.clock.iso(),
            url=f"https://github.com/acme/shop/pull/1#issuecomment-{found}",
        )  # fmt: skip

    def handle(self, posted):
        return asyncio.run(answer(posted, self.context))

    def accepted(self, card, digest="d1", number=1):
        return with_approvals(
            card, repository_id=REPO.repository_id, number=number, author=self.host.pulls[number].author,
            content_digest=digest, records=self.records, host=self.host, now=self.clock(),
        )  # fmt: skip


@pytest.fixture
def town(tmp_path):
    records = Records(f"sqlite:///{tmp_path / 'bot.db'}")
    records.migrate()
    town = Town(records)
    records.repository(REPO, town.clock())
    yield town
    records.close()


blocked = scorecards.blocked


def test_a_command_is_acknowledged_and_answered_under_its_name(town):
    text = town.says("/verdict help")
    assert town.host.reactions == [(1_000, "eyes")]
    assert "<code>mia</code>" in text.split("\n")[1]
    assert "approve" in text


def test_talk_gets_no_answer_and_no_eyes(town):
    assert town.says("I'd run /verdict approve here") is None
    assert town.host.asked == []


def test_wrong_grammar_gets_the_help_and_does_nothing(town):
    town.shows(blocked())
    text = town.says("/verdict approve")
    assert "needs a reason" in text
    assert "Nothing was done" in text
    assert not town.republished
    assert not town.accepted(blocked()).passes


def test_an_approval_is_noted_shown_and_counts_for_a_week(town):
    town.shows(blocked())
    text = town.says("/verdict approve known flake of @support, see <b>#12</b>")
    assert town.republished == [1]
    assert "Approved for <code>aaaaaaaaaaaa</code>" in text
    assert "<b>" not in text
    assert "@support" not in text
    card = town.accepted(blocked())
    assert card.passes
    assert card.title.endswith("(overridden by mia)")
    entry = town.records.audit_log(REPO.repository_id, 1)[0]
    assert (entry.by, entry.role, entry.action, entry.head_sha, entry.content_digest) == (
        "mia", "write", APPROVE, HEAD, "d1",
    )  # fmt: skip
    assert entry.reason == "known flake of @support, see <b>#12</b>"
    town.clock.forward(days=6, hours=23)
    assert town.accepted(blocked()).passes
    town.clock.forward(hours=2)
    assert not town.accepted(blocked()).passes


def test_an_approval_survives_an_unrelated_push_and_dies_with_the_next_change_that_matters(town):
    town.shows(blocked())
    town.says("/verdict approve fine")
    town.host.changed(1, head_sha=OTHER)
    assert town.accepted(blocked(), "d1").passes
    assert not town.accepted(blocked(), "d2").passes


@pytest.mark.parametrize(
    ("author", "why"), [("ada", "Another person has to approve it"), ("rob", "yours is read"), ("eve", "can't be read")]
)
def test_who_may_not_approve_is_told_so_and_it_is_noted(town, author, why):
    town.shows(blocked())
    text = town.says("/verdict approve I want it", author)
    assert why.replace("'", "’") in text or why in text.replace("&#39;", "'").replace("&#58;", ":")
    assert not town.accepted(blocked()).passes
    [entry] = town.records.audit_log(REPO.repository_id, 1)
    assert (entry.by, entry.permitted) == (author, False)


def test_a_reader_may_ask_but_not_spend(town):
    town.shows(blocked())
    assert "no case" in town.says("/verdict explain nothing-like-it", "rob")
    assert "needs the role write" in town.says("/verdict rerun", "rob")
    assert town.retried == []


def test_an_explanation_leads_to_the_page_of_the_run_if_there_are_pages(town):
    town.shows(blocked())
    assert "full texts" not in town.says("/verdict explain nothing-like-it", "rob")
    town.context = dataclasses.replace(town.context, page_of=lambda run: f"https://verdict.example.com/{run.sequence}")
    assert "full texts</a>" in town.says("/verdict explain nothing-like-it", "rob")


@pytest.mark.parametrize(
    ("card", "why"),
    [
        (blocked().model_copy(update={"status": VerdictStatus.ERROR}), "be accepted"),
        (blocked().model_copy(update={"reasons": (WAITS,)}), "waits for"),
        (blocked().model_copy(update={"passes": True}), "nothing to accept"),
    ],
)
def test_what_no_approval_clears(town, card, why):
    town.shows(card)
    assert why in town.says("/verdict approve please")
    assert town.accepted(card).passes is card.passes
    assert town.records.audit_log(REPO.repository_id, 1) == []


def test_nothing_is_approved_before_there_is_a_verdict_on_this_head_and_base(town):
    assert "shows no verdict yet" in town.says("/verdict approve fine")
    town.shows(blocked())
    town.host.changed(1, head_sha=OTHER)
    assert "shows no verdict yet" in town.says("/verdict approve fine")
    town.host.changed(1, head_sha=HEAD, base_ref="release")
    assert "shows no verdict yet" in town.says("/verdict approve fine")


def test_nothing_is_done_to_a_closed_pull_request(town):
    town.shows(blocked())
    town.host.changed(1, is_open=False)
    for command in ("approve fine", "rerun"):
        assert "closed" in town.says(f"/verdict {command}")
    assert town.retried == []


def test_a_rerun_raises_the_attempt_once(town):
    run = town.shows(blocked())
    text = town.says("/verdict rerun")
    assert "being evaluated again" in text
    assert town.records.current_run(REPO.repository_id, 1).attempt == run.attempt + 1
    assert "does not cover" in town.says("/verdict rerun outreech")
    name = blocked().lineages[0].lineage
    assert "A verdict always covers every prompt" in town.says(f"/verdict rerun {name}")


def test_a_fork_is_run_at_exactly_the_approved_head(town):
    town.host.opened(2, HEAD, author="eve", fork=True)
    assert "whole commit id" in town.says("/verdict approve-run aaaaaaa", number=2)
    assert "The head is not" in town.says(f"/verdict approve-run {OTHER}", number=2)
    assert "needs the role write" in town.says(f"/verdict approve-run {HEAD}", "eve", number=2)
    assert not town.records.approved_head(REPO.repository_id, 2, HEAD)
    assert "exactly this commit" in town.says(f"/verdict approve-run {HEAD}", number=2)
    assert [sha for _, sha in town.retried] == [HEAD]
    assert town.records.approved_head(REPO.repository_id, 2, HEAD)
    assert not town.records.approved_head(REPO.repository_id, 2, OTHER)
    assert "is not from a fork" in town.says(f"/verdict approve-run {HEAD}", number=1), "not a fork"


def test_a_head_that_moves_while_a_fork_is_approved_isnt_run(town):
    town.host.opened(2, HEAD, author="eve", fork=True)
    seen = []

    def push(name):
        seen.append(name)
        if name == "role" and seen.count("role") == 1:
            town.host.changed(2, head_sha=OTHER)

    town.host.trouble = push
    assert "moved on" in town.says(f"/verdict approve-run {HEAD}", number=2)
    assert not town.records.approved_head(REPO.repository_id, 2, OTHER)


# -- once, whatever happens


def test_a_delivery_that_comes_again_is_answered_once(town):
    town.shows(blocked())
    town.clock.forward(seconds=60)
    posted = town.post("/verdict rerun")
    assert town.handle(posted) == "answered Rerun"
    assert [town.handle(posted) for _ in range(3)] == ["answered before"] * 3
    assert len(town.host.ours(1)) == 1
    assert len(town.retried) == 1


@pytest.mark.parametrize("command", ["/verdict rerun", "/verdict approve fine", "/verdict help", "/verdict explain x"])
def test_cut_short_anywhere_it_is_done_again_and_answered_once(town, command):
    """Every request to GitHub, and the one after the answer was written, gets lost once."""
    town.shows(blocked())
    town.clock.forward(seconds=60)
    posted = town.post(command)
    lost = set()

    def lose(name):
        if name not in lost:
            lost.add(name)
            raise HostError("the line is dead")

    town.host.trouble = lose
    for _ in range(10):
        try:
            town.handle(posted)
        except HostError:
            continue
        break
    assert lost >= {"react", "comment", "comment was written"}
    assert len(town.host.ours(1)) == 1
    assert len({why for why, _ in town.retried}) <= 1
    assert len(town.records.audit_log(REPO.repository_id, 1)) <= 1
    assert (command != "/verdict approve fine") or town.accepted(blocked()).passes
    assert len(town.records.runs_of_head(REPO.repository_id, HEAD)) == 1 + (command == "/verdict rerun")


def test_what_was_refused_stays_refused_when_it_is_handled_again(town):
    town.shows(blocked())
    town.clock.forward(seconds=60)
    posted = town.post("/verdict approve fine", "rob")

    def lose(name):
        if name == "comment":
            raise HostError("the line is dead")

    town.host.trouble = lose
    with pytest.raises(HostError):
        town.handle(posted)
    town.host.trouble = None
    town.host.roles["rob"] = Role.ADMIN
    town.handle(posted)
    assert "yours is read" in town.host.ours(1)[0]
    assert not town.accepted(blocked()).passes


@pytest.mark.parametrize("author", ["rob", "eve"])
@pytest.mark.parametrize("command", ["approve fine", "help", "no such thing", "explain x"])
def test_who_may_not_write_is_answered_so_often_and_no_more(town, author, command):
    town.host.opened(2, OTHER)
    answers = [town.says(f"/verdict {command}", author) for _ in range(MOST_ANSWERS + 3)]
    assert [ENOUGH in (text or "") for text in answers] == [False] * (MOST_ANSWERS - 1) + [True] + [False] * 3
    assert answers[MOST_ANSWERS:] == [None] * 3
    assert len(town.host.reactions) == MOST_ANSWERS + 3
    assert len(town.records.audit_log(REPO.repository_id, 1)) == MOST_ANSWERS
    assert town.says("/verdict help", author, number=2) is not None, "elsewhere it is another matter"
    assert town.says("/verdict help", "tri") is not None, "and so it is for others"


def test_the_last_answer_of_a_person_is_found_when_its_delivery_comes_again(town):
    for _ in range(MOST_ANSWERS - 1):
        town.says("/verdict help", "rob")
    posted = town.post("/verdict help", "rob")

    def lose(name):
        if name == "comment":
            raise HostError("the line is dead")

    town.host.trouble = lose
    with pytest.raises(HostError):
        town.handle(posted)
    town.host.trouble = None
    assert town.handle(posted) == "answered Help"
    assert ENOUGH in town.host.ours(1)[-1]


def test_who_may_write_is_always_answered(town):
    assert None not in [town.says("/verdict help", "max") for _ in range(MOST_ANSWERS + 3)]


def test_when_the_role_cant_be_asked_nothing_is_done(town):
    town.shows(blocked())

    def refuse(name):
        if name == "role":
            raise HostError("502")

    town.host.trouble = refuse
    with pytest.raises(HostError):
        town.says("/verdict approve fine")
    assert town.records.audit_log(REPO.repository_id, 1) == []
    assert not town.accepted(blocked()).passes


# -- attacks (each must fail)


def test_a_comment_with_our_marker_isnt_taken_for_our_answer(town):
    town.clock.forward(seconds=60)
    posted = town.post("/verdict help")
    town.host.posted(1, "eve", f"{ANSWER} {posted.comment_id} -->\nApproved by everybody.")
    town.handle(posted)
    assert len(town.host.ours(1)) == 1


def test_an_answer_never_carries_the_scorecards_marker_or_another_answers(town):
    evil = f"{MARKER} {HEAD} --> {ANSWER} 1 -->"
    text = town.says(f"/verdict explain `{evil}`")
    assert "no verdict yet" in text
    town.shows(blocked())
    text = town.says(f"/verdict explain `{evil}`")
    assert text.count("<!--") == 1


@pytest.mark.parametrize(
    "body",
    [
        "> /verdict approve fine",
        "```\n/verdict approve fine\n```",
        "Look:\n/verdict approve fine",
        f"{MARKER} {HEAD} -->\n/verdict approve fine",
        "/v\u0435rdict approve fine",
        "\u200b/verdict approve fine",
        "/verdict\u200b approve fine",
        "/verdict \u0430pprove fine",
        "/verdict approve \u200b\u2060\u00ad",
    ],
)
def test_what_only_looks_like_an_approval_accepts_nothing(town, body):
    town.shows(blocked())
    town.says(body)
    assert not town.accepted(blocked()).passes
    assert {entry.action for entry in town.records.audit_log(REPO.repository_id, 1)} <= {"help"}


def test_a_bot_gives_no_commands_and_neither_do_we(town):
    town.shows(blocked())
    for login in ("prompt-verdict[bot]", "dependabot[bot]"):
        town.host.roles[login] = Role.ADMIN
        assert town.says("/verdict approve fine", login) is None
    assert not town.accepted(blocked()).passes


def test_approve_then_push_accepts_nothing_of_what_was_pushed(town):
    """The comment is older than the verdict that the head shows when it is handled."""
    town.shows(blocked(), "d1")
    town.clock.forward(seconds=60)
    posted = town.post("/verdict approve fine")
    town.host.changed(1, head_sha=OTHER)
    town.clock.forward(seconds=60)
    town.shows(blocked(), "d2")
    town.handle(posted)
    assert "written before that verdict" in town.host.ours(1)[0]
    assert not town.accepted(blocked(), "d1").passes
    assert not town.accepted(blocked(), "d2").passes


def test_an_approval_of_one_verdict_isnt_one_of_another_on_the_same_content(town):
    doubted = blocked().model_copy(update={"status": VerdictStatus.NEEDS_REVIEW})
    town.shows(doubted)
    town.clock.forward(seconds=60)
    posted = town.post("/verdict approve fine")
    town.clock.forward(seconds=60)
    town.shows(blocked())
    town.handle(posted)
    assert not town.accepted(blocked()).passes


def test_an_override_of_a_suspicion_doesnt_accept_the_block_that_another_run_makes_of_it(town):
    doubted = blocked().model_copy(update={"status": VerdictStatus.NEEDS_REVIEW})
    town.shows(doubted)
    town.says("/verdict approve known flake")
    assert town.accepted(doubted).passes
    town.clock.forward(seconds=60)
    town.shows(blocked())
    assert not town.accepted(blocked()).passes
    town.says("/verdict approve seen, and still fine")
    assert town.accepted(blocked()).passes


def test_an_override_of_a_block_accepts_what_is_no_worse(town):
    town.shows(blocked())
    town.says("/verdict approve known flake")
    assert town.accepted(blocked().model_copy(update={"status": VerdictStatus.NEEDS_REVIEW})).passes


def test_what_an_override_could_not_accept_says_nothing_of_what_it_was_given_for(town):
    """An error is worse than a doubt, but nobody accepts it."""
    doubted = blocked().model_copy(update={"status": VerdictStatus.NEEDS_REVIEW})
    town.shows(blocked().model_copy(update={"status": VerdictStatus.ERROR}))
    town.clock.forward(seconds=60)
    town.shows(doubted)
    town.says("/verdict approve fine")
    looser = Reason(code=ReasonCode.POLICY_CHANGED, status=VerdictStatus.NEEDS_REVIEW, sentence="Looser.")
    needs = doubted.model_copy(update={"reasons": (looser,)})
    assert town.accepted(doubted).passes
    assert not town.accepted(needs).passes


def test_a_deleted_comment_is_no_command(town):
    town.shows(blocked())
    town.clock.forward(seconds=60)
    posted = town.post("/verdict approve fine")
    del town.host.comments[posted.comment_id]
    assert town.handle(posted) == "the comment was deleted"
    assert not town.accepted(blocked()).passes


PAYLOAD = {
    "installation": {"id": 7}, "repository": {"id": 42, "full_name": "acme/shop", "default_branch": "main"},
    "issue": {"number": 1, "pull_request": {}},
    "comment": {
        "id": 9, "body": "/verdict approve fine", "html_url": "https://github.com/c", "created_at": "2026-11-21T12:00:00Z",
        "user": {"login": "mia", "type": "User"},
    },
}  # fmt: skip


def test_only_what_a_comment_said_when_it_was_made_is_a_command():
    assert isinstance(read_event("issue_comment", {**PAYLOAD, "action": "created"}), CommandPosted)
    for action in ("edited", "deleted"):
        assert isinstance(read_event("issue_comment", {**PAYLOAD, "action": action}), Ignored)


@pytest.mark.parametrize("event", ["pull_request_review", "pull_request_review_comment", "commit_comment", "issues"])
def test_a_command_anywhere_else_is_none(event):
    review = {"state": "approved", "body": "/verdict approve fine"}
    about = {**PAYLOAD, "pull_request": {"number": 1, "state": "open"}, "review": review, "number": 1}
    for action in ("created", "submitted", "opened"):
        assert not isinstance(read_event(event, {**about, "action": action}), CommandPosted)


def test_a_command_in_a_review_clears_nothing_that_only_a_command_clears(town):
    """Reviews never reach the commands, and an approving review doesn't clear a block."""
    town.shows(blocked())
    town.clock.forward(seconds=60)
    town.host.reviewed(1, "mia", HEAD)
    assert not town.accepted(blocked()).passes


# -- reviews


def needs_review():
    return scorecards.scorecard(status=VerdictStatus.NEEDS_REVIEW, passes=False, title="needs review")


def test_an_approving_review_clears_until_it_is_dismissed(town):
    town.shows(needs_review())
    town.clock.forward(seconds=60)
    town.host.reviewed(1, "mia", HEAD)
    card = town.accepted(needs_review())
    assert card.passes
    assert card.title.endswith("(accepted by mia)")
    town.host.dismissed(1, "mia")
    assert not town.accepted(needs_review()).passes


@pytest.mark.parametrize("by", ["ada", "rob"])
def test_a_review_by_the_author_or_a_reader_clears_nothing(town, by):
    town.shows(needs_review())
    town.clock.forward(seconds=60)
    town.host.reviewed(1, by, HEAD)
    assert not town.accepted(needs_review()).passes


def test_a_review_from_before_the_verdict_clears_nothing(town):
    town.host.reviewed(1, "mia", HEAD)
    town.clock.forward(seconds=60)
    town.shows(needs_review())
    assert not town.accepted(needs_review()).passes


def test_a_review_survives_an_unrelated_push_and_dies_with_the_next_change_that_matters(town):
    town.shows(needs_review())
    town.clock.forward(seconds=60)
    town.host.reviewed(1, "mia", HEAD)
    town.host.changed(1, head_sha=OTHER)
    assert town.accepted(needs_review(), "d1").passes
    assert not town.accepted(needs_review(), "d2").passes


def test_a_review_of_a_fork_that_waits_isnt_one_of_what_is_measured_later(town):
    """Both say “needs review”, of the same content."""
    town.shows(needs_review().model_copy(update={"reasons": (WAITS,)}))
    town.clock.forward(seconds=60)
    town.host.reviewed(1, "mia", HEAD)
    town.clock.forward(seconds=60)
    town.shows(needs_review())
    assert not town.accepted(needs_review()).passes
    town.host.reviewed(1, "mia", HEAD)
    assert town.accepted(needs_review()).passes


def test_github_is_asked_only_where_a_review_could_help(town):
    town.accepted(blocked())
    town.accepted(blocked().model_copy(update={"passes": True}))
    town.accepted(needs_review(), number=1)
    assert town.host.asked == ["reviews"]


def test_a_flood_of_commands_of_strangers_is_answered_within_bounds_and_keeps_nobody_else_waiting(town):
    """GitHub counts each answer as a write; checks need some too."""
    for number in range(2, 40):
        town.host.opened(number, HEAD)
    said = [
        town.says("/verdict help", f"eve{n % 7}", after=1, number=2 + n % 38) for n in range(300)
    ]  # five minutes long
    assert len([one for one in said if one]) == 50
    assert len(town.host.reactions) == 50
    while town.says("/verdict help", "eve1", after=1, number=3):
        pass
    town.host.asked.clear()
    assert town.says("/verdict help", "eve1", after=1, number=4) is None
    assert town.host.asked == []  # not even asked about
    assert town.says("/verdict help", "mia", after=1)
    town.clock.forward(hours=1)
    assert town.says("/verdict help", "eve1", number=39)


def test_one_stranger_leaves_something_for_others(town):
    for number in range(2, 40):
        town.host.opened(number, HEAD)
    said = [town.says("/verdict help", "eve", after=10, number=2 + n % 38) for n in range(60)]
    assert len([one for one in said if one]) == 20
    assert town.says("/verdict help", "rob")
