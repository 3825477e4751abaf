"""Signs people in with the App's OAuth, and asks GitHub with their own tokens what they may see.

docs.github.com: “Generating a user access token for a GitHub App”, “Refreshing user access tokens”.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from pydantic import JsonValue

from adapters.github import answers
from adapters.github.answers import an_object
from adapters.github.calls import Calls
from adapters.github.host import PUBLIC_API
from adapters.github.proposals import Proposals, content_of, contents, is_safe
from adapters.github.refusals import TokenHints
from adapters.github.transport import TIMEOUT_S, new_session
from schemas.errors import HostError, HostUnavailable, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import Session

    from adapters.github.answers import Json

DEADLINE_S = 6.0
"""Seconds for one question. A reader waits for it."""
HINTS = TokenHints(unknown="sign in again", lacking="the App needs `{permission}`")
LARGEST_TOKEN = 1_000
LEVELS = ("admin", "maintain", "push", "triage", "pull")


class SignInRefused(HostError):  # noqa: N818 - named after what it says
    """GitHub gave no token: the code or the refresh token is wrong, used or too old."""


class UserTokens(NamedTuple):
    """A person's tokens. ``expires_at``: seconds since 1970; ``None``: never."""

    access: str
    refresh: str | None
    expires_at: float | None


class Held(NamedTuple):
    """What a person may do in a repository, and its present name."""

    level: str | None
    """The highest of admin, maintain, push, triage and pull."""
    full_name: str


class GitHubSignIn:
    """The App as an OAuth client. ``server_url`` is where people are on GitHub, an Enterprise Server too."""

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        *,
        server_url: str,
        api_url: str = PUBLIC_API,
        proxy: str | None = None,
        ca_bundle: str | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._server_url, self._api_url = server_url.rstrip("/"), api_url.rstrip("/")
        self._proxy, self._ca_bundle = proxy, ca_bundle
        self._clock, self._sleep = clock, sleep
        self._session = new_session(proxy)

    def __repr__(self) -> str:
        return f"GitHubSignIn({self._client_id!r}, {self._server_url!r})"

    def address(self, *, state: str, challenge: str, callback: str) -> str:
        """Returns where a person signs in. GitHub then sends the browser to ``callback`` with a code and ``state``."""
        query = {
            "client_id": self._client_id,
            "redirect_uri": callback,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._server_url}/login/oauth/authorize?{urlencode(query)}"

    def tokens(self, code: str, *, verifier: str, callback: str) -> UserTokens:
        """Exchanges a code, which works once. Raises SignInRefused and HostUnavailable."""
        return self._ask({"code": code, "code_verifier": verifier, "redirect_uri": callback})

    def renewed(self, refresh: str) -> UserTokens:
        """Exchanges a refresh token, which works once. Raises SignInRefused and HostUnavailable."""
        return self._ask({"grant_type": "refresh_token", "refresh_token": refresh})

    def person(self, token: str) -> Person:
        """Returns GitHub as the owner of ``token`` sees it."""
        return person_of(
            token, api_url=self._api_url, proxy=self._proxy, ca_bundle=self._ca_bundle, session=self._session,
            sleep=self._sleep,
        )  # fmt: skip

    def refusal(self, callback: str) -> str:
        """Returns the error, as OAuth names it, with which GitHub answers a code that can't be right.

        It tells whether client id, client secret and callback are known. Raises HostUnavailable.
        """
        found = self._answer({"code": "0" * 20, "redirect_uri": callback})
        return answers.optional(found, "error") or "" if found is not None else ""

    def _ask(self, form: Mapping[str, str]) -> UserTokens:
        found = self._answer(form)
        # GitHub answers 200 for a refusal too, with the reason under `error`.
        if found is None or not _is_token(found.get("access_token")):
            raise SignInRefused("GitHub gave no token for this sign-in", hint="sign in again")
        lasts, refresh = found.get("expires_in"), found.get("refresh_token")
        return UserTokens(
            access=str(found["access_token"]),
            refresh=refresh if isinstance(refresh, str) and _is_token(refresh) else None,
            expires_at=self._clock() + lasts if isinstance(lasts, int) else None,
        )

    def _answer(self, form: Mapping[str, str]) -> Json | None:
        """Asks for tokens. Returns ``None`` for anything but an object."""
        import requests

        secret = {"client_id": self._client_id, "client_secret": self._client_secret}
        try:
            answer = self._session.post(
                f"{self._server_url}/login/oauth/access_token",
                data={**secret, **form},
                headers={"accept": "application/json"},
                timeout=TIMEOUT_S,
                allow_redirects=False,
                verify=self._ca_bundle or True,
            )
        except requests.RequestException as error:
            raise HostUnavailable(f"GitHub can't be reached ({type(error).__name__})") from None
        if answer.status_code >= 500:
            raise HostUnavailable(f"GitHub answered {answer.status_code}")
        try:
            found: JsonValue = answer.json()
        except ValueError:
            found = None
        return found if answer.status_code == 200 and isinstance(found, dict) else None


def _is_token(value: JsonValue) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LARGEST_TOKEN and value.isascii() and value.isprintable()


def person_of(
    token: str,
    *,
    api_url: str,
    proxy: str | None,
    ca_bundle: str | None,
    session: Session,
    sleep: Callable[[float], None] = time.sleep,
) -> Person:
    """Returns GitHub as the owner of ``token`` sees it."""
    from github.Auth import Token

    calls = Calls(
        Token(token), api_url=api_url, proxy=proxy, ca_bundle=ca_bundle, deadline_s=DEADLINE_S, hints=HINTS,
        session=session, sleep=sleep,
    )  # fmt: skip
    return Person(calls)


class Person:
    """What one person sees. Every method asks GitHub. Raises TokenUnknown for a token that was revoked."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def login(self) -> str:
        """Returns the person's login."""
        return answers.text(an_object(self._calls.get("/user")), "login")

    def held(self, repository_id: int, full_name: str) -> Held | None:
        """Returns what the person may do in a repository; ``None`` for one that they don't see by this name."""
        try:
            row = an_object(self._calls.get(f"/repos/{full_name}"))
        except NotFound:
            return None
        # Another repository may have got the name since.
        if row.get("id") != repository_id:
            return None
        held = row.get("permissions")
        level = next((level for level in LEVELS if isinstance(held, dict) and held.get(level) is True), None)
        return Held(level, answers.text(row, "full_name"))

    def repositories(self) -> dict[int, str]:
        """Returns the names of the repositories with the App that the person may read, by id."""
        found: dict[int, str] = {}
        for row in self._calls.pages("/user/installations", "installations"):
            found |= self.repositories_of(answers.number(an_object(row), "id"))
        return found

    def repositories_of(self, installation_id: int) -> dict[int, str]:
        """Returns those of one installation; none for one that the person has no access to."""
        try:
            rows = self._calls.pages(f"/user/installations/{installation_id}/repositories", "repositories")
        except NotFound:
            return {}
        return {answers.number(row, "id"): answers.text(row, "full_name") for row in map(an_object, rows)}

    def file(self, full_name: str, path: str, commit: str) -> bytes | None:
        """Returns a file of a commit; ``None`` for one that isn't there, is no regular file, or has over a megabyte."""
        return content_of(contents(self._calls, f"/repos/{full_name}", path, commit)) if is_safe(path) else None

    def may_propose(self, installation_id: int) -> bool:
        """Returns whether an installation lets the App's people write contents and open pull requests."""
        for row in self._calls.pages("/user/installations", "installations"):
            one = an_object(row)
            if one.get("id") == installation_id:
                granted = answers.words(one.get("permissions") or {})
                return all(granted.get(name) == "write" for name in ("contents", "pull_requests"))
        return False

    def proposals(self, full_name: str) -> Proposals:
        """Returns a repository in which the person may open pull requests."""
        return Proposals(self._calls, full_name)
