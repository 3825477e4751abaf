"""The GitHub App: its identity, installations, deliveries and short-lived tokens."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import JsonValue

from adapters.github import answers
from adapters.github.answers import Json, an_object, text
from adapters.github.calls import Calls
from adapters.github.checks import AppHost
from adapters.github.host import PUBLIC_API
from adapters.github.proposals import Proposals
from adapters.github.refusals import APP
from adapters.github.transport import new_session
from schemas.errors import ConfigError, HostError
from schemas.host import HookDelivery, HookSettings, HostedApp, HostedRepository, Installation

if TYPE_CHECKING:
    from github.Auth import Auth

    from adapters.github.conditional import Answered

EARLIER_S = 300
"""Seconds before its expiry from which a token is not used, so that it outlives each request."""
MOST_DELIVERIES = 20_000
READING = {"contents": "read", "metadata": "read"}
LISTING = {"metadata": "read"}
PROPOSING = {"contents": "write", "metadata": "read", "pull_requests": "write"}

Scope = tuple[int, str | None, tuple[tuple[str, str], ...]]
"""Scope of a token: installation, repository (``None``: all), permissions (empty: all granted ones)."""


class GitHubApp:
    """Acts as the App with its key, and as its installations with tokens that it requests and caches.

    ``api_url`` is ``https://HOST/api/v3`` for GitHub Enterprise Server. Several threads may share it. Neither the key
    nor a token appears in its exceptions, logs or representation.
    """

    def __init__(
        self,
        app_id: int,
        key: str,
        *,
        api_url: str = PUBLIC_API,
        proxy: str | None = None,
        ca_bundle: str | None = None,
        deadline_s: float = 180.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        answered: Answered | None = None,
    ) -> None:
        """``answered`` is told of every answer. It must be safe for threads."""
        self.app_id = app_id
        self.api_url = api_url.rstrip("/")
        self._proxy, self._ca_bundle, self._deadline_s, self._sleep = proxy, ca_bundle, deadline_s, sleep
        self._clock = clock
        from adapters.github.conditional import ask_conditionally

        # One session for all identities, so that connections are reused across repositories.
        self._session = new_session(proxy)
        # GitHub counts a repeated question only if its answer has changed. Each write reads its pull request first.
        ask_conditionally(self._session, answered)
        self._calls = self._open(_signed(app_id, key), None)
        self._lock = threading.Lock()
        self._asking: dict[Scope, threading.Lock] = {}
        self._tokens: dict[Scope, tuple[str, float]] = {}
        self._itself: HostedApp | None = None

    def __repr__(self) -> str:
        return f"GitHubApp({self.app_id}, {self.api_url!r})"

    def _open(self, auth: Auth, renew: Callable[[], None] | None) -> Calls:
        return Calls(
            auth, api_url=self.api_url, proxy=self._proxy, ca_bundle=self._ca_bundle, deadline_s=self._deadline_s,
            sleep=self._sleep, hints=APP, renew=renew, session=self._session,
        )  # fmt: skip

    def itself(self) -> HostedApp:
        """Returns the App's current data on GitHub."""
        row = an_object(self._calls.get("/app"))
        return HostedApp(
            id=answers.number(row, "id"),
            slug=text(row, "slug"),
            owner=answers.login(row.get("owner")),
            permissions=answers.words(row.get("permissions")),
            events=answers.texts(row.get("events")),
            url=answers.optional(row, "html_url") or "",
            client_id=answers.optional(row, "client_id"),
        )

    @property
    def login(self) -> str:
        """The login of its comments, requested once."""
        if self._itself is None:
            self._itself = self.itself()
        return self._itself.login

    def installations(self) -> tuple[Installation, ...]:
        """Returns every account that installed it, including suspended ones."""
        return tuple(answers.installation(an_object(row)) for row in self._calls.pages("/app/installations"))

    def repositories(self, installation_id: int) -> tuple[HostedRepository, ...]:
        """Returns the repositories of the installation."""
        auth, forget = self._installed((installation_id, None, tuple(LISTING.items())))
        forget()  # an older token may show an older state, and the caller deletes content by this list
        rows = self._open(auth, forget).pages("/installation/repositories", "repositories")
        return tuple(answers.repository(an_object(row)) for row in rows)

    def host(self, installation_id: int, repository: str) -> AppHost:
        """Returns the repository ``owner/name``, with renewable tokens for this repository only."""
        auth, forget = self._installed((installation_id, repository, ()))
        return AppHost(
            repository, auth, app_id=self.app_id, login=self.login, api_url=self.api_url, proxy=self._proxy,
            ca_bundle=self._ca_bundle, deadline_s=self._deadline_s, sleep=self._sleep, renew=forget,
            session=self._session,
        )  # fmt: skip

    def proposals(self, installation_id: int, repository: str) -> Proposals:
        """Returns the repository ``owner/name`` as the App itself opens pull requests there.

        The token can write contents, and is requested for this purpose only. Raises HostError where the account has not
        granted that.
        """
        scope = (installation_id, repository, tuple(PROPOSING.items()))
        auth, forget = self._installed(scope)
        self._token(scope)  # a refusal comes here, before anything is written
        return Proposals(self._open(auth, forget), repository)

    def token(self, installation_id: int, repository: str) -> str:
        """Returns a token that can read this one repository, for git. Valid for at least five minutes."""
        return self._token((installation_id, repository, tuple(READING.items())))

    def hook(self) -> HookSettings:
        """Returns where GitHub sends the App's webhooks."""
        row = an_object(self._calls.get("/app/hook/config"))
        return HookSettings(
            url=answers.optional(row, "url") or "",
            content_type=answers.optional(row, "content_type") or "form",
            verifies_tls=str(row.get("insecure_ssl", "0")) != "1",
            has_secret=bool(row.get("secret")),
        )

    def deliveries(self, since: datetime, *, only_failed: bool = False) -> tuple[HookDelivery, ...]:
        """Returns deliveries since then, newest first, at most 20,000. GitHub keeps them for days only."""
        query = {"status": "failure"} if only_failed else {}
        found: list[HookDelivery] = []
        cursor = ""
        while len(found) < MOST_DELIVERIES:
            rows, cursor = self._calls.page("/app/hook/deliveries", cursor, **query)
            part = [answers.delivery(an_object(row)) for row in rows]
            found += (one for one in part if one.delivered_at >= since)
            # Newest first, so everything behind this page is older.
            if not cursor or not part or part[-1].delivered_at < since:
                break
        return tuple(found)

    def delivery(self, number: int) -> Mapping[str, JsonValue]:
        """Returns the payload of one delivery."""
        row = an_object(self._calls.get(f"/app/hook/deliveries/{number}"))
        return an_object(an_object(row.get("request")).get("payload"))

    def _installed(self, scope: Scope) -> tuple[Auth, Callable[[], None]]:
        return _renewed(lambda: self._token(scope)), lambda: self._forget(scope)

    def _forget(self, scope: Scope) -> None:
        with self._lock:
            # Not renewed here: the next request does that, if there is one.
            self._tokens.pop(scope, None)

    def _token(self, scope: Scope) -> str:
        """Returns a token of this scope, requested once for any number of threads."""
        with self._lock:
            # One lock per scope: a slow request for one token must not hold up the others.
            asking = self._asking.setdefault(scope, threading.Lock())
        with asking:
            with self._lock:
                token, until = self._tokens.get(scope, ("", 0.0))
            # Checked under the lock, because another thread may just have renewed it.
            if until - EARLIER_S <= self._clock():
                token, until = self._ask(scope)
                with self._lock:
                    self._tokens[scope] = (token, until)
        return token

    def _ask(self, scope: Scope) -> tuple[str, float]:
        installation, repository, permissions = scope
        body: Json = {}
        if repository is not None:
            # The narrowest token that works: a leak reaches one repository for an hour.
            body["repositories"] = [repository.rpartition("/")[2]]
        if permissions:
            body["permissions"] = dict(permissions)
        answer = an_object(self._calls.put("POST", f"/app/installations/{installation}/access_tokens", body))
        granted = answers.words(answer.get("permissions") or {})
        if not permissions and granted.get("contents") == "write":
            # An account may grant it for people who open pull requests from the pages, with tokens of their own. The
            # bot itself never writes contents.
            return self._ask((installation, repository, tuple({**granted, "contents": "read"}.items())))
        return text(answer, "token"), answers.moment(answer, "expires_at").timestamp()


def _signed(app_id: int, key: str) -> Auth:
    """Signs a JWT for each request, issued a minute ago and valid for five. Raises ConfigError for an invalid key."""
    import jwt
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from github.Auth import AppAuth

    try:
        loaded = load_pem_private_key(key.encode(), password=None)  # once: reading a key takes far longer than signing
    except (ValueError, TypeError, UnsupportedAlgorithm):
        loaded = None
    if not isinstance(loaded, RSAPrivateKey):
        raise ConfigError(
            "the App's private key isn't an RSA key in PEM", hint="use the .pem file that GitHub gave you"
        )
    return AppAuth(app_id, sign_func=lambda claims: jwt.encode(claims, loaded, "RS256"))


def _renewed(current: Callable[[], str]) -> Auth:
    """PyGithub's token, read anew for each request."""
    from github.Auth import Token

    class Renewed(Token):
        def __init__(self) -> None:
            pass

        @property
        def token(self) -> str:
            return current()

    return Renewed()


def convert_manifest(
    code: str, *, api_url: str = PUBLIC_API, proxy: str | None = None, ca_bundle: str | None = None
) -> Json:
    """Exchanges the code of the manifest flow for the new App: ``id``, ``slug``, ``pem``, ``webhook_secret``, …. Once.

    docs.github.com: “Registering a GitHub App from a manifest”. Raises HostError.
    """
    # The code becomes part of a path, and it comes from a browser.
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,200}", code):
        raise HostError("this is not a code from GitHub", hint="begin again")
    calls = Calls(None, api_url=api_url, proxy=proxy, ca_bundle=ca_bundle, hints=APP)
    # Once: GitHub accepts a code a single time, so a repetition would only hide the first error.
    return an_object(calls.once("POST", f"/app-manifests/{code}/conversions"))
