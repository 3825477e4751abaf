"""The playground in Chromium: from “the reply is too long” to an open pull request, by keyboard, on a phone and a desk.

Photographs go to the folder that ``PLAYGROUND_PHOTOS`` names.
"""

import os
import re
import socket
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from bot.store.values import RunState
from tests.bot.pages.bench import Bench, House, replies, with_house
from tests.bot.pages.test_browser import AXE, CHROMIUM, VIEWS
from tests.fakes.github import FakeGitHub

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists() or not AXE.exists(), reason="Chromium or axe-core is not installed"),
]


@contextmanager
def served(made, listening):
    server = uvicorn.Server(uvicorn.Config(made.app(), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    with (
        FakeGitHub(folder / "github") as github,
        House(latency_s=0.2) as house,
        socket.create_server(("127.0.0.1", 0)) as listening,
    ):
        public = f"http://127.0.0.1:{listening.getsockname()[1]}"
        made = Bench(github, folder / "data", replies(house.url), public=public, lineage="replies")
        with_house(house, made.whole)
        made.house = house
        with made.working():
            made.seeded(only="edge")
            with served(made, listening):
                github.oauth.login = "max"
                yield made
        made.records.close()


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield opened
        opened.close()


class Walk:
    """One person at one screen, with the keyboard alone."""

    def __init__(self, chromium, bench, width, scheme, **options):
        self.width, self.scheme, self.photos = width, scheme, os.environ.get("PLAYGROUND_PHOTOS")
        self.context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        self.page = self.context.new_page()
        self.complaints, self.asked = [], []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.bench = bench

    def tab_to(self, describe, most=120):
        """Presses Tab until an element fits that a script describes."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            if self.page.locator(":focus").evaluate(f"(e) => Boolean({describe})"):
                return
        raise AssertionError(f"the keyboard never reached {describe}")

    def photo(self, name, *, axe=False):
        assert self.page.evaluate("document.documentElement.scrollWidth") <= self.width
        if self.photos:
            self.page.screenshot(path=Path(self.photos) / f"{self.width}-{self.scheme}-{name}.png")
        if axe:
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
            found = self.page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
            assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found] == []


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_from_a_reply_that_is_too_long_to_an_open_pull_request_by_keyboard(chromium, bench, width, scheme):
    walk = Walk(chromium, bench, width, scheme, bypass_csp=True)
    page = walk.page
    page.goto(f"{bench.public}/repositories/{bench.repo.repository_id}/lineages/{bench.known()}")
    walk.tab_to("e.textContent === 'Open in the playground'")
    page.keyboard.press("Enter")
    page.wait_for_url("**/playground")
    walk.photo("1-open", axe=True)
    walk.tab_to("e.name === 'text.0'")
    page.keyboard.press("Control+A")
    page.keyboard.type(f"You answer customers of a shop.\nReply in at most three sentences. {width}")
    page.get_by_text("Saved.", exact=True).wait_for()
    assert "draft=" in page.url, "a reload comes back to the draft"
    page.reload()
    assert str(width) in page.get_by_label("System message").input_value()
    walk.tab_to("e.value === 'run'")
    page.keyboard.press("Enter")
    page.locator("#cases-body tr").nth(2).wait_for()
    walk.photo("2-running", axe=True)
    early = page.locator("#cases-body tr").count()
    page.reload()  # in the middle
    page.get_by_role("heading", name="What the gate would say").wait_for(timeout=60_000)
    assert page.locator("#cases-body tr").count() >= early
    page.locator("#run").scroll_into_view_if_needed()
    page.evaluate("document.getElementById('run').scrollIntoView()")
    walk.photo("3-gate", axe=True)
    page.locator("#cases-table").evaluate("(e) => e.scrollIntoView()")
    walk.photo("4-answers")
    walk.tab_to("e.textContent === 'Save as pull request' && e.tagName === 'A'")
    page.keyboard.press("Enter")
    page.wait_for_url("**/save?*")
    walk.photo("5-save", axe=True)
    walk.tab_to("e.name === 'title'")
    page.keyboard.press("Control+A")
    page.keyboard.type("Shorten the replies")
    page.keyboard.press("Enter")
    page.get_by_text("Your pull request is open").wait_for()
    walk.photo("6-opened", axe=True)
    pull = max(bench.whole.scene.repository.pulls.values(), key=lambda one: one.number)
    assert (pull.author, pull.title) == ("max", "Shorten the replies")
    assert all(url.startswith((bench.public, bench.github.server_url)) for url in walk.asked)
    assert walk.complaints == []
    walk.context.close()


def test_without_javascript_a_run_is_followed_and_cancelled(chromium, bench):
    walk = Walk(chromium, bench, 390, "light", java_script_enabled=False)
    page = walk.page
    bench.house.stalled.set()
    page.goto(bench.public + bench.address)
    page.get_by_label("System message").fill("You answer customers. Reply in at most three sentences. Still.")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("link", name=re.compile("Follow it")).click()
    page.wait_for_url("**follow=1*")
    page.get_by_text("The provider has not answered for").wait_for(timeout=60_000)
    page.get_by_role("button", name="Cancel the run").click()
    page.get_by_text("Cancelled after").wait_for()
    bench.house.stalled.clear()
    draft = int(re.search(r"draft=(\d+)", page.url)[1])
    assert bench.newest(draft).state is RunState.CANCELLED
    walk.context.close()
