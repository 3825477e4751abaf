"""What the bot keeps, in both databases."""

import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from bot.store.values import APPROVE, APPROVE_RUN, REVIEW, AuditEntry, CommandSeen, RepositoryRef, RunKind, RunState
from schemas.errors import StoreError
from schemas.host import Comment
from tests.bot.cards import card

NOW = datetime(2026, 11, 21, 12, 0, 0, 123456, UTC)
REPO = RepositoryRef(installation_id=7, repository_id=11, full_name="acme/prompts")
A, B = "a" * 40, "b" * 40


def later(seconds):
    return NOW + timedelta(seconds=seconds)


def opened(records, head=A, *, base="main", number=3, why="pushed", again=False, at=NOW, kind=RunKind.PULL_REQUEST):
    return records.open_run(REPO, number, head, base, why=why, kind=kind, raise_attempt=again, at=at)


def approval(**changes):
    fields = {
        "repository_id": 11, "number": 3, "by": "mona", "role": "write", "action": APPROVE, "reason": "known",
        "head_sha": A, "content_digest": "c" * 64, "at": NOW, "expires_at": later(60), "url": "https://x/1", "comment_id": 5,
    }  # fmt: skip
    return AuditEntry.model_validate(fields | changes)


def test_a_delivery_is_stored_once_however_often_it_comes(records):
    assert records.receive("d1", "push", b"{}", NOW)
    assert not records.receive("d1", "push", b"other", later(1))
    assert records.unhandled_count() == 1
    assert records.known_deliveries(["d1", "d2"]) == {"d1"}
    (claimed,) = records.claim("w", 10, 30, later(2))
    assert (claimed.body, claimed.received_at, claimed.tries) == (b"{}", NOW, 1)
    assert claimed.lease_until == later(32)


def test_deliveries_are_claimed_oldest_first_and_by_nobody_else_until_the_lease_ends(records):
    for number in range(3):
        records.receive(f"d{number}", "push", b"{}", NOW)
    assert [one.id for one in records.claim("w1", 2, 30, NOW)] == ["d0", "d1"]
    assert [one.id for one in records.claim("w2", 9, 30, NOW)] == ["d2"]
    assert records.claim("w2", 9, 30, later(29)) == []
    assert [one.id for one in records.claim("w2", 9, 30, later(30))] == ["d0", "d1", "d2"]


def test_a_handled_delivery_stays_known_and_loses_its_body(records):
    records.receive("d", "push", b"secret", NOW)
    (claimed,) = records.claim("w", 1, 30, NOW)
    records.handled(claimed, "opened a run", later(1))
    assert (records.unhandled_count(), records.oldest_unhandled()) == (0, None)
    assert not records.receive("d", "push", b"secret", later(2))
    assert records.claim("w", 1, 30, later(100)) == []
    with records._database.reading() as session:
        assert session.execute(text("SELECT body, note FROM deliveries")).all() == [(None, "opened a run")]


def test_a_delivery_that_can_not_be_handled_is_tried_eight_times(records):
    records.receive("d", "push", b"{}", NOW)
    for attempt in range(8):
        (claimed,) = records.claim("w", 1, 5, later(10 * attempt))
        assert records.retry(claimed, later(10 * attempt + 10), "GitHub is down")
    assert records.claim("w", 1, 5, later(1000)) == []
    assert (records.unhandled_count(), records.failed_count()) == (0, 1)


def test_a_delivery_that_kills_every_worker_fails_too(records):
    records.receive("d", "push", b"{}", NOW)
    for attempt in range(8):
        assert records.claim("w", 1, 5, later(10 * attempt))
    assert records.claim("w", 1, 5, later(100)) == []
    assert records.failed_count() == 1


def test_what_an_outage_kept_from_being_handled_is_not_given_up(records):
    records.receive("d", "push", b"{}", NOW)
    for attempt in range(20):
        (claimed,) = records.claim("w", 1, 5, later(10 * attempt))
        assert claimed.tries == 1
        assert records.retry(claimed, later(10 * attempt + 10), "GitHub is down", counts=False)
    assert (records.unhandled_count(), records.failed_count()) == (1, 0)


def test_what_was_given_up_is_tried_anew_when_somebody_has_it_delivered_again(records):
    records.receive("d", "push", b"{}", NOW)
    for attempt in range(9):
        records.claim("w", 1, 5, later(10 * attempt))
    assert records.failed_count() == 1
    assert records.receive("d", "push", b"{1}", later(200))
    assert not records.receive("d", "push", b"{2}", later(201))
    (claimed,) = records.claim("w", 1, 5, later(202))
    assert (claimed.tries, claimed.body, claimed.received_at) == (1, b"{1}", later(200))
    assert records.failed_count() == 0


def test_who_lost_the_lease_does_not_take_the_delivery_from_who_holds_it_now(records):
    records.receive("d", "push", b"{}", NOW)
    (slow,) = records.claim("slow", 1, 5, NOW)
    (quick,) = records.claim("quick", 1, 60, later(6))
    assert not records.retry(slow, later(7), "late")
    assert records.claim("third", 1, 5, later(8)) == []
    records.handled(quick, "", later(9))
    records.handled(slow, "", later(10))
    assert records.unhandled_count() == 0


def test_the_same_head_is_one_run_until_a_new_attempt_is_asked_for(records):
    first = opened(records)
    assert first.id == f"exp:11:3:{A}:{first.id.split(':')[4]}:1"
    assert opened(records, why="redelivered", at=later(5)) == first
    assert opened(records, base="dev").id != first.id
    again = opened(records, why="command:9", again=True)
    assert (again.attempt, again.sequence > first.sequence) == (2, True)
    assert opened(records, why="command:9", again=True) == again, "a command that is handled twice raises once"
    assert opened(records) == again, "a redelivery keeps the newest attempt"
    assert {run.id for run in records.older_runs(again)} == {first.id, opened(records, base="dev").id}


def test_a_cancelled_run_is_opened_anew_when_its_head_is_wanted_again(records):
    first = opened(records)
    records.finish(first.id, RunState.CANCELLED, NOW)
    second = opened(records, B)
    back = opened(records)
    assert (back.attempt, back.state) == (2, RunState.QUEUED)
    assert records.older_runs(back) == [second]
    assert records.current_run(11, 3) == back


def test_a_push_back_to_a_finished_head_supersedes_what_came_between(records):
    first = opened(records)
    records.finish(first.id, RunState.DONE, NOW)
    second = opened(records, B)
    back = opened(records)
    assert back.id == first.id
    assert records.older_runs(back) == [second]


def test_the_first_end_of_a_run_counts(records):
    run = opened(records)
    assert records.start(run.id, 99, later(1))
    assert records.start(run.id, None, later(2)), "a step that was killed is begun again"
    records.digest(run.id, B, "c" * 64)
    assert records.finish(run.id, RunState.CANCELLED, later(3))
    assert not records.finish(run.id, RunState.DONE, later(4))
    assert not records.start(run.id, 100, later(5))
    kept = records.run(run.id)
    assert kept.check_run_id == 99
    assert (kept.state, kept.started_at, kept.ended_at) == (RunState.CANCELLED, later(1), later(3))
    assert (kept.base_sha, kept.content_digest) == (B, "c" * 64)
    assert (records.open_runs(), records.current_run(11, 3)) == ([], None)


def test_the_queue_and_the_pull_request_have_runs_of_their_own(records):
    mine = opened(records)
    queued = opened(records, kind=RunKind.QUEUE)
    assert queued.id.startswith("exp:11:queue:")
    assert records.older_runs(queued) == records.older_runs(mine) == []
    assert records.runs_of_head(11, A) == [mine, queued]


def test_a_renamed_repository_keeps_its_runs(records):
    run = opened(records)
    records.repository(REPO.model_copy(update={"full_name": "acme/renamed"}), later(1))
    assert records.run(run.id).repository == "acme/renamed"
    assert records.was_named(REPO.repository_id, REPO.full_name.upper())
    assert not records.was_named(REPO.repository_id, "acme/renamed")
    assert not records.was_named(REPO.repository_id + 1, REPO.full_name)
    records.repository(REPO.model_copy(update={"full_name": "ACME/renamed"}), later(2))
    records.repository(REPO, later(3))
    assert records.was_named(REPO.repository_id, "acme/renamed")
    records.repository(REPO.model_copy(update={"repository_id": 99, "full_name": "Acme/Renamed"}), later(4))
    assert not records.was_named(REPO.repository_id, "acme/renamed"), "it is another repository's name now"


def test_a_verdict_is_kept_once_with_every_cent(records):
    run = opened(records)
    assert records.verdict(run.id) is None
    assert records.keep_verdict(run.id, card(cost="0.10000000000000000000001"), "d" * 64, at=NOW)
    assert not records.keep_verdict(run.id, card(cost="5"), "e" * 64, at=later(1))
    kept = records.verdict(run.id)
    assert kept.scorecard == card(cost="0.10000000000000000000001")
    assert (kept.content_digest, kept.kept_at, kept.run) == ("d" * 64, NOW, run)
    with records._database.reading() as session:
        assert session.execute(text("SELECT cost_usd FROM verdicts")).scalar_one() == "0.10000000000000000000001"


def test_the_verdicts_of_a_shared_head_are_the_newest_of_each_pull_request(records):
    for number, status in ((3, "approved"), (4, "blocked"), (3, "error")):
        run = opened(records, number=number, why=status, again=True)
        records.keep_verdict(run.id, card(status=status), "d" * 64, at=NOW)
    cancelled = opened(records, number=5)
    records.keep_verdict(cancelled.id, card(), "d" * 64, at=NOW)
    records.finish(cancelled.id, RunState.CANCELLED, NOW)
    found = records.verdicts_of_head(11, A)
    assert [(kept.run.number, kept.scorecard.status.value) for kept in found] == [(4, "blocked"), (3, "error")]


def test_each_base_of_a_head_has_a_verdict_of_its_own(records):
    for base in ("main", "dev"):
        run = opened(records, base=base)
        records.keep_verdict(run.id, card(), base, at=NOW)
    assert [(kept.run.base_ref, kept.content_digest) for kept in records.verdicts_of_head(11, A)] == [
        ("main",) * 2,
        ("dev",) * 2,
    ]


def test_a_verdict_of_another_version_is_as_good_as_none_and_none_older_stands_in(records):
    for why in ("first", "second"):
        run = opened(records, why=why, again=True)
        records.keep_verdict(run.id, card(), "d" * 64, at=NOW)
    with records._database.writing() as session:
        newest = text("UPDATE verdicts SET scorecard = '{}' WHERE run_sequence = :run")
        session.execute(newest, {"run": run.sequence})
    assert records.verdict(run.id) is None
    assert records.verdicts_of_head(11, A) == []


def test_nothing_is_written_in_the_log_of_a_repository_that_was_removed(records):
    with pytest.raises(StoreError, match="the App was removed"):
        records.audit(approval())


def test_what_a_pull_request_showed_is_known_with_the_time(records):
    run = opened(records)
    records.keep_verdict(run.id, card(), "d" * 64, at=NOW)
    assert records.verdicts_shown(11, 3) == []
    records.shown(run.id, later(1))
    records.shown(run.id, later(9))
    (shown,) = records.verdicts_shown(11, 3)
    assert (shown.run.shown_at, shown.content_digest) == (later(1), "d" * 64)


def test_an_override_stands_for_its_content_until_it_expires(records):
    records.repository(REPO, NOW)
    assert records.audit(approval())
    assert not records.audit(approval(reason="again")), "one entry for each comment"
    assert records.audit(approval(comment_id=6, content_digest="e" * 64))
    assert records.audit(approval(comment_id=7, permitted=False))
    assert records.audit(approval(comment_id=8, number=4))
    assert records.overrides(11, 3, "c" * 64, later(59)) == [approval()]
    assert records.overrides(11, 3, "c" * 64, later(60)) == []
    assert records.overrides(11, 3, "c" * 64, later(-1)) == []
    assert records.audited(5) == approval()
    assert records.audited(50) is None
    assert len(records.audit_log(11, 3)) == 3
    review = approval(action=REVIEW, comment_id=None, expires_at=None)
    assert records.audit(review)
    assert not records.audit(review), "read again"
    assert records.audit(review.model_copy(update={"at": review.at + timedelta(seconds=1)})), "another review"


def test_a_fork_is_approved_at_one_head_only(records):
    records.repository(REPO, NOW)
    records.audit(approval(action=APPROVE_RUN, expires_at=None))
    records.audit(approval(action=APPROVE_RUN, head_sha=B, permitted=False, comment_id=9))
    assert records.approved_head(11, 3, A)
    assert not records.approved_head(11, 3, B)
    assert not records.approved_head(11, 4, A)


@pytest.mark.parametrize("change", ["UPDATE {} SET repository_id = 1", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ["audit", "audit_reasons"])
def test_the_database_refuses_to_change_the_audit_log(records, change, table):
    records.repository(REPO, NOW)
    records.audit(approval())
    with (
        pytest.raises(StoreError, match=r"never changed|only after their repository"),
        records._database.writing() as session,
    ):
        session.execute(text(change.format(table)))
    assert records.audited(5) == approval()


def test_comments_and_answers_are_known_once_they_are_written(records):
    records.repository(REPO, NOW)
    assert records.comment_of(11, 3) is None
    for number in (1, 2):
        records.keep_comment(11, 3, Comment(id=number, url=f"https://x/{number}"))
    assert records.comment_of(11, 3) == Comment(id=2, url="https://x/2")
    assert records.begin_command(11, 5, NOW) == CommandSeen(first=True, answer_id=None)
    assert records.begin_command(11, 5, NOW) == CommandSeen(first=False, answer_id=None)
    records.end_command(5, 77, NOW)
    assert records.begin_command(11, 5, NOW) == CommandSeen(first=False, answer_id=77)


def test_a_silent_slot_is_dead_until_it_is_forgotten(records):
    for slot, at in (("a", 0), ("b", 0), ("b", 60), ("b", 30)):
        records.heartbeat(slot, later(at))
    assert records.dead_slots(later(60)) == ["a"]
    records.forget_slot("a")
    assert records.dead_slots(later(61)) == ["b"]


def test_text_that_no_database_can_hold_is_kept_as_far_as_it_goes(records):
    records.repository(REPO, NOW)
    records.audit(approval(reason="a\0b\ud800c"))
    assert records.audited(5).reason == "a�b?c"


def test_comments_come_last_and_only_so_many_of_them(records):
    for number in range(12):
        records.receive(f"d{number}", "issue_comment" if number < 9 else "pull_request", b"{}", NOW)
    claimed = records.claim("w", 8, 30, NOW, comments=4)
    assert [one.id for one in claimed] == ["d9", "d10", "d11", "d0", "d1", "d2", "d3"]
    assert records.claim("w", 8, 30, NOW, comments=0) == []
    assert len(records.claim("w", 8, 30, NOW)) == 5


@pytest.mark.parametrize(
    ("damage", "read"),
    [
        ("UPDATE runs SET kind = 'pvll'", lambda records, _: records.open_runs()),
        ("UPDATE runs SET state = 'qveved'", lambda records, run: records.run(run.id)),
        ("UPDATE spending SET usd = 'one'", lambda records, _: records.spend(11, NOW.date(), Decimal(0))),
    ],
)
def test_a_record_that_cant_be_read_says_what_an_operator_must_do(records, damage, read):
    run = opened(records)
    records.spend(11, NOW.date(), Decimal(1))
    with records._database.writing() as session:
        session.connection().execute(text(damage))
    with pytest.raises(StoreError, match=r"holds a record that can't be read.*restore the backup"):
        read(records, run)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (sqlite3.SQLITE_FULL, "free the disk"),
        (sqlite3.SQLITE_IOERR_WRITE, "free or fix the disk"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, "writable"),
        (sqlite3.SQLITE_CORRUPT_INDEX, "restore the backup"),
        (sqlite3.SQLITE_ERROR, "repair the database"),
    ],
)
def test_a_database_that_fails_says_what_an_operator_must_do(records, code, says):
    cause = sqlite3.OperationalError("it failed")
    cause.sqlite_errorcode = code
    with pytest.raises(StoreError, match=rf"database failed: it failed .*{says}"), records._database.reading():
        raise OperationalError("SELECT 1", {}, cause)
