"""The site as an operator runs it: pages, sign-in and a fake GitHub, with a clock that tests move."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
from fastapi import FastAPI
from fastapi.testclient import TestClient

from adapters.github.sign_in import GitHubSignIn
from bot.pages.application import Pages
from bot.pages.context import Facts
from bot.pages.github_access import GitHubAccess
from bot.pages.sign_in import CALLBACK, SignIn
from tests.bot.pages.stage import NOW

PUBLIC = "https://verdict.example.com"
FROM_US = {"origin": PUBLIC, "sec-fetch-site": "same-origin"}
READING = {"contents": "read", "pull_requests": "write"}
WRITING = {"contents": "write", "pull_requests": "write"}


class HandClock:
    """A clock that only tests move. Monotonic time moves with it."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def utc(self) -> datetime:
        return self.now

    def time(self) -> float:
        return self.now.timestamp()

    monotonic = time

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Site:
    """One site."""

    app: FastAPI
    github: object
    records: object
    clock: HandClock
    callback: str

    def browser(self) -> TestClient:
        """A browser of its own, which follows no redirect by itself."""
        return TestClient(self.app, base_url=PUBLIC, follow_redirects=False)

    def at_github(self, address: str) -> httpx.Response:
        """Follows the browser to GitHub, which sends it back."""
        return httpx.get(address, trust_env=False)

    def signed_in(self, login: str, client: TestClient | None = None, to: str = "/") -> TestClient:
        """A browser in which this person has signed in."""
        client = client or self.browser()
        self.github.oauth.login = login
        back = self.at_github(client.get("/login", params={"to": to}).headers["location"]).headers["location"]
        ended = client.get(back.removeprefix(PUBLIC))
        assert ended.status_code == 303, ended.text
        return client


def site(
    records,
    github,
    names,
    *,
    clock=None,
    public=PUBLIC,
    hub=None,
    installation=7,
    permissions=READING,
    facts=None,
    suggesting=None,
) -> Site:
    """The site, beside an Enterprise Server, with an App that is installed on ``names``: full name, id, roles.

    ``installation`` is its number."""
    clock = clock or HandClock()
    github.clock = clock.time
    installed = []
    for full_name, number, roles in names:
        repository = github.repository(full_name, private=True, **roles)
        repository.id = number
        installed.append(repository)
    app, given = github.app("prompt-verdict", installed, **permissions)
    app.installations[installation] = app.installations.pop(given)
    app.callback_urls = (public + CALLBACK,)
    sign_in = GitHubSignIn(
        app.client_id, app.client_secret, server_url=github.server_url, api_url=f"{github.server_url}/api/v3",
        clock=clock.time, sleep=lambda _: None,
    )  # fmt: skip
    web = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    access = GitHubAccess(records, sign_in, clock, public)
    pages = Pages(
        records, access, facts or Facts(github.server_url, public_url=public), clock, hub, suggesting=suggesting
    )
    pages.add_to(web)
    SignIn(pages, records, access, sign_in, clock, public_url=public, secret="the client secret").add_to(web)
    return Site(web, github, records, clock, public + CALLBACK)


def state_of(address: str) -> str:
    return parse_qs(urlsplit(address).query)["state"][0]
