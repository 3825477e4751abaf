"""Who sees what: every route × every reader."""

import re
from dataclasses import replace

import pytest

from bot.pages.access import Role
from bot.pages.application import NOT_FOUND
from bot.pages.routes import ROUTES
from tests.bot.pages.site import FROM_US

pytestmark = pytest.mark.slow


def addresses(staged, repository, role=Role.MAINTAIN):
    """One address of each route that exists in this repository for such a reader."""
    pages = [staged.run_page(repository, one.run.sequence) for one in staged.run_rows(repository)]
    page = next(page for page in pages if page.has_cases)
    run = page.run.sequence
    numbers = {
        "repository": repository, "run": run, "experiment": page.experiments[0].id, "position": 0,
        "lineage": page.experiments[0].lineage_id, "owner": "acme",
        "suggestion": staged.suggestions(repository)[0].id,
    }  # fmt: skip
    for route in (one for one in ROUTES if one.role <= role):
        path = re.sub(r"\{(\w+)(?::int)?\}", lambda found: str(numbers[found[1]]), route.path)
        both = f"?from={numbers['experiment']}&to={numbers['experiment']}" if path.endswith("compare") else ""
        yield route, path + both


def test_each_reader_gets_exactly_what_github_lets_them_see(web, staged):
    readers = {login: web.signed_in(login) for login in ("ada", "eve", "mia", "tom", "wes")}
    # For each repository: who may read it or write there, and who reads only the other, or none.
    nobody = Role.NONE
    asked = {
        11: {"ada": Role.READ, "wes": Role.WRITE, "mia": Role.MAINTAIN, "eve": nobody, "tom": nobody},
        12: {"eve": Role.READ, "mia": Role.MAINTAIN, "ada": nobody, "wes": nobody, "tom": nobody},
    }
    tried = 0
    for repository, roles in asked.items():
        for route, address in addresses(staged, repository):
            assert web.browser().get(address).headers["location"].startswith("/login?to=%2F"), address
            if "{repository" not in route.path:
                continue
            for login, role in roles.items():
                status = 200 if role >= route.role else 404
                answer = readers[login].get(address)
                assert answer.status_code == status, (login, address)
                assert (NOT_FOUND in answer.text) == (status == 404)
                if route.form:
                    sent = readers[login].post(address, data={"x": "y"}, headers=FROM_US)
                    assert sent.status_code == status, (login, address)
                    for headers in ({}, {"origin": "https://evil.example"}):
                        assert readers[login].post(address, data={"x": "y"}, headers=headers).status_code == 403
                tried += 1
    assert tried == 10 * sum("{repository" in route.path for route in ROUTES)


def test_an_unknown_address_is_a_page_for_browsers_and_json_for_programs(web):
    browser, page = web.browser(), {"accept": "text/html,*/*;q=0.8"}
    for address, status in (("/nothing", 404), ("/repositories/abc", 404), ("/logout", 405)):
        answer = browser.get(address, headers=page)
        assert (answer.status_code, NOT_FOUND in answer.text) == (status, True)
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert browser.get(address).json()["detail"]
    assert browser.get("/api/nothing", headers=page).json() == {"detail": "Not Found"}


@pytest.mark.parametrize("staged", ["sqlite"], indirect=True)
@pytest.mark.parametrize("address", ["/repositories/11", "/organizations/newco"])
def test_a_renamed_repository_is_found_without_a_webhook(web, staged, address):
    (app,) = web.github.apps.values()
    ada, eve = web.signed_in("ada"), web.signed_in("eve")
    moved = web.github.repositories.pop("acme/shop")
    moved.full_name = "newco/store"
    web.github.repositories["newco/store"] = moved
    app.installations[7] = frozenset({"newco/store", "acme/secret"})
    web.github.tokens = {
        token: replace(one, repositories=app.installations[7]) for token, one in web.github.tokens.items()
    }
    try:
        # Somebody else takes the old name.
        web.github.repository("acme/shop", private=True, ada="admin", eve="admin").id = 99
        answer = ada.get(address)
        assert (answer.status_code, "newco/store" in answer.text) == (200, True)
        assert staged.repository_by_id(11).full_name == "newco/store"
        assert eve.get("/repositories/11").status_code == 404
    finally:
        staged.repository(staged.repository_by_id(11).model_copy(update={"full_name": "acme/shop"}), web.clock.utc())


def test_lists_over_repositories_hold_only_those_that_the_reader_sees(web):
    eve, tom = web.signed_in("eve"), web.signed_in("tom")
    for address in ("/", "/organizations/acme"):
        text = eve.get(address).text
        assert "acme/secret" in text
        assert "acme/shop" not in text
        assert "support checks these tickets" not in text
    assert "No repository to show" in tom.get("/").text
    assert tom.get("/organizations/acme").status_code == 404


def test_ids_of_another_repository_are_not_found_under_ones_own(web, staged):
    """Numbers in an address must all belong to the repository that was checked."""
    ada = web.signed_in("ada")
    foreign = staged.run_page(12, next(one.run.sequence for one in staged.run_rows(12)))
    own = staged.run_page(11, next(one.run.sequence for one in staged.run_rows(11) if one.verdict))
    run, experiment, lineage = foreign.run.sequence, foreign.experiments[0].id, foreign.experiments[0].lineage_id
    ours, mine = own.run.sequence, own.experiments[0]
    for address in (
        f"/repositories/11/runs/{run}",
        f"/repositories/11/runs/{run}/experiments/{experiment}",
        f"/repositories/11/runs/{ours}/experiments/{experiment}",
        f"/repositories/11/runs/{ours}/experiments/{experiment}/cases/0",
        f"/repositories/11/lineages/{lineage}",
        f"/repositories/11/lineages/{lineage}/tests",
        f"/repositories/11/lineages/{lineage}/compare?from={experiment}&to={experiment}",
        f"/repositories/11/lineages/{mine.lineage_id}/compare?from={mine.id}&to={experiment}",
        f"/repositories/11/runs/{'9' * 30}",
        f"/repositories/{'9' * 30}",
    ):
        assert ada.get(address).status_code == 404, address
    for bound in ("before=-1", "after=99999999999999999999", "before=x", "after=%00", "slice=%00", "result=%ff"):
        assert ada.get(f"/repositories/11/runs/{ours}?{bound}").status_code == 200, bound
