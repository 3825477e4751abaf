"""Which version a tag gets, and which it must not: repeated and late requests, killed workers, rules of the branch."""

import io
from datetime import timedelta

import pytest

from bot.hub.followed_file import FollowedFile
from bot.hub.github_copy import GitHubCopy
from bot.hub.hub_service import Asker, HubService, move_of
from bot.hub.promotion_steps import PromotionSteps
from bot.operator_rollback import rollback
from bot.runs.default_branch import Today
from bot.runs.intent_handler import IntentHandler
from bot.store.hub_values import MoveKind, Promotion, PromotionState
from bot.store.records import Records
from bot.store.values import RunKind
from bot.webhooks.intents import Pushed
from schemas.config import Config, TagsConfig
from schemas.detection import Detection
from schemas.errors import HostUnavailable, StoreError, UsageError
from schemas.host import Role
from schemas.trees import Merge
from tests.bot.cards import card
from tests.bot.hosting import REPO, Ticking
from tests.bot.hub.test_langfuse import version
from tests.bot.running import variables_for

AT = REPO.repository_id
NAME = "support-triage"
MIA = Asker("mia", Role.MAINTAIN)


class Branch:
    """The default branch, of which only the configuration counts here."""

    def __init__(self):
        self.tags = TagsConfig()

    def read(self, repo, *lineages):
        config = Config(version=1, tags=self.tags)
        return Today("main", "f" * 40, Detection(merge=Merge(tree="0" * 40, bases=()), config=config))


class Hub:
    def __init__(self, records):
        self.records, self.clock, self.branch = records, Ticking(), Branch()
        self.url = records._database.url.render_as_string()
        self.clock.utc = self.clock
        records.repository(REPO, self.clock())
        self.service = HubService(records, self.branch, self.clock)
        self.versions = [version(f"Sort {number} {{{{ticket}}}}.") for number in range(4)]
        self.number = 0

    def waits(self, number, tag="production", before=None):
        """A promotion whose asker was killed right after it was stored."""
        self.number += 1
        return self.records.ask_promotion(
            REPO,
            Promotion(
                installation_id=REPO.installation_id, repository_id=AT, lineage=NAME, tag=tag, by="mia",
                role="maintain", request=f"asked {self.number}", asked_at=self.clock(), to_digest=self[number],
                from_digest=before,
            ),
            self.versions[number],
        )  # fmt: skip

    def promoted(self, number, tag="production"):
        """The tag moves to a version, as after a verdict that passes."""
        now = self.records.current_move(AT, NAME, tag)
        if now and now.to_digest == self[number]:
            return
        asked = self.waits(number, tag, now and now.to_digest)
        move = move_of(asked, MoveKind.PROMOTED if now else MoveKind.FIRST, self.clock())
        self.records.end_promotion(asked.id, PromotionState.MOVED, "", self.clock(), move)

    def rolled_back(self, **to):
        self.number += 1
        request = f"asked {self.number}"
        move = self.service.rollback(
            REPO, NAME, "production", **{"to": None} | to, reason="", asker=MIA, request=request
        )
        return self.named(move.to_digest)

    def __getitem__(self, number):
        return self.versions[number].digest

    def named(self, digest):
        return [one.digest for one in self.versions].index(digest)

    def has(self, tag="production"):
        move = self.records.current_move(AT, NAME, tag)
        return move and self.named(move.to_digest)


@pytest.fixture
def hub(tmp_path):
    records = Records(f"sqlite:///{tmp_path / 'bot.db'}")
    records.migrate()
    yield Hub(records)
    records.close()


def test_a_second_rollback_goes_further_back_and_never_to_the_version_it_came_from(hub):
    for number in (0, 1, 2):
        hub.promoted(number)
    assert [hub.rolled_back(), hub.rolled_back()] == [1, 0]
    with pytest.raises(UsageError, match="no earlier version"):
        hub.rolled_back()
    hub.promoted(3)
    assert hub.rolled_back() == 0
    assert hub.rolled_back(to=hub[2]) == 2
    assert hub.rolled_back() == 0


@pytest.mark.parametrize("before", [None, 1])
async def test_a_promotion_that_needs_no_verdict_ends_although_its_asker_was_killed(hub, before):
    if before is not None:
        hub.promoted(before)
    asked = hub.waits(1, before=None if before is None else hub[before])
    steps = PromotionSteps(hub.records, None, hub.branch, None, clock=hub.clock, page_of=lambda _: None)
    await steps.start(None)
    assert hub.records.promotion(asked.id).state is PromotionState.MOVED
    assert (hub.has(), hub.records.open_promotions()) == (1, [])


def test_a_repeated_request_for_an_immutable_tag_says_what_it_did(hub):
    hub.promoted(0)
    hub.branch.tags = TagsConfig(immutable=("v*",))

    def asks(request):
        return hub.service.promote(REPO, NAME, "v1", source="production", asker=MIA, request=request)

    assert asks("one") == asks("one")
    assert (hub.has("v1"), asks("one").state) == (0, PromotionState.MOVED)
    with pytest.raises(UsageError, match="immutable"):
        asks("two")


def test_an_override_says_which_verdict_it_goes_against(hub):
    """A promotion that needs review is stored as blocked."""
    hub.promoted(0)
    asked, at = hub.waits(1, before=hub[0]), hub.clock()
    run = hub.records.open_run(
        REPO, None, "f" * 40, NAME, why="promotion", kind=RunKind.PROMOTION, raise_attempt=True, at=at
    )
    hub.records.start_promotion(asked.id, run.id)
    hub.records.keep_verdict(run.id, card("needs_review"), "0" * 64, at=at)
    hub.records.end_promotion(asked.id, PromotionState.BLOCKED, "A person must look.", at)
    override = hub.service.override(REPO, asked.id, reason="looked", asker=MIA, request="over", audited=True)
    assert override.verdict == "needs_review"
    assert hub.records.audit_log(AT, 0) == [], "its comment is in the log"


def test_a_promotion_without_a_verdict_can_be_overridden_with_a_reason(hub):
    hub.promoted(0)
    asked = hub.waits(1, before=hub[0])
    hub.records.end_promotion(asked.id, PromotionState.FAILED, "The old model is gone.", hub.clock())
    override = hub.service.override(REPO, asked.id, reason="it was retired", asker=MIA, request="over")
    assert (hub.has(), override.kind, override.verdict) == (1, MoveKind.OVERRIDE, "error")
    assert hub.service.override(REPO, asked.id, reason="again", asker=MIA, request="over") == override
    (entry,) = hub.records.audit_log(REPO.repository_id, 0)
    assert (entry.by, entry.role, entry.action, entry.reason) == ("mia", "maintain", "promote_anyway", "it was retired")


def test_an_id_of_a_request_is_that_of_one_tag(hub):
    hub.promoted(0)
    hub.promoted(1)
    hub.promoted(2, tag="staging")
    hub.rolled_back()
    hub.number -= 1
    assert hub.rolled_back() == 0, "the same again changes nothing"
    with pytest.raises(UsageError, match="already moved another tag"):
        hub.service.rollback(REPO, NAME, "staging", to=None, reason="", asker=MIA, request=f"asked {hub.number}")


def test_the_operator_rolls_back_while_github_is_down(hub, tmp_path):
    hub.promoted(0)
    hub.promoted(1)
    variables = variables_for(tmp_path) | {
        "PROMPTVERDICT_API_URL": "http://127.0.0.1:9",
        "DATABASE_URL": hub.url,
    }
    said = io.StringIO()
    rollback(variables, said, "acme/shop", NAME, "production", to=None, reason="an outage")
    move = hub.records.moves(AT)[0]
    assert (hub.has(), move.by, move.reason, said.getvalue()[:26]) == (
        0,
        "operator",
        "an outage",
        "support-triage production:"[:26],
    )
    with pytest.raises(UsageError, match="knows no repository"):
        rollback(variables, said, "acme/other", NAME, "production", to=None, reason="")


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "", "x" * 900])
def test_a_text_that_is_no_tag_names_none(hub, text):
    hub.promoted(0)
    with pytest.raises(UsageError, match="has no tag"):
        hub.service.rollback(REPO, NAME, text, to=None, reason="", asker=MIA, request="one")
    with pytest.raises(UsageError, match="has no tag or version"):
        hub.service.promote(REPO, NAME, "v1", source=text, asker=MIA, request="two")


async def test_a_repository_that_github_does_not_answer_for_holds_up_no_other(hub):
    other = REPO.model_copy(update={"repository_id": 43, "full_name": "acme/other"})
    hub.promoted(0)
    hub.promoted(1)
    kept = hub.records.keep_version(other, hub.versions[0], hub.clock()).prompt
    move = hub.records.current_move(AT, NAME, "production")
    there = {"repository_id": 43, "from_digest": None, "to_digest": kept.digest, "request": "other"}
    hub.records.move_tag(move.model_copy(update=there))
    asked = []

    class App:
        def host(self, installation_id, repository):
            asked.append(repository)
            if repository == REPO.full_name:
                raise HostUnavailable("rate limited")
            return self

        def deploy(self, *_, **__):
            return 5

    await GitHubCopy(hub.records, App(), None, hub.clock).report()
    unreported = hub.records.unreported_moves(hub.clock() - timedelta(days=1))
    assert (asked, {one.repository_id for one in unreported}) == ([REPO.full_name, "acme/other"], {AT})


class Follower:
    """A default branch with its files by commit, and the commits that GitHub says are on it."""

    def __init__(self, hub, immutable=()):
        self.hub, self.files, self.tip, self.immutable = hub, {}, "", immutable

    def host(self, installation_id, repository):
        return self

    def branch(self, name):
        return self.tip

    def contains(self, branch, commit):
        return True

    def push(self, sha, number):
        rules = f", immutable: [{', '.join(self.immutable)}]" if self.immutable else ""
        text = f"production: {{{NAME}: {commit_of(number)!r}}}\n"
        self.files[sha] = {"promptverdict.yaml": f"version: 1\ntags: {{follow: t.yaml{rules}}}\n", "t.yaml": text}
        self.tip = sha

    def file(self, repo, sha, path):
        return self.files[sha][path].encode()

    def at(self, repo, commit, lineage):
        return self.hub.changes[int(commit, 16)]


def commit_of(number):
    return f"{number:040x}"


@pytest.fixture
def followed(hub, monkeypatch):
    def make(**more):
        follower = Follower(hub, **more)
        hub.changes = {n: Detection.model_construct(lineages=(One(n),)) for n in range(4)}
        monkeypatch.setattr("bot.hub.followed_file.version_of", lambda change, commit: hub.versions[change.number])
        return follower, FollowedFile(hub.records, hub.service, follower, follower)

    class One:
        name = NAME

        def __init__(self, number):
            self.number = number

    return make


class Quiet:
    async def base_moved(self, *_):
        pass


async def test_an_old_push_that_is_delivered_again_takes_nothing_back(hub, followed):
    branch, file = followed()
    handler = IntentHandler(hub.records, Quiet(), None, handle_command=None, on_default=file.follow, clock=hub.clock)
    old, new = "a" * 40, "b" * 40
    for sha, number in ((old, 0), (new, 1)):
        branch.push(sha, number)
        await handler.handle(Pushed(repo=REPO, branch="main", sha=sha, to_default=True))
        hub.promoted(number)
    await handler.handle(Pushed(repo=REPO, branch="main", sha=old, to_default=True))
    assert (hub.has(), hub.records.moves(AT)[0].kind) == (1, MoveKind.PROMOTED)


def test_the_file_moves_no_immutable_tag(hub, followed):
    branch, file = followed(immutable=("production",))
    for number in (0, 1):
        branch.push(commit_of(number), number)
        file.follow(REPO, "main", commit_of(number))
    assert (hub.has(), hub.records.open_promotions()) == (0, [])


def test_a_database_that_takes_no_writes_still_serves_readers(hub, monkeypatch):
    hub.records.add_token(AT, "shop", "0" * 64, "mia", hub.clock())

    def full(*_):
        raise StoreError("the disk is full")

    monkeypatch.setattr(hub.records._database, "writing", full)
    assert hub.records.token_owner("0" * 64, hub.clock()).repo == REPO
