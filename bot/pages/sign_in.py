"""Signing in and out with GitHub: state and PKCE bind the answer to the browser that asked, and each is used once."""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio
from fastapi.responses import RedirectResponse

from bot.pages.github_access import COOKIE, LASTS
from bot.pages.requests import is_from_us, local_target
from bot.pages.sessions import challenge_of, derived, hash_of, new_secret, opened, sealed
from bot.telemetry.logs import logger
from schemas.errors import HostError

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response

    from adapters.github.sign_in import GitHubSignIn
    from bot.pages.application import Pages
    from bot.pages.github_access import GitHubAccess
    from bot.store.records import Records
    from schemas.ports import Clock

CALLBACK = "/login/callback"
BEGUN = "__Host-verdict-sign-in"
MINUTES_10 = 600
SIGN_IN_AGAIN = "This sign-in has expired, or began in another browser. Sign in again."

log = logger("pages")


class SignIn:
    """The routes for signing in and out. ``public_url`` is where people reach the site."""

    def __init__(
        self,
        pages: Pages,
        records: Records,
        access: GitHubAccess,
        github: GitHubSignIn,
        clock: Clock,
        *,
        public_url: str,
        secret: str,
    ) -> None:
        self._pages = pages
        self._records = records
        self._access = access
        self._github = github
        self._clock = clock
        self._public_url = public_url.rstrip("/")
        self._secret = secret
        """Encrypts what a browser keeps during a sign-in, so that beginning one stores nothing here."""

    def add_to(self, app: FastAPI) -> None:
        """Adds the routes."""
        app.add_route("/login", self._begin, methods=["GET"], include_in_schema=False)
        app.add_route(CALLBACK, self._end, methods=["GET"], include_in_schema=False)
        app.add_route("/logout", self._sign_out, methods=["POST"], include_in_schema=False)

    async def _begin(self, request: Request) -> Response:
        nonce = new_secret()
        target = local_target(request.query_params.get("to", "/"))
        address = self._github.address(
            state=derived(nonce, "state"),
            challenge=challenge_of(derived(nonce, "verifier")),
            callback=self._public_url + CALLBACK,
        )
        kept = sealed(self._secret, "sign-in", [nonce, target], self._now()).decode()
        answer = RedirectResponse(address, 303, headers=self._pages.headers)
        answer.set_cookie(BEGUN, kept, max_age=MINUTES_10, path="/", secure=True, httponly=True, samesite="lax")
        return answer

    async def _end(self, request: Request) -> Response:
        return await anyio.to_thread.run_sync(self._ended, request, limiter=self._pages.threads)

    def _ended(self, request: Request) -> Response:
        query, begun = request.query_params, request.cookies.get(BEGUN, "")
        kept = opened(self._secret, "sign-in", begun.encode(), self._now(), within_s=MINUTES_10)
        if not isinstance(kept, list) or len(kept) != 2:
            return self._refused(SIGN_IN_AGAIN)
        nonce, target = str(kept[0]), local_target(str(kept[1]))
        if not hmac.compare_digest(query.get("state", "").encode(), derived(nonce, "state").encode()):
            return self._refused(SIGN_IN_AGAIN)
        code = query.get("code", "")
        if not code:
            return self._refused("GitHub did not sign you in. Sign in again.")
        try:
            tokens = self._github.tokens(
                code, verifier=derived(nonce, "verifier"), callback=self._public_url + CALLBACK
            )
            # Only now, with an answer of GitHub: otherwise anyone could fill the table.
            if not self._records.use_sign_in(hash_of(nonce), self._clock.utc() + timedelta(seconds=MINUTES_10)):
                return self._refused(SIGN_IN_AGAIN)
            # Always a new session. An attacker may know the old one, or have planted it in this browser. It must not
            # become this person's.
            cookie = self._access.open(tokens, request.cookies.get(COOKIE))
        except HostError as error:
            log.warning("sign-in refused", why=str(error))
            return self._refused("GitHub did not sign you in. Sign in again.")
        answer = RedirectResponse(target, 303, headers=self._pages.headers)
        self._set(answer, cookie)
        answer.delete_cookie(BEGUN, path="/", secure=True, httponly=True, samesite="lax")
        return answer

    async def _sign_out(self, request: Request) -> Response:
        if not is_from_us(request, self._public_url):
            return self._pages.message(403, "Not signed out", "This form was not sent from this site.")
        cookie = request.cookies.get(COOKIE, "")
        if cookie:
            await anyio.to_thread.run_sync(self._access.close, cookie, limiter=self._pages.threads)
        answer = self._pages.message(
            200, "Signed out", "You are signed out here, but still signed in to GitHub.", again=True
        )
        answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
        return answer

    def _set(self, answer: Response, cookie: str) -> None:
        lasts = int(LASTS.total_seconds())
        # Lax and not strict: a link in a comment on GitHub must find its reader signed in.
        answer.set_cookie(COOKIE, cookie, max_age=lasts, path="/", secure=True, httponly=True, samesite="lax")

    def _refused(self, why: str) -> Response:
        return self._pages.message(400, "Not signed in", why, again=True)

    def _now(self) -> float:
        return self._clock.utc().timestamp()
