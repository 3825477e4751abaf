"""Every page in Chromium: light and dark, on a phone and a desk, by keyboard, without JavaScript, for everybody."""

import json
import re
import socket
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from sqlalchemy import text as sql

from bot.pages.access import Role
from bot.pages.routes import EXPERIMENT
from bot.store.page_values import CaseFilter
from tests.bot.pages.site import WRITING, site
from tests.bot.pages.test_access import addresses
from tests.bot.pages.test_experiment import CONFIG
from tests.bot.pages.test_hostile import HOSTILE, hostile_records, local_site
from tests.fakes.github import FakeGitHub
from tests.faults import ALL

CHROMIUM = Path("/usr/bin/chromium")
AXE = Path("node_modules/axe-core/axe.min.js")
VIEWS = ((390, "dark"), (1_012, "light"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists() or not AXE.exists(), reason="Chromium or axe-core is not installed"),
]


@contextmanager
def served(records, make=lambda records, address: local_site(records)):
    """The local site, or another, on a real port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        app = make(records, f"http://127.0.0.1:{listening.getsockname()[1]}")
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield opened
        opened.close()


def opened(browser, width, scheme, **options):
    """A page that remembers its requests and complaints."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
    page = context.new_page()
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    return page


@pytest.mark.parametrize("staged", ["sqlite", "postgres"] if ALL else ["sqlite"], indirect=True)
def test_every_page_fits_the_screen_and_has_no_barrier(browser, staged):
    axe = AXE.read_text(encoding="utf-8")
    with served(staged) as site:
        for width, scheme in VIEWS:
            page = opened(browser, width, scheme, bypass_csp=True)
            own = [
                one
                for one in addresses(staged, 11, Role.READ)
                if one[0].path not in ("/organizations/{owner}", EXPERIMENT)
            ]
            for number, (route, address) in enumerate(own):  # without two that look as others do
                page.goto(site + address)
                assert page.evaluate("document.documentElement.scrollWidth") <= width, (route.path, width)
                if staged._database.is_postgres or number % 2 != VIEWS.index((width, scheme)):
                    continue  # each page once: axe takes a second, and the parts are the same on all
                page.locator("details").evaluate_all("all => all.forEach((each) => { each.open = true; })")
                page.evaluate(axe)
                found = page.evaluate("axe.run({resultTypes: ['violations']})")
                problems = [(each["id"], each["nodes"][0]["html"][:200]) for each in found["violations"]]
                assert problems == [], (route.path, width, scheme)
                assert len(found["passes"]) > 10
            assert page.complaints == []
            page.context.close()


@pytest.mark.parametrize("staged", ["sqlite"], indirect=True)
def test_without_javascript_one_finds_the_reason_of_a_blocked_pull_request(browser, staged):
    with served(staged) as site:
        page = opened(browser, 1_012, "light", java_script_enabled=False)
        page.goto(site)
        page.locator("tr", has_text="#104").get_by_role("link", name=re.compile("Run")).click()
        page.get_by_role("link", name=re.compile("^worse")).click()
        assert page.get_by_role("link", name=re.compile("^worse")).get_attribute("aria-current") == "true"
        page.get_by_role("link", name="inject-03").click()
        assert "the label is read" in page.locator(".answer").last.inner_text()
        page.go_back()
        page.get_by_role("link", name=re.compile("expected billing, candidate said refunds")).click()
        assert page.locator("table.cases tbody tr").count() >= 1
        assert all(url.startswith(site) for url in page.asked)
        page.context.close()


@pytest.mark.parametrize("staged", ["sqlite"], indirect=True)
def test_two_versions_are_compared_by_keyboard_alone(browser, staged):
    with served(staged) as site:
        page = opened(browser, 1_012, "light")
        page.goto(f"{site}/repositories/11/lineages/1")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.name") == "from":
                break
        before = page.locator("input[name=from]:checked").get_attribute("value")
        page.keyboard.press("ArrowDown")
        earlier = page.locator("input[name=from]:checked").get_attribute("value")
        assert int(earlier) < int(before)
        page.get_by_role("button", name="Compare the two").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/compare?**")
        assert f"from={earlier}" in page.url.partition("?")[2].split("&")
        assert page.get_by_role("heading", name="The same cases").count() == 1
        assert page.locator("table.diff").count() == 1
        page.context.close()


@pytest.mark.parametrize("staged", ["sqlite"], indirect=True)
def test_a_person_signs_in_adds_a_case_and_signs_out(browser, staged, tmp_path):
    """With real cookies, redirects, and the headers that a browser sends with a form."""
    with FakeGitHub(tmp_path) as github:
        people = [("acme/shop", 11, {"ada": "read"}), ("acme/secret", 12, {"eve": "read"})]
        github.oauth.login = "ada"
        with served(staged, lambda records, address: site(records, github, people, public=address).app) as address:
            page = opened(browser, 390, "light")
            page.goto(f"{address}/repositories/11/lineages/1?all=1")
            assert page.url == f"{address}/repositories/11/lineages/1?all=1"
            (cookie,) = page.context.cookies()
            assert (cookie["name"], cookie["httpOnly"], cookie["secure"]) == ("__Host-verdict", True, True)
            assert page.goto(f"{address}/repositories/12").status == 404
            page.goto(f"{address}{next(path for route, path in addresses(staged, 11) if route.path.endswith('/add'))}")
            page.get_by_label("Expected").fill("billing")
            page.get_by_role("button", name="Create the patch").click()
            assert "/verdict add-case" in page.locator("pre.patch").inner_text(), "the fake has no such file"
            page.get_by_role("button", name="Sign out").click()
            assert page.get_by_role("heading", name="Signed out").count() == 1
            assert page.context.cookies() == []
            page.context.close()
        assert github.violations == []


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
@pytest.mark.parametrize("staged", ["sqlite"], indirect=True)
def test_a_person_opens_a_pull_request_and_starts_an_experiment_by_keyboard(browser, staged, tmp_path, width, scheme):
    axe = AXE.read_text(encoding="utf-8")
    row = staged.run_page(11, next(one.run.sequence for one in staged.run_rows(11) if one.run.number == 104))
    of, path = row.experiments[0], row.overview.lineages[0].tests
    case = staged.cases(of.id, CaseFilter(result="regressed"))[0]
    text = json.dumps({"id": case.case_id, "input": {"ticket": "x"}, "expected": case.expected}) + "\n"

    def checked(page):
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate(axe)
        found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
        assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found] == []

    def pressed(page, name):
        page.get_by_role("button", name=name).focus()
        with page.expect_navigation():
            page.keyboard.press("Enter")

    with FakeGitHub(tmp_path) as github:
        people = [("acme/shop", 11, {"wes": "write"})]
        github.oauth.login = "wes"

        def made(records, address):
            found = site(records, github, people, public=address, permissions=WRITING).app
            git = github.repositories["acme/shop"].git
            head = git.commit("main", {path: text, "promptverdict.yaml": CONFIG})
            with records._database.writing() as session:
                session.execute(sql(f"UPDATE runs SET head_sha = '{head}' WHERE sequence = {row.run.sequence}"))
            return found

        with served(staged, made) as address:
            page = opened(browser, width, scheme, bypass_csp=True)
            page.goto(
                f"{address}/repositories/11/runs/{row.run.sequence}/experiments/{of.id}/cases/{case.position}/add"
            )
            checked(page)
            page.goto(page.url.removesuffix("add") + "protect")
            checked(page)
            pressed(page, "Open a pull request")
            assert "Your pull request is open" in page.get_by_role("status").inner_text()
            checked(page)
            page.goto(f"{address}/repositories/11/lineages/{of.lineage_id}/models")
            page.get_by_role("link", name="Run it on several models").click()
            checked(page)
            page.get_by_label("cheap").focus()
            page.keyboard.press("Space")
            pressed(page, "Start the experiment")
            checked(page)
            page.get_by_role("status").get_by_role("link").click()
            page.get_by_role("link", name="Stop reloading").click()
            assert page.get_by_role("heading", name="support-triage on 2 models").count() == 1
            checked(page)
            assert page.goto(f"{address}/nothing").status == 404
            checked(page)
            assert [one for one in page.complaints if "404" not in one] == []
            page.context.close()
        assert github.violations == []
    with staged._database.writing() as session:
        session.execute(sql("DELETE FROM asked_runs"))
        session.execute(sql("DELETE FROM runs WHERE kind = 'experiment'"))


def test_hostile_texts_run_nothing_and_ask_nobody(browser, tmp_path):
    records = hostile_records(tmp_path, HOSTILE[0])
    with served(records) as site:
        page = opened(browser, 390, "light")
        for route, address in addresses(records, 11, Role.READ):
            page.goto(site + address)
            assert page.evaluate("document.scripts.length + document.images.length + window.frames.length") == 0
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, route.path
        assert [url for url in page.asked if not url.startswith(site)] == []
        assert page.complaints == []
        page.context.close()
    records.close()
