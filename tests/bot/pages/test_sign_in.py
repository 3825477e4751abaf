"""Sessions and rights, and attacks on the sign-in: each is tried."""

import re

import pytest
from sqlalchemy import text

from bot.operations import app_manifest
from bot.pages import sign_in
from bot.pages.github_access import COOKIE
from bot.pages.sign_in import BEGUN
from tests.bot.pages.site import PUBLIC, state_of

pytestmark = pytest.mark.parametrize("staged", ["sqlite"], indirect=True)
"""Nothing here depends on the database."""


def put(browser, name, value):
    """Sets a cookie as the site would."""
    browser.cookies.set(name, value, domain="verdict.example.com", path="/")


def test_a_revoked_person_is_out_within_a_minute(web):
    ada, wes = web.signed_in("ada"), web.signed_in("wes")
    for browser in (ada, wes):
        assert browser.get("/repositories/11").status_code == 200
    web.github.repositories["acme/shop"].roles.pop("ada")  # removed from the repository
    web.github.oauth.revoke("wes")  # revokes the App's authorization
    web.clock.move(59)
    assert ada.get("/repositories/11").status_code == 200, "cached"
    web.clock.move(2)
    assert ada.get("/repositories/11").status_code == 404
    assert wes.get("/repositories/11").headers["location"].startswith("/login")
    assert wes.get("/").headers["location"].startswith("/login"), "the session is gone"


def test_a_token_is_renewed_and_a_session_ends(web):
    ada = web.signed_in("ada")
    web.clock.move(9 * 3600)
    assert ada.get("/repositories/11").status_code == 200, "a new token, of eight hours"
    web.clock.move(8 * 86_400)
    assert ada.get("/repositories/11").status_code == 303
    wes = web.signed_in("wes")
    web.github.oauth.revoke("wes")
    web.clock.move(9 * 3600)
    assert wes.get("/").status_code == 303, "the refresh token was refused"


def test_when_github_does_not_answer_nothing_is_shown(web):
    ada = web.signed_in("ada")
    web.github.fail("GET", "/repos/acme/shop", status=500, times=9)
    answer = ada.get("/repositories/11")
    assert (answer.status_code, "support-triage" in answer.text) == (502, False)


def test_the_cookie_is_for_this_host_only_and_the_database_cannot_open_a_session(web, staged):
    ada = web.browser()
    begun = ada.get("/login")
    web.github.oauth.login = "ada"
    ended = ada.get(web.at_github(begun.headers["location"]).headers["location"].removeprefix(PUBLIC))
    for cookie in (begun.headers["set-cookie"], *ended.headers.get_list("set-cookie")):
        assert cookie.startswith("__Host-")
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= set(cookie.lower().split("; "))
        assert "domain" not in cookie.lower()
    cookie = ada.cookies[COOKIE]
    with staged._database.reading() as session:
        kept = str(session.execute(text("SELECT * FROM sessions")).all())
    assert cookie not in kept
    assert not any(token in kept for token in (*web.github.tokens, *web.github.oauth.refreshes))


def test_session_fixation(web):
    """An attacker puts a session of their own, or a made-up one, into the victim's browser."""
    attacker = web.signed_in("tom")
    known = attacker.cookies[COOKIE]
    victim = web.browser()
    put(victim, COOKIE, known)
    web.signed_in("mia", victim)
    assert victim.cookies[COOKIE] != known
    assert attacker.get("/repositories/11").status_code == 303, "the old session ended, it is not the victim's"


def test_state_is_bound_to_the_browser_and_used_once(web):
    web.github.oauth.login = "mia"
    begun = web.browser()
    address = begun.get("/login").headers["location"]
    back = web.at_github(address).headers["location"].removeprefix(PUBLIC)
    other = web.browser()
    assert other.get(back).status_code == 400, "another browser has no cookie for it"
    other.get("/login")
    assert other.get(back).status_code == 400, "nor another sign-in"
    assert begun.get(back.replace(state_of(PUBLIC + back), "x" * 43)).status_code == 400
    kept = begun.cookies[BEGUN]
    assert begun.get(back).status_code == 303
    put(begun, BEGUN, kept)
    fresh = web.at_github(address).headers["location"].removeprefix(PUBLIC)
    for code in (back, re.sub("code=[0-9a-f]+", "code=" + "0" * 20, back), fresh):
        assert begun.get(code).status_code == 400, "replayed"
    put(begun, BEGUN, kept[:-4] + "AAAA")
    assert begun.get(back).status_code == 400, "forged"
    late = web.browser()
    back = web.at_github(late.get("/login").headers["location"]).headers["location"].removeprefix(PUBLIC)
    web.clock.move(601)
    assert late.get(back).status_code == 400, "too late"


def test_a_stolen_code_is_worth_nothing_without_the_verifier(web):
    web.github.oauth.login = "mia"
    victim = web.browser()
    back = web.at_github(victim.get("/login").headers["location"]).headers["location"]
    code = re.search("code=([0-9a-f]+)", back)[1]
    thief = web.browser()
    own = state_of(thief.get("/login").headers["location"])
    assert thief.get(f"/login/callback?code={code}&state={own}").status_code == 400


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "/\t/evil.example",
     "http:evil.example", "/%0d%0aset-cookie:x", "evil.example", "", "/x\nlocation: y", "/" + "a" * 3000, "/é"],
)  # fmt: skip
def test_open_redirect(web, target):
    web.github.oauth.login = "mia"
    browser = web.browser()
    back = web.at_github(browser.get("/login", params={"to": target}).headers["location"]).headers["location"]
    ended = browser.get(back.removeprefix(PUBLIC))
    assert ended.headers["location"] in ("/", "/%0d%0aset-cookie:x"), "a path of this site, taken as it is"
    assert "location: y" not in str(ended.headers)


def test_after_the_sign_in_one_is_where_one_wanted_to_be(web):
    browser = web.browser()
    sent = browser.get("/repositories/11/lineages/1?all=1").headers["location"]
    web.github.oauth.login = "ada"
    back = web.at_github(browser.get(sent).headers["location"]).headers["location"].removeprefix(PUBLIC)
    assert browser.get(back).headers["location"] == "/repositories/11/lineages/1?all=1"


def test_a_person_who_says_no_at_github_is_told_so(web):
    browser = web.browser()
    back = web.at_github(browser.get("/login").headers["location"]).headers["location"].removeprefix(PUBLIC)
    answer = browser.get(back)
    assert (answer.status_code, "GitHub did not sign you in" in answer.text) == (400, True)


@pytest.mark.parametrize(
    "headers",
    [{}, {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": PUBLIC + ".evil.example"},
     {"origin": PUBLIC, "sec-fetch-site": "cross-site"}, {"origin": PUBLIC, "sec-fetch-site": "same-site"}],
)  # fmt: skip
def test_forms_of_other_sites_do_nothing(web, headers):
    ada = web.signed_in("ada")
    assert ada.post("/logout", headers=headers).status_code == 403
    assert ada.get("/repositories/11").status_code == 200


def test_signing_out_ends_the_session(web):
    ada = web.signed_in("ada")
    cookie = ada.cookies[COOKIE]
    assert "You are signed out" in ada.post("/logout", headers={"origin": PUBLIC, "sec-fetch-site": "same-origin"}).text
    put(ada, COOKIE, cookie)
    assert ada.get("/repositories/11").status_code == 303


def test_github_is_told_the_callback_that_the_site_has(staged):
    assert app_manifest.CALLBACK == sign_in.CALLBACK
