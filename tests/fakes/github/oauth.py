"""Signing in with an App: the browser's half, the exchange of codes and refresh tokens, and what a person sees.

docs.github.com: “Generating a user access token for a GitHub App”, “Refreshing user access tokens”.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, parse_qsl, urlencode

from tests.fakes.github.identity import App, Identity
from tests.fakes.github.routes import Refusal, Reply, Request, installation_json, repository_json, route

if TYPE_CHECKING:
    from email.message import Message

    from tests.fakes.github.server import FakeGitHub

CODE_LASTS_S = 600
TOKEN_LASTS_S = 28_800


@dataclass
class Code:
    """What GitHub remembers between the two halves."""

    app: App
    login: str
    callback: str
    challenge: str
    at: float


class OAuth:
    """Who is signed in at GitHub, codes, and refresh tokens: each is good once."""

    def __init__(self, github: FakeGitHub) -> None:
        self.github = github
        self.login: str | None = None
        """The person at every browser; ``None``: GitHub would show its own sign-in."""
        self.codes: dict[str, Code] = {}
        self.refreshes: dict[str, tuple[App, str]] = {}

    def answer(self, method: str, path: str, query: str, headers: Message, body: bytes) -> Reply:
        if (method, path) == ("GET", "/login/oauth/authorize"):
            return self.authorize(dict(parse_qsl(query)))
        if (method, path) == ("POST", "/login/oauth/access_token"):
            if "application/json" not in (headers.get("accept") or ""):
                return Reply(200, raw=b"error=unsupported_by_this_fake")
            return Reply(200, self.token({name: values[0] for name, values in parse_qs(body.decode()).items()}))
        return Reply(404, {"message": "Not Found"})

    def authorize(self, asked: dict[str, str]) -> Reply:
        app = next((a for a in self.github.apps.values() if a.client_id == asked.get("client_id")), None)
        callback = asked.get("redirect_uri", "")
        if app is None or callback not in app.callback_urls:
            return Reply(
                404, {"message": "the redirect_uri MUST match the registered callback URL for this application"}
            )
        if self.login is None:
            return Reply(
                302,
                headers={
                    "location": f"{callback}?{urlencode({'error': 'access_denied', 'state': asked.get('state', '')})}"
                },
            )
        if asked.get("code_challenge_method", "S256") != "S256":
            return Reply(400, {"message": "only S256"})
        code = secrets.token_hex(10)
        self.codes[code] = Code(app, self.login, callback, asked.get("code_challenge", ""), self.github.clock())
        return Reply(
            302, headers={"location": f"{callback}?{urlencode({'code': code, 'state': asked.get('state', '')})}"}
        )

    def token(self, given: dict[str, str]) -> dict[str, object]:
        app = next((a for a in self.github.apps.values() if a.client_id == given.get("client_id")), None)
        if app is None or given.get("client_secret") != app.client_secret:
            return {"error": "incorrect_client_credentials"}
        if given.get("grant_type") == "refresh_token":
            known = self.refreshes.pop(given.get("refresh_token", ""), None)
            return self.tokens(*known) if known and known[0] is app else {"error": "bad_refresh_token"}
        code = self.codes.pop(given.get("code", ""), None)
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        good = (
            code is not None
            and code.app is app
            and self.github.clock() - code.at < CODE_LASTS_S
            and given.get("redirect_uri", code.callback) == code.callback
            and (not code.challenge or base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == code.challenge)
        )
        return self.tokens(app, code.login) if good else {"error": "bad_verification_code"}

    def tokens(self, app: App, login: str) -> dict[str, object]:
        names = frozenset(name for installed in app.installations.values() for name in installed)
        identity = Identity(login, "User", None, names, app.id, self.github.clock() + TOKEN_LASTS_S)
        refresh = f"ghr_{secrets.token_hex(18)}"
        self.refreshes[refresh] = (app, login)
        return {
            "access_token": self.github._remember("ghu", identity), "expires_in": TOKEN_LASTS_S, "scope": "",
            "refresh_token": refresh, "refresh_token_expires_in": 15_897_600, "token_type": "bearer",
        }  # fmt: skip

    def revoke(self, login: str) -> None:
        """The person revokes the App's authorization, or is removed."""
        self.github.tokens = {
            token: one
            for token, one in self.github.tokens.items()
            if one.login != login or not token.startswith("ghu_")
        }
        self.refreshes = {token: one for token, one in self.refreshes.items() if one[1] != login}


def _app(github: FakeGitHub, request: Request) -> App:
    who = request.identity
    if who is None or who.kind != "User" or who.app_id is None:
        raise Refusal(
            403, "You must authenticate with an access token authorized to a GitHub App in order to list installations"
        )
    return github.apps[who.app_id]


def _seen(github: FakeGitHub, request: Request, names: frozenset[str]) -> list[str]:
    """The repositories to which the person has explicit access."""
    return sorted(name for name in names if github.repositories[name].roles.get(request.login, "none") != "none")


@route("GET", "/user/installations")
def list_user_installations(github: FakeGitHub, request: Request) -> Reply:
    app = _app(github, request)
    numbers = [number for number, names in app.installations.items() if _seen(github, request, names)]
    return request.page([installation_json(github, app, number) for number in numbers], wrap="installations")


@route("GET", "/user/installations/{number}/repositories")
def list_user_repositories(github: FakeGitHub, request: Request, number: str) -> Reply:
    app = _app(github, request)
    names = _seen(github, request, app.installations.get(int(number), frozenset()))
    if not names:
        raise Refusal(404, "Not Found")
    return request.page([repository_json(github, name, request.login) for name in names], wrap="repositories")
