"""Texts of others on every page: no foreign element, no script, no request to elsewhere."""

import re
from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from bot.pages.access import Role
from bot.pages.application import LocalAccess, Pages
from bot.pages.context import Facts
from bot.store.records import Records
from bot.store.values import APPROVE, AuditEntry, RepositoryRef
from tests.bot.pages.site import HandClock
from tests.bot.pages.stage import NOW, in_production, keep, suggested
from tests.bot.pages.test_access import addresses
from tests.render.surfaces import FRAGMENTS
from tests.render.test_html import Tags, attacked

pytestmark = pytest.mark.slow

REPO = RepositoryRef(installation_id=7, repository_id=11, full_name="acme/shop")
HALF = len(FRAGMENTS) // 2
HOSTILE = ["".join(FRAGMENTS[:HALF]), "".join(FRAGMENTS[HALF:])]
INLINE = {"code", "wbr", "mark", "i", "b", "ol", "p", "span", "li", "div"}
"""Elements whose number depends on a text by design: words in backticks, changed words, breaks."""


def hostile_records(folder, text):
    """Two runs in which everything that others write is ``text``."""
    records = Records(f"sqlite:///{folder / 'bot.db'}")
    records.migrate()
    records.installed(7, "acme", NOW)
    for number in (1, 2):
        card = attacked(text)
        at = NOW - timedelta(days=3 - number)
        keep(records, REPO, card, number, at=at, before=number - 1, after=number, author=text, word=text)
    in_production(records, NOW, text, card.lineages[0].lineage)
    records.audit(
        AuditEntry(
            repository_id=11, number=2, by=text, role=text, action=APPROVE, reason=text, head_sha="a" * 40, at=NOW,
            expires_at=NOW + timedelta(days=2), url=text,
        )
    )  # fmt: skip
    suggested(records, REPO, attacked(text), text, word=text, by=text)
    return records


def local_site(records):
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    Pages(records, LocalAccess(), Facts("https://github.com"), HandClock()).add_to(app)
    return app


def structures(folder, text):
    """The elements and attributes of every page, with the addresses of links."""
    folder.mkdir()
    records = hostile_records(folder, text)
    browser = TestClient(local_site(records), base_url="http://localhost:1")
    found = {}
    for route, address in addresses(records, 11, Role.READ):
        answer = browser.get(address)
        assert answer.status_code == 200, address
        page = Tags(answer.text)
        assert page.of("script") == page.of("style") == page.of("iframe") == page.of("img") == []
        for _, attributes in page.found:
            assert not any(name.startswith("on") or name == "style" for name in attributes)
        for link in page.of("a"):
            assert re.match(r"/(repositories|organizations)?|#|https://github\.com/acme/shop/", link["href"]), link
            assert not link["href"].startswith(("//", "/\\")), link
        assert not re.search("[\u202e\x1b\u200b\u2028\x00]", answer.text)
        found[route.path] = [(tag, sorted(names)) for tag, names in page.found if tag not in INLINE]
    records.close()
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return structures(tmp_path_factory.mktemp("pages") / "plain", "xy")


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_no_text_changes_the_structure_of_a_page(tmp_path, plain, number):
    assert structures(tmp_path / "hostile", HOSTILE[number]) == plain


def test_a_local_site_answers_only_to_its_own_name(tmp_path):
    browser = TestClient(local_site(hostile_records(tmp_path, "xy")), base_url="http://localhost:1")
    for host in ("evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example:80", ""):
        refused = browser.get("/repositories/11", headers={"host": host})
        assert (refused.status_code, "xy" in refused.text) == (403, False), host
    for name in ("localhost:8080", "127.0.0.1:8080", "[::1]:8080", "localhost"):
        assert browser.get("/repositories/11", headers={"host": name}).status_code == 200
