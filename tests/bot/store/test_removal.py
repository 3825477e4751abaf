"""Removal: after an uninstall nothing of the installation is left, in any table, in the file, in the outcome store."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from action.cli.check import prices, renderer
from adapters.git.repository import GitRepository
from adapters.scorer.client import IsolatedScorers
from adapters.store import open_store
from bot.operations.housekeeping import UNDER_WAY, keep_house
from bot.runs.provenance import packed, provenance_of
from bot.store.owned_tables import CONTENT
from bot.store.repository_outcomes import RepositoryOutcomes
from bot.store.retention import Retention
from bot.store.tables import OrphanedOutcomes, Table
from bot.store.values import APPROVE, AuditEntry, RepositoryRef, RunKind, RunState
from engine.pipeline import World, measure, prepare
from engine.runner.access import Access
from schemas.errors import StoreError
from schemas.host import Comment
from schemas.outcomes import StoredCompletion
from schemas.pullrequests import PullRequest, Trust
from tests.end_to_end.conftest import FILES, PROMPT
from tests.repositories import Repository
from tests.run.laboratory import HandClock, Scripted, completion

NOW = datetime(2026, 11, 21, tzinfo=UTC)
OURS = RepositoryRef(installation_id=7, repository_id=70, full_name="acme/canary")
SECOND = RepositoryRef(installation_id=7, repository_id=71, full_name="acme/canary-too")
THEIRS = RepositoryRef(installation_id=8, repository_id=80, full_name="umbrella/other")
CANARY = "canary"
"""In everything that the first installation brings: names, prompts, cases, answers, comments, webhooks."""


@pytest.fixture
def outcomes_url(url, tmp_path):
    """As operated: a file of its own beside SQLite, the same database in Postgres."""
    return url if url.startswith("postgresql") else str(tmp_path / "outcomes.sqlite3")


def evaluate(tmp_path, word):
    """A pull request whose every text holds ``word``, prepared."""
    files = {
        path: content.replace("ticket", f"{word} ticket") for path, content in FILES.items() if "jsonl" not in path
    }
    files["promptverdict.yaml"] = files["promptverdict.yaml"].replace("  triage:", f"  {word}:")
    files["prompts/triage.prompt.yml"] = PROMPT.replace("You sort", f"{word}: you sort")
    rows = [json.loads(row) for row in FILES["tests/triage.jsonl"].splitlines()]
    files["tests/triage.jsonl"] = "".join(json.dumps(row | {"id": f"{word}-{row['id']}"}) + "\n" for row in rows)
    repository = Repository(tmp_path / word)
    base = repository.commit(files)
    edited = files["prompts/triage.prompt.yml"].replace("you sort", "you assign")
    head = repository.commit({"prompts/triage.prompt.yml": edited}, branch="pr", parent=base)
    pull = PullRequest(base_ref="main", base_sha=base, head_ref="pr", head_sha=head, trust=Trust.SAME_REPOSITORY)
    with closing(renderer()) as sandbox:
        return prepare(pull, World(GitRepository(repository.path), sandbox, prices(), IsolatedScorers()))


async def everything(records, store, repo, prepared, word, at=NOW):
    """What the bot keeps of one pull request, from the webhook to the answered command."""
    body = json.dumps({"installation": {"id": repo.installation_id}, "title": word}).encode()
    for number, state in enumerate(("handled", "failed", "waiting", "unread")):
        delivery = f"{repo.repository_id}-{state}"
        assert records.receive(delivery, "pull_request", body, at)
        if state == "unread":
            continue
        (claimed,) = records.claim("w", 1, 5, at + timedelta(minutes=number))
        if state == "handled":
            records.handled(claimed, f"about {word}", at)
        else:
            records.retry(claimed, at + timedelta(days=9), f"about {word}")
    pull = prepared.pull_request
    run = records.open_run(
        repo,
        3,
        pull.head_sha,
        f"{word}-main",
        why=f"{word} pushed",
        kind=RunKind.PULL_REQUEST,
        raise_attempt=False,
        at=at,
    )
    records.start(run.id, 5 + repo.repository_id, at)
    clock = HandClock()
    found, texts = [], {}

    def keep(lineage, model, cases):
        texts[lineage, model] = packed(cases)

    provider = Scripted(lambda request, repetition, nth: completion("billing", fingerprint=word))
    card = await measure(
        prepared, access=Access(lambda model: provider, clock), clock=clock, on_record=found.append, on_texts=keep,
        store=RepositoryOutcomes(store, records, repo, clock),
    )  # fmt: skip
    assert records.keep_verdict(run.id, card, "d" * 64, at=at, measured=provenance_of(prepared, found, texts))
    records.finish(run.id, RunState.DONE, at)
    records.shown(run.id, at)
    records.keep_comment(repo.repository_id, 3, Comment(id=repo.repository_id, url=f"https://x/{word}"))
    records.begin_command(repo.repository_id, repo.repository_id, at)
    records.audit(
        AuditEntry(
            repository_id=repo.repository_id, number=3, by="mona", role="admin", action=APPROVE,
            reason=f"because of {word}", url=f"https://x/{word}#1", content_digest="d" * 64, head_sha=pull.head_sha,
            at=at, expires_at=at + timedelta(days=7), comment_id=repo.repository_id,
        )
    )  # fmt: skip
    return run, provider.calls


def answer(digest, at):
    return StoredCompletion(
        request_digest=digest * 64, repetition=0, completion=completion(), cost_usd=1, neutral_cost_usd=1, price=None,
        provider="p", model="m", created_at=at.isoformat(timespec="microseconds"),
    )  # fmt: skip


def orphans(records):
    with records._database.reading() as session:
        return session.execute(text("SELECT count(*) FROM orphaned_outcomes")).scalar_one()


def holding(records, word):
    """The tables in which the word occurs anywhere."""
    with records._database.reading() as session:
        names = list(Table.metadata.tables)
        if records._database.is_postgres:
            names += ["promptverdict_completions", "promptverdict_plans"]
        return {
            name
            for name in names
            for row in session.execute(text(f"SELECT * FROM {name}"))
            if word in str(tuple(row)).lower()
        }


async def test_after_an_uninstall_nothing_of_it_is_left_and_nothing_of_others_is_missing(
    records, outcomes_url, tmp_path
):
    store = open_store(outcomes_url)
    ours, theirs = evaluate(tmp_path, CANARY), evaluate(tmp_path, "other")
    run, _ = await everything(records, store, OURS, ours, CANARY)
    await everything(records, store, SECOND, ours, CANARY)
    await everything(records, store, THEIRS, theirs, "other")
    assert holding(records, CANARY) >= {
        "repositories", "deliveries", "runs", "verdicts", "lineages", "prompt_versions",
        "test_set_snapshots", "experiments", "comments", "audit_reasons",
    }  # fmt: skip
    others = holding(records, "other")

    records.uninstalled(7, NOW)
    records.uninstalled(7, NOW)
    await keep_house(records, store, Retention(), NOW)
    assert holding(records, CANARY) == set()
    assert holding(records, "other") == others
    assert [row for row in store.export() if CANARY in row.model_dump_json()] == []
    assert [row for row in store.export() if "other" in row.model_dump_json()] != []
    assert records.installations() == [8]
    (entry,) = records.audit_log(70, 3)
    assert (entry.by, entry.role, entry.action, entry.reason, entry.url) == ("mona", "admin", "approve", "", None)
    assert not records.receive("70-unread", "pull_request", b"{}", NOW), "its deliveries stay known"
    with pytest.raises(StoreError, match="the App was removed"):
        records.open_run(OURS, 3, "a" * 40, "main", why="late", kind=RunKind.PULL_REQUEST, raise_attempt=False, at=NOW)
    for late in (lambda: records.start(run.id, 1, NOW), lambda: records.use_outcomes(70, ["e" * 64], NOW)):
        with pytest.raises(StoreError, match="the App was removed"):
            late()
    for file in tmp_path.rglob("bot.db*"):
        assert CANARY not in file.read_bytes().decode(errors="replace").lower(), file
    await store.aclose()
    for file in tmp_path.glob("outcomes.sqlite3*"):
        assert file.is_dir() or CANARY not in file.read_bytes().decode(errors="replace").lower(), file


async def test_an_outcome_that_two_repositories_use_is_deleted_with_the_second(records, outcomes_url, tmp_path):
    store = open_store(outcomes_url)
    prepared = evaluate(tmp_path, CANARY)
    sibling = OURS.model_copy(update={"repository_id": 71, "repository": "ours/sibling"})
    _, paid = await everything(records, store, OURS, prepared, CANARY)
    _, again = await everything(records, store, sibling, prepared, CANARY)
    _, elsewhere = await everything(records, store, THEIRS, prepared, CANARY)
    assert (paid > 0, again, elsewhere) == (True, 0, paid), "one account pays for the same call once"
    records.repositories_removed(7, {70}, NOW)
    await keep_house(records, store, Retention(), NOW)
    assert len(list(store.export())) == 2 * paid
    assert orphans(records) == 0
    records.uninstalled(7, NOW)
    await keep_house(records, store, Retention(), NOW)
    assert len(list(store.export())) == paid
    records.uninstalled(8, NOW)
    await keep_house(records, store, Retention(), NOW)
    assert list(store.export()) == []
    assert (await store.stats()).plans == 0
    await store.aclose()


async def test_a_call_that_is_written_after_the_removal_is_deleted_too(records, outcomes_url):
    store = open_store(outcomes_url)
    records.repository(OURS, NOW)
    records.use_outcomes(70, ["a" * 64], NOW)
    records.uninstalled(7, NOW)
    await keep_house(records, store, Retention(), NOW)
    await store.put([answer("a", NOW)])
    await keep_house(records, store, Retention(), NOW + UNDER_WAY)
    assert list(store.export()) == []
    assert records.orphaned_outcomes(after="", limit=9) == ()
    await store.aclose()


async def test_an_outcome_that_somebody_uses_again_is_no_orphan(records):
    records.repository(OURS, NOW)
    records.repository(THEIRS, NOW)
    records.use_outcomes(70, ["a" * 64, "b" * 64], NOW)
    records.uninstalled(7, NOW)
    assert records.orphaned_outcomes(after="", limit=9) == ("a" * 64, "b" * 64)
    records.use_outcomes(80, ["a" * 64], NOW)
    assert (records.orphaned_outcomes(after="", limit=9), orphans(records)) == (("b" * 64,), 1)
    assert records.orphaned_outcomes(after="b" * 64, limit=9) == ()
    with records._database.writing() as session:  # noted by somebody in the very moment of the removal
        session.add(OrphanedOutcomes(digest="a" * 64, since=NOW))
    assert records.orphaned_outcomes(after="", limit=9) == ("b" * 64,)


async def test_old_answers_go_with_the_other_old_texts(records, outcomes_url):
    store = open_store(outcomes_url)
    for digest, days in (("a", 400), ("b", 10)):
        await store.put([answer(digest, NOW - timedelta(days=days))])
    assert await keep_house(records, store, Retention(texts_days=365), NOW) == 1
    assert [row.request_digest for row in store.export()] == ["b" * 64]
    await store.aclose()


def test_a_repository_that_is_taken_out_goes_and_the_others_stay(records):
    for repo in (OURS, SECOND):
        records.repository(repo, NOW)
        records.keep_comment(repo.repository_id, 3, Comment(id=1, url="u"))
    records.repositories_removed(8, [70], NOW)
    assert records.comment_of(70, 3) is not None, "another installation's list says nothing about ours"
    records.repositories_removed(7, [70], NOW)
    assert (records.comment_of(70, 3), records.comment_of(71, 3)) == (None, Comment(id=1, url="u"))
    assert records.repositories(7) == [SECOND]
    records.repository(OURS, NOW)
    assert records.repositories(7) == [OURS, SECOND]


def test_a_suspended_installation_keeps_everything_and_comes_back(records):
    records.installed(7, "acme", NOW)
    records.repository(OURS, NOW)
    records.suspended(7, NOW)
    assert (records.installations(), records.suspended_installations(), records.repositories(7)) == ([], [7], [OURS])
    records.installed(7, "acme", NOW)
    assert (records.installations(), records.suspended_installations()) == ([7], [])
    records.suspended(7, NOW)
    records.uninstalled(7, NOW)
    assert (records.installations(), records.suspended_installations()) == ([], [])


def test_whoever_adds_a_table_says_whether_it_is_content():
    kept = {"installations", "deliveries", "audit", "slots", "spending", "orphaned_outcomes", "sessions", "sign_ins"}
    kept |= {"worker_turns", "person_days"}
    assert {table.__tablename__ for table in CONTENT} | kept == set(Table.metadata.tables)
