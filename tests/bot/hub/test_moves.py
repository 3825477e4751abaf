"""Moves of tags in the store: append-only, one after the other, and what ran at any time."""

import random
import threading
from datetime import timedelta

import pytest
from sqlalchemy import text

from bot.store.hub_values import MoveKind, TagMove
from bot.store.retention import Retention
from schemas.errors import StoreError
from tests.bot.hosting import REPO, Ticking
from tests.bot.hub.test_langfuse import version

AT = REPO.repository_id
NAMES, TAGS = ("triage", "outreach", "match"), ("production", "staging")


@pytest.fixture
def clock(records):
    clock = Ticking()
    records.repository(REPO, clock())
    return clock


def moved(records, clock, lineage, tag, digest, request):
    now = records.current_move(AT, lineage, tag)
    return records.move_tag(
        TagMove(
            repository_id=AT, lineage=lineage, tag=tag, from_digest=now and now.to_digest, to_digest=digest, by="mia",
            role="maintain", kind=MoveKind.PROMOTED, request=request, at=clock(),
        )
    )  # fmt: skip


@pytest.mark.slow
def test_what_ran_at_any_time_of_a_random_history_of_1000_moves(records, clock):
    dice = random.Random(21)
    versions = {
        name: [
            records.keep_version(REPO, version(f"{name} {n}", lineage=name), clock()).prompt.digest for n in range(8)
        ]
        for name in NAMES
    }
    assert [one.number for one in records.hub_versions(AT, "match")] == list(range(8, 0, -1))
    states, current = [(clock(), {})], {}
    for number in range(1_000):
        clock.forward(seconds=dice.randrange(1, 5_000))
        name, tag = dice.choice(NAMES), dice.choice(TAGS)
        digest = dice.choice([one for one in versions[name] if one != current.get((name, tag))])
        assert moved(records, clock, name, tag, digest, f"move {number}") is not None
        current = current | {(name, tag): digest}
        states.append((clock(), current))
    for index in dice.sample(range(len(states)), 60):
        at, expected = states[index]
        for when in (at, at + timedelta(microseconds=1)):
            assert {(one.lineage, one.tag): one.to_digest for one in records.tags(AT, at=when)} == expected
            for tag in TAGS:
                found = records.prompt_set(AT, REPO.full_name, tag, at=when)
                had = {one.prompt.lineage: one.prompt.digest for one in found.entries} if found else {}
                assert had == {name: digest for (name, of), digest in expected.items() if of == tag}


def test_two_moves_from_one_version_never_both_succeed(records, clock):
    first, *others = [records.keep_version(REPO, version(str(n)), clock()).prompt.digest for n in range(9)]
    moved(records, clock, "support-triage", "production", first, "first")
    move = records.current_move(AT, "support-triage", "production").model_copy(update={"from_digest": first})
    made = []

    def race(number):
        made.append(records.move_tag(move.model_copy(update={"to_digest": others[number], "request": f"r{number}"})))

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (won,) = [one for one in made if one is not None]
    assert records.current_move(AT, "support-triage", "production") == won
    assert records.move_tag(won) == won, "the same request moves once"


@pytest.mark.parametrize("table", ["tag_moves", "hub_versions"])
def test_the_database_itself_refuses_to_change_or_delete_them(records, clock, table):
    kept = records.keep_version(REPO, version("x"), clock())
    moved(records, clock, "support-triage", "production", kept.prompt.digest, "one")
    for statement in (f"UPDATE {table} SET lineage = 'x'", f"DELETE FROM {table}"):
        with pytest.raises(StoreError), records._database.writing() as session:
            session.execute(text(statement))
    assert records.current_move(AT, "support-triage", "production") is not None


def test_retention_keeps_every_version_and_removal_takes_all(records, clock):
    kept = records.keep_version(REPO, version("x"), clock())
    moved(records, clock, "support-triage", "production", kept.prompt.digest, "one")
    clock.forward(seconds=3_000 * 86_400)
    records.prune(Retention(), clock())
    assert records.prompt_set(AT, REPO.full_name, "production").entries[0].prompt == kept.prompt
    records.uninstalled(REPO.installation_id, clock())
    assert records.prompt_set(AT, REPO.full_name, "production") is None
    assert records.moves(AT) == records.hub_versions(AT, "support-triage") == []
