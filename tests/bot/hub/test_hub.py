"""The hub from a command or an API call to what an application reads: everything real but GitHub and the model."""

import json
import uuid
from datetime import timedelta

import httpx
import pytest

from bot.hub.tokens import new_token, token_hash
from bot.store.hub_values import MoveKind, PromotionState
from bot.store.values import RepositoryRef
from tests.bot.running import command
from tests.bot.whole import Whole
from tests.end_to_end.conftest import FILES, PROMPT, run_command
from tests.repositories import Repository

pytestmark = pytest.mark.slow

WORSE = PROMPT.replace("refund requests", "requests").replace("Answer with the label alone.", "Say something nice.")
REWORDED = PROMPT + "\n"
PATH = "prompts/triage.prompt.yml"


class HubTown:
    """A repository with the bot, a pull request to comment on, and an application with a read token."""

    def __init__(self, whole, address, home):
        self.whole, self.address, self.home = whole, address, home
        self.repository = whole.scene.repository
        self.pull, opened = whole.scene.open_pull({"README.md": "x"})
        whole.emit("pull_request", opened)
        whole.until(lambda: whole.records.current_run(self.repository.id, self.pull.number))
        whole.quiet()
        self.token = new_token()
        whole.records.add_token(self.repository.id, "shop", token_hash(self.token), "mia", whole.clock.utc())

    def main_has(self, text):
        """The default branch gets another prompt."""
        self.repository.git.commit("main", {PATH: text}, parents=("main",))

    def says(self, command, by="mia"):
        """Posts a command; the bot's answer."""
        posted = self.whole.scene.comment(self.pull.number, by, f"/verdict {command}")
        number = posted["comment"]["id"]
        self.whole.emit("issue_comment", posted)
        marker = f"<!-- prompt-verdict-answer {number}"
        return self.whole.until(lambda: next((one for one in self.whole.comments if one.startswith(marker)), None))

    def result(self, number):
        """The comment with a promotion's result."""
        marker = f"<!-- prompt-verdict-promotion {number}"
        return self.whole.until(lambda: next((one for one in self.whole.comments if one.startswith(marker)), None))

    def reads(self, path="tags/production", token=None, **headers):
        given = {"authorization": f"Bearer {token or self.token}", **headers}
        return httpx.get(f"{self.address}/v1/acme/shop/{path}", headers=given, trust_env=False)

    def manages(self, method, path, by, **body):
        """What a person sends from a command line."""
        token = self.whole.github.user_token(by)
        return httpx.request(
            method, f"{self.address}/v1/acme/shop/{path}", json=body or None, trust_env=False,
            headers={"authorization": f"Bearer {token}"},
        )  # fmt: skip

    def runs(self, *arguments, by="mia", **variables):
        """``promptverdict …`` as a person runs it."""
        variables = {"GITHUB_TOKEN": self.whole.github.user_token(by), "PROMPTVERDICT_HUB": self.address} | variables
        return run_command(*arguments, "--repository", "acme/shop", cwd=self.home, home=self.home, **variables)

    @property
    def production(self):
        move = self.whole.records.current_move(self.repository.id, "triage", "production")
        return move and move.to_digest


@pytest.fixture
def town(github, tmp_path):
    whole = Whole(github, tmp_path / "data")
    whole.move_to("acme/shop", FILES)
    with whole.web() as address, whole.working():
        yield HubTown(whole, address, tmp_path)
    whole.records.close()


def test_a_tag_moves_only_by_a_verdict_an_audited_override_or_a_rollback(town):
    assert town.reads().status_code == 404
    assert "needs the role maintain" in town.says("promote triage production", by="ada")
    assert "Promoted" in town.says("promote triage production")
    first, read = town.production, town.reads()
    assert read.json()["prompts"]["triage"]["digest"] == first
    assert town.reads(**{"if-none-match": read.headers["etag"]}).status_code == 304

    assert "has this version already" in town.says("promote triage production")
    town.main_has(WORSE)
    assert "is measured against" in town.says("promote triage production")
    number = town.whole.records.promotions(town.repository.id, "triage")[0].id
    assert "Not promoted" in town.result(number)
    blocked = town.whole.records.promotion(number)
    assert town.production == first
    assert town.reads(**{"if-none-match": read.headers["etag"]}).status_code == 304
    card = town.whole.records.verdict(blocked.run_id).scorecard
    assert (card.lineages[0].status.value, card.base.ref) == ("blocked", "production")

    assert "needs the role maintain" in town.says(f"promote-anyway {blocked.id} they asked", by="ada")
    assert "is now" in town.says(f"promote-anyway {blocked.id} the outage is worse")
    worse = town.production
    assert worse == blocked.to_digest != first
    assert "nothing to override" in town.says("promote-anyway 1 again")
    assert "is now" in town.says("rollback triage production because tickets are lost")
    assert town.production == first
    kinds = [move.kind for move in town.whole.records.moves(town.repository.id)]
    assert kinds == [MoveKind.ROLLBACK, MoveKind.OVERRIDE, MoveKind.FIRST]
    log = town.whole.records.audit_log(town.repository.id, town.pull.number)
    assert [(one.by, one.action, one.permitted, one.reason) for one in log if "anyway" in one.action] == [
        (
            "ada",
            "promote_anyway",
            False,
            "`promote-anyway` needs the role maintain or higher in this repository; yours is write.",
        ),
        ("mia", "promote_anyway", True, "the outage is worse"),
        ("mia", "promote_anyway", True, "again"),
    ]
    assert town.reads(f"versions/{worse}").json()["digest"] == worse


def test_a_harmless_change_is_promoted_and_staging_feeds_production(town):
    town.says("promote triage staging")
    town.says("promote triage production from staging")
    first = town.production
    town.main_has(PROMPT.replace("You sort", "You assign"))
    asked = town.manages("POST", "promotions", "mia", lineage="triage", tag="production", request=str(uuid.uuid4()))
    assert asked.status_code == 202, asked.text
    number = asked.json()["id"]
    ended = town.whole.until(
        lambda: (one := town.manages("GET", f"promotions/{number}", "rob").json())["state"] == "moved" and one
    )
    assert (town.production, ended["from_digest"]) == (ended["to_digest"], first)
    assert town.whole.records.current_move(town.repository.id, "triage", "production").kind is MoveKind.PROMOTED
    assert town.whole.records.current_move(town.repository.id, "triage", "staging").to_digest == first
    back = town.manages("POST", "rollbacks", "mia", lineage="triage", tag="production", request="r" * 20)
    assert back.json()["kind"] == "rollback"
    assert (
        town.manages("POST", "rollbacks", "mia", lineage="triage", tag="production", request="r" * 20).json()
        == back.json()
    )
    assert town.production == first
    states = {one.state for one in town.whole.records.promotions(town.repository.id, "triage")}
    assert states == {PromotionState.MOVED}


ASKED = {"lineage": "triage", "tag": "production", "request": "x" * 16}


def test_roles_and_bodies_are_checked(town):
    town.repository.private = True
    for by, method, path, body, status in (
        ("rob", "POST", "promotions", ASKED, 403),
        ("ada", "POST", "rollbacks", ASKED, 403),
        ("stranger", "GET", "moves", {}, 404),
        ("rob", "GET", "moves", {}, 200),
        ("mia", "POST", "promotions", ASKED | {"lineage": "nothing"}, 409),
        ("mia", "POST", "promotions", ASKED | {"source": "nowhere"}, 409),
        ("mia", "POST", "promotions", ASKED | {"tag": "Not a tag"}, 400),
        ("mia", "POST", "promotions", ASKED | {"more": 1}, 400),
        ("mia", "POST", "promotions", {"lineage": "x" * 20_000}, 413),
        ("mia", "POST", "rollbacks", ASKED, 409),
        ("mia", "POST", "promotions/7/override", {"reason": "x", "request": "x" * 16}, 409),
        ("rob", "POST", "tokens", {"name": "x"}, 403),
        ("mia", "POST", "tokens", {"name": "x"}, 201),
    ):
        answer = town.manages(method, path, by, **body)
        assert answer.status_code == status, (by, path, answer.text)
        assert status < 300 or set(answer.json()) == {"error", "hint"}
    assert town.production is None


def test_a_read_token_moves_nothing_and_reads_one_repository(town):
    town.says("promote triage production")
    assert town.reads(token="pv_" + "a" * 43).status_code == 401
    for method, path in (("POST", "promotions"), ("POST", "rollbacks"), ("POST", "tokens"), ("GET", "moves")):
        answer = httpx.request(
            method, f"{town.address}/v1/acme/shop/{path}", headers={"authorization": f"Bearer {town.token}"},
            json={"lineage": "triage", "tag": "production", "request": "x" * 16}, trust_env=False,
        )  # fmt: skip
        assert answer.status_code == 401
    other = httpx.get(
        f"{town.address}/v1/acme/other/tags/production", headers={"authorization": f"Bearer {town.token}"},
        trust_env=False,
    )  # fmt: skip
    assert other.status_code == 404
    made = town.manages("POST", "tokens", "mia", name="second").json()
    assert town.reads(token=made["token"]).status_code == 200
    assert town.manages("DELETE", f"tokens/{made['id']}", "mia").status_code == 204
    assert town.reads(token=made["token"]).status_code == 401


def test_a_renamed_or_suspended_repository_keeps_its_readers(town):
    town.says("promote triage production")
    before = town.reads().json()
    records, at = town.whole.records, town.whole.clock.utc()
    repo = records.repository_by_id(town.repository.id)
    records.repository(repo.model_copy(update={"full_name": "acme/store"}), at)
    records.suspended(repo.installation_id, at)
    # Its clients ask for the old name, and refuse a document with another one.
    assert town.reads().json() == before
    assert before["repository"] == "acme/shop"
    other = RepositoryRef(installation_id=repo.installation_id, repository_id=4711, full_name="Acme/Shop")
    records.repository(other, at)
    assert town.reads().status_code == 404, "the name is another repository's now"


def test_the_whole_life_of_a_tag_from_a_command_line(town, tmp_path):
    runs = town.runs
    assert runs("tags").out == "no tag has a version yet; promptverdict promote LINEAGE TAG moves one\n"
    assert runs("promote", "triage", "production").out.startswith("promoted: triage ")
    first = town.production
    secret = runs("tokens", "add", "shop").out.strip()
    assert runs("pull", PROMPTVERDICT_TOKEN=secret).out == "prompts.lock.json: triage\n"
    assert json.loads((tmp_path / "prompts.lock.json").read_bytes()) == town.reads().json()
    town.main_has(WORSE)
    blocked = runs("promote", "triage", "production")
    assert (blocked.code, "not promoted: triage" in blocked.out) == (1, True)
    number = blocked.out.split("--anyway ")[1].split()[0]
    assert "needs a reason" in runs("promote", "triage", "production", "--anyway", number).err
    other = runs("promote", "triage", "staging", "--anyway", number, "--reason", "an outage")
    assert (other.code, f"promotion {number} is triage to production" in other.err) == (2, True)
    assert runs("promote", "triage", "production", "--anyway", number, "--reason", "an outage").code == 0
    assert town.production != first
    refused = runs("rollback", "triage", "production", by="ada")
    assert (refused.code, "needs the role maintain; yours is write" in refused.err) == (3, True)
    assert runs("rollback", "triage", "production", "--reason", "lost tickets").code == 0
    assert town.production == first
    moves = json.loads(runs("tags", "--history", "--format", "json", by="rob").out)["moves"]
    assert [one["kind"] for one in moves] == ["rollback", "override", "first"]
    for variables, code, said in (
        ({"PROMPTVERDICT_HUB": "http://hub.example.com"}, 2, "must start with https://"),
        ({"PROMPTVERDICT_HUB": "http://127.0.0.1:9"}, 3, "can't be reached"),
        ({"PROMPTVERDICT_HUB": ""}, 2, "no hub is named"),
        ({"GITHUB_TOKEN": "ghp_unknown"}, 3, "GitHub does not know this token"),
        ({"GITHUB_TOKEN": ""}, 2, "no GitHub token"),
    ):
        ended = runs("tags", **variables)
        assert (ended.code, said in ended.err) == (code, True), ended.err


def test_a_clone_alone_makes_the_same_document(town, tmp_path):
    town.says("promote triage production")
    made = Repository(tmp_path / "clone")
    made.commit(FILES)
    assert town.runs("pull", "--commit", "HEAD", "--repo", made.path).code == 0
    theirs, ours = town.reads().json(), json.loads((tmp_path / "prompts.lock.json").read_bytes())
    for each in (theirs, ours):
        each["prompts"]["triage"] |= {"moved_at": None, "commit": None}
    assert ours == theirs


def deployed(town):
    """What GitHub shows: environment and version of each deployment, oldest first."""
    states = town.repository.deployment_states
    return [
        (one["environment"], one["payload"]["digest"], states.get(one["id"])) for one in town.repository.deployments
    ]


def test_github_is_told_about_every_move_and_gives_the_tags_back(town, tmp_path):
    town.says("promote triage production")
    town.says("promote triage staging")
    first = town.production
    town.main_has(WORSE)
    town.says("promote triage production")
    number = town.whole.records.promotions(town.repository.id, "triage")[0].id
    town.result(number)
    town.says(f"promote-anyway {number} an outage")
    worse = town.production
    town.whole.until(lambda: [state for *_, state in deployed(town)] == ["success"] * 3)
    assert deployed(town) == [
        ("production", first, "success"), ("staging", first, "success"), ("production", worse, "success"),
    ]  # fmt: skip
    # Another App's deployments, or a person's, say nothing about a tag.
    town.repository.deployments.append(town.repository.deployments[0] | {"id": 10**9, "creator": "eve"})
    github = town.whole.github
    lost = {
        "PROMPTVERDICT_APP_ID": str(town.whole.app.id), "PROMPTVERDICT_PRIVATE_KEY": town.whole.app.private_key,
        "PROMPTVERDICT_API_URL": github.api_url, "PROMPTVERDICT_SERVER_URL": github.server_url,
        "PROMPTVERDICT_DATA": str(tmp_path / "other"), "NO_PROXY": "*",
    }  # fmt: skip
    restored = command(tmp_path, "restore-tags", "acme/shop", **lost)
    assert restored.returncode == 0, restored.stderr
    assert restored.stdout.splitlines() == [
        f"triage production: {worse[:12]}", f"triage staging: {first[:12]}", "2 tags restored",
    ]  # fmt: skip
    again = command(tmp_path, "restore-tags", "acme/shop", **lost)
    assert again.stdout.splitlines() == ["0 tags restored"]
    unknown = command(tmp_path, "restore-tags", "acme/nothing", **lost)
    assert (unknown.returncode, "is not installed on acme/nothing" in unknown.stderr) == (2, True)


def test_without_the_permission_only_the_audit_log_knows(town):
    for identity in (town.whole.app, *town.whole.github.tokens.values()):
        (identity.permissions or {}).pop("deployments", None)
    town.says("promote triage production")
    town.whole.until(lambda: not town.whole.records.unreported_moves(town.whole.clock.utc() - timedelta(days=1)))
    assert (town.repository.deployments, town.production is None) == ([], False)


def test_a_file_on_the_default_branch_moves_the_tags(town):
    def pushed(commit):
        files = {"promptverdict.yaml": FILES["promptverdict.yaml"] + "\ntags: {follow: tags.yaml}\n"}
        sha = town.repository.git.commit("main", files | {"tags.yaml": f"production: {{triage: {commit}}}\n"})
        payload = {
            "ref": "refs/heads/main", "after": sha, "deleted": False, "installation": {"id": town.whole.installation},
            "repository": {"id": town.repository.id, "full_name": "acme/shop", "default_branch": "main"},
        }  # fmt: skip
        town.whole.emit("push", payload)
        town.whole.quiet()

    good = town.repository.git.find("main")
    pushed(good)
    first = town.production
    assert first is not None
    worse = town.repository.git.commit("main", {PATH: WORSE})
    pushed(worse)
    (asked,) = [
        one for one in town.whole.records.promotions(town.repository.id, "triage") if one.run_id or one.state.is_open
    ]
    town.whole.until(lambda: not town.whole.records.promotion(asked.id).state.is_open)
    assert town.whole.records.promotion(asked.id).state is PromotionState.BLOCKED
    assert (town.production, asked.by) == (first, "tags.yaml")
    better = town.repository.git.commit("main", {PATH: PROMPT.replace("You sort", "You assign")})
    pushed(better)
    town.whole.until(lambda: town.production != first)
    pushed(good)
    town.whole.until(lambda: town.production == first)
    kinds = [move.kind for move in town.whole.records.moves(town.repository.id)]
    assert kinds == [MoveKind.ROLLBACK, MoveKind.PROMOTED, MoveKind.FIRST]
    # A fork's commit is in GitHub's storage too, but not on the branch.
    elsewhere = town.repository.git.commit("elsewhere", {PATH: WORSE + "x"}, parents=(good,))
    for wrong in (elsewhere, "f" * 40, "main", "[]"):
        pushed(wrong)
    assert [move.kind for move in town.whole.records.moves(town.repository.id)] == kinds
