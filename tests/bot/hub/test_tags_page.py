"""The tags of a prompt in the browser: what people see, and what the forms do for whom."""

import re

import pytest

from bot.hub.hub_service import HubService
from bot.pages.views.tags import NOT_YOURS
from bot.runs.default_branch import Today
from bot.store.records import Records
from schemas.config import Config, TagsConfig
from schemas.detection import Detection
from schemas.trees import Merge
from tests.bot.pages import stage
from tests.bot.pages.site import PUBLIC, HandClock, site
from tests.fakes.github import FakeGitHub

LINEAGE = "support-triage"


class Branch:
    """The default branch, of which only the configuration counts here."""

    def read(self, repo, *lineages):
        config = Config(version=1, tags=TagsConfig(immutable=("v*",)))
        return Today("main", "f" * 40, Detection(merge=Merge(tree="0" * 40, bases=()), config=config))


@pytest.fixture
def web(tmp_path):
    records = Records(f"sqlite:///{tmp_path / 'bot.db'}")
    records.migrate()
    records.installed(7, "acme", stage.NOW)
    stage.history(records, runs=2)
    stage.tagged(records)
    clock = HandClock()
    with FakeGitHub(tmp_path / "github") as github:
        names = [("acme/shop", 11, {"ada": "write", "mia": "maintain"})]
        yield site(records, github, names, clock=clock, hub=HubService(records, Branch(), clock))
    records.close()


@pytest.fixture
def address(web):
    (lineage,) = [one.id for one in web.records.lineage_rows(11) if one.name == LINEAGE]
    return f"/repositories/11/lineages/{lineage}/tags"


def sent(client, address, **form):
    return client.post(address, data=form, headers={"origin": PUBLIC})


def production(web):
    return web.records.current_move(11, LINEAGE, "production").to_digest


def test_everybody_who_reads_sees_them_and_only_maintainers_move_them(web, address):
    ada, mia = web.signed_in("ada"), web.signed_in("mia")
    before, text = production(web), ada.get(address).text
    for words in (before[:12], "rolled back by mia", "refunds were answered as billing", "4 must-pass cases broke"):
        assert words in text
    assert 'value="rollback"' not in text
    rollback = {"action": "rollback", "tag": "production", "request": "one"}
    assert NOT_YOURS in sent(ada, address, **rollback).text
    assert web.browser().post(address, data=rollback, headers={"origin": PUBLIC}).status_code == 303
    assert mia.post(address, data=rollback, headers={"origin": "https://evil.example"}).status_code == 403
    assert production(web) == before


def test_a_form_does_its_work_once_however_often_it_is_sent(web, address):
    mia = web.signed_in("mia")
    before, text = production(web), mia.get(address).text
    request = re.search('name="request" value="([^"]+)"', text)[1]
    earlier = re.search('<option value="([0-9a-f]{64})"', text)[1]
    rollback = {"action": "rollback", "tag": "production", "request": request, "to": earlier}
    for _ in range(2):
        assert "production now has" in sent(mia, address, **rollback).text
    after = production(web)
    assert after != before
    assert (
        "Nothing was moved" in sent(mia, address, action="rollback", tag="production", to="0" * 64, request="two").text
    )
    blocked = next(one for one in web.records.promotions(11, LINEAGE) if one.state == "blocked")
    anyway = {"action": "anyway", "promotion": str(blocked.id), "request": "three", "reason": "an outage"}
    assert "was moved meanwhile" in sent(mia, address, **anyway).text
    sent(mia, address, action="rollback", tag="production", to=before, request="four")
    assert "a reason is missing" in sent(mia, address, **anyway | {"reason": " "}).text
    assert "production now has" in sent(mia, address, **anyway).text
    assert production(web) == blocked.to_digest
    for wrong in ("7", "x", "9" * 30, ""):
        assert (
            "there is no promotion" in sent(mia, address, **anyway | {"promotion": wrong, "request": "r" + wrong}).text
        )


def test_promotions_by_a_form(web, address):
    mia = web.signed_in("mia")
    asked = {"action": "promote", "tag": "production", "source": "staging"}
    text = sent(mia, address, **asked, request="one").text
    assert "A worker measures it" in text
    (waiting,) = [one for one in web.records.open_promotions() if one.request.endswith(":one")]
    assert (waiting.by, waiting.number) == ("mia", None)
    assert "Promoted" in sent(mia, address, **asked | {"tag": "v1"}, request="two").text
    assert "is immutable" in sent(mia, address, **asked | {"tag": "v1"}, request="three").text
    for tag in ("", "No", "x" * 64, "<b>"):
        assert "be a tag" in sent(mia, address, **asked | {"tag": tag}, request="four" + tag).text
    assert "has no tag or version nowhere" in sent(mia, address, **asked | {"source": "nowhere"}, request="five").text


def test_what_ran_at_a_time(web, address):
    ada = web.signed_in("ada")
    moves = web.records.moves(11, lineage=LINEAGE, tag="production")
    for move in moves:
        text = ada.get(address, params={"at": move.at.strftime("%Y-%m-%dT%H:%M")}).text
        assert f"production had {move.to_digest[:12]}" in text
    assert "No tag had a version" in ada.get(address, params={"at": "2001-01-01T00:00"}).text
    assert ada.get(address, params={"at": "\ud800<script>".encode("utf-8", "replace")}).status_code == 200
