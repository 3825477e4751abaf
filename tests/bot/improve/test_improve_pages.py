"""Suggested edits on pages: forms, cancelling, a conversation, and a draft in the reader's own name."""

import re

import pytest

from adapters.clock import SystemClock
from bot.improve.suggesting import Suggesting
from bot.runs.default_branch import DefaultBranch
from bot.store.suggest_values import SuggestionState
from bot.worker import app_and_sources
from tests.bot.improve_stage import Shop
from tests.bot.pages.site import FROM_US, WRITING, Site
from tests.fakes.github import FakeGitHub
from tests.improve import lab
from tests.improve.lab import RULE, Models

pytestmark = pytest.mark.slow


@pytest.fixture
def github(tmp_path):
    with FakeGitHub(tmp_path / "github") as fake:
        yield fake
        assert fake.violations == []


@pytest.fixture
def pages(github, tmp_path):
    """The site and the worker on one database. ``wes`` writes, ``rob`` reads."""
    shop = Shop(github, tmp_path / "data", Models(lab.obeys))
    yield shop
    shop.whole.records.close()


def browser(shop, login):
    """A browser in which this person has signed in."""
    from fastapi import FastAPI

    from adapters.github.sign_in import GitHubSignIn
    from bot.pages.application import Pages
    from bot.pages.context import Facts
    from bot.pages.github_access import GitHubAccess
    from bot.pages.sign_in import CALLBACK, SignIn
    from tests.bot.pages.site import PUBLIC

    whole, github = shop.whole, shop.whole.github
    whole.app.granted[whole.installation] = whole.app.granted[whole.installation] | WRITING
    whole.app.callback_urls = (PUBLIC + CALLBACK,)
    clock = SystemClock()
    sign_in = GitHubSignIn(
        whole.app.client_id, whole.app.client_secret, server_url=github.server_url,
        api_url=f"{github.server_url}/api/v3",
    )  # fmt: skip
    suggesting = Suggesting(
        whole.records,
        DefaultBranch(*app_and_sources(whole.settings)),
        clock,
        run_usd=whole.settings.caps.run,
        person_usd=whole.settings.caps.person,
    )
    access = GitHubAccess(whole.records, sign_in, clock, PUBLIC)
    web = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    made = Pages(whole.records, access, Facts(github.server_url, public_url=PUBLIC), clock, None, suggesting=suggesting)
    made.add_to(web)
    SignIn(made, whole.records, access, sign_in, clock, public_url=PUBLIC, secret="s").add_to(web)
    return Site(web, github, whole.records, clock, PUBLIC + CALLBACK).signed_in(login)


def lineage_page(shop):
    """The address of the prompt's pages, which exist once a change of it was measured."""
    pull, opened = shop.whole.scene.open_pull({"triage.prompt.yml": lab.PROMPT.replace("hurry", "rush")})
    shop.whole.emit("pull_request", opened)
    shop.whole.until(lambda: shop.whole.conclusions(pull.head_sha) == ["success"], 60)
    (lineage,) = shop.whole.records.lineage_rows(shop.repository.id)
    return f"/repositories/{shop.repository.id}/lineages/{lineage.id}"


def ended(shop, number):
    return shop.whole.until(
        lambda: (one := shop.whole.records.suggestion(number)) and not one.state.is_open and one, 60
    )


def test_a_conversation_on_pages_ends_in_a_draft_in_the_readers_name(pages):
    shop = pages
    with shop.whole.web(), shop.working():
        base = lineage_page(shop)
        ada, rob = browser(shop, "ada"), browser(shop, "rob")
        assert f'href="{base}/improve"' in ada.get(base).text
        assert f"{base}/improve" not in rob.get(base).text
        request = re.search(r'name="request" value="([^"]+)-words"', ada.get(f"{base}/improve").text)[1]
        form = {"action": "words", "request": request, "sentence": "be friendlier"}
        for _ in range(2):  # a reload
            assert "see its result" in ada.post(f"{base}/improve", data=form, headers=FROM_US).text
        assert ended(shop, 1).state is SuggestionState.DONE
        page = f"/repositories/{shop.repository.id}/suggestions/1"
        assert "+      Be friendly." in ada.get(page).text
        follow = {"action": "words", "request": "2", "sentence": "be stricter about refunds"}
        assert "can't be" not in rob.post(page, data=follow, headers=FROM_US).text
        assert shop.whole.records.suggestion(2) is None, "a reader starts nothing"
        assert "The next round is queued" in ada.post(page, data=follow, headers=FROM_US).text
        ended(shop, 2)
        second = page.removesuffix("1") + "2"
        shown = ada.get(second).text
        assert RULE.lstrip("- ") in shown
        assert "Be friendly." in shown
        assert [pull.author for pull in shop.repository.pulls.values()] == ["ada"], "only the one that was there"
        opened = ada.post(second, data={"action": "open"}, headers=FROM_US).text
        assert "Your draft pull request is open" in opened
        draft = list(shop.repository.pulls.values())[-1]
        assert (draft.draft, draft.author) == (True, "ada")
        assert "be friendlier" in draft.body
        assert "be stricter about refunds" in draft.body
        again = ada.post(second, data={"action": "open"}, headers=FROM_US).text
        assert "already has an open pull request" in again
        asked = shop.calls
        shop.whole.emit("pull_request", shop.whole.scene.pull_event("opened", draft))
        shop.whole.until(lambda: shop.whole.conclusions(draft.head_sha) == ["success"], 60)
        assert shop.calls == asked


def test_a_page_cancels_and_says_what_is_wrong(pages):
    shop = pages
    shop.models.provider.takes_s = 0.3
    with shop.whole.web(), shop.working():
        base = lineage_page(shop)
        ada = browser(shop, "ada")

        def sends(**form):
            return ada.post(f"{base}/improve", data={"request": "x", **form}, headers=FROM_US).text

        assert "Say in a sentence" in sends(action="words", sentence=" ?")
        assert "The form has no action" in sends(action="other")
        assert "The budget is not a number" in sends(action="search", budget="much")
        assert "allows $2.00" in sends(action="search", budget="3").replace("&#36;", "$")
        assert "see its result" in sends(action="search", budget="1")
        shop.whole.until(lambda: shop.whole.records.suggestion(1).state is SuggestionState.RUNNING)
        page = f"/repositories/{shop.repository.id}/suggestions/1"
        assert "Cancelled" in ada.post(page, data={"action": "cancel"}, headers=FROM_US).text
        shop.whole.until(lambda: shop.models.provider.under_way == 0, 5)
        shop.whole.quiet()
        assert "ada cancelled it" in ada.get(page).text
