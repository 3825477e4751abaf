"""Access for people who sign in with GitHub: sessions, tokens, and rights, which are cached for a minute."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from adapters.github.refusals import TokenUnknown
from adapters.github.sign_in import SignInRefused, UserTokens
from bot.pages.access import Role, SignedOut
from bot.pages.sessions import hash_of, new_secret, opened_tokens, sealed_tokens
from bot.store.session_records import KeptSession

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import Request

    from adapters.github.proposals import DefaultFile, Proposal, Proposals, ProposedPullRequest
    from adapters.github.sign_in import GitHubSignIn, Person
    from bot.store.records import Records
    from bot.store.values import RepositoryRef
    from schemas.ports import Clock

Answer = TypeVar("Answer")
Cache = dict[tuple[str, int], tuple[Answer, float]]
"""Answers with the time until which they count."""
COOKIE = "__Host-verdict"
"""The prefix makes browsers accept it only over https, for all paths, and from this host."""
LASTS = timedelta(days=7)
RIGHTS_S = 60.0
"""Seconds for which an answer of GitHub about rights counts."""
MOST_CACHED = 20_000
EARLIER_S = 60.0
"""Seconds before its expiry from which a token is renewed."""
ROLES = {
    "admin": Role.MAINTAIN,
    "maintain": Role.MAINTAIN,
    "push": Role.WRITE,
    "triage": Role.READ,
    "pull": Role.READ,
}


class GitHubAccess:
    """``Access`` of people who sign in with GitHub."""

    def __init__(self, records: Records, github: GitHubSignIn, clock: Clock, public_url: str) -> None:
        self._public_url = public_url
        self._records = records
        self._github = github
        self._clock = clock
        self._lock = threading.Lock()
        self._rights: Cache[Role] = {}
        self._seen: Cache[frozenset[int]] = {}
        self._granted: Cache[bool] = {}

    def refusal(self, request: Request) -> str | None:  # noqa: ARG002
        """Refuses nothing."""
        return None

    def origin(self, request: Request) -> str:  # noqa: ARG002
        """Returns the site's public address."""
        return self._public_url

    def sign_in(self, target: str) -> str:
        """Returns the address of the sign-in."""
        return f"/login?to={quote(target, safe='')}"

    def visitor(self, cookies: Mapping[str, str]) -> Signed | None:
        """Returns the person of a session that has not ended."""
        cookie = cookies.get(COOKIE, "")
        kept = self._records.session(hash_of(cookie), self._clock.utc()) if cookie else None
        tokens = kept and self._tokens(cookie, kept)
        return Signed(self, hash_of(cookie), kept.login, tokens) if kept and tokens else None

    def open(self, tokens: UserTokens, before: str | None) -> str:
        """Returns the cookie of a new session. The one that the browser had ``before`` ends."""
        login = self._github.person(tokens.access).login()
        cookie, at = new_secret(), self._clock.utc()
        self._records.open_session(
            hash_of(cookie), KeptSession(login, sealed_tokens(cookie, tokens, at.timestamp()), at + LASTS)
        )
        if before:
            self.close(before)
        return cookie

    def close(self, cookie: str) -> None:
        """Ends a session."""
        self.forget(hash_of(cookie))

    def forget(self, session: str) -> None:
        """Ends a session, by its hash."""
        self._records.close_session(session)

    def _tokens(self, cookie: str, kept: KeptSession) -> UserTokens | None:
        """Returns the session's tokens, renewed if they are about to expire; ``None`` if GitHub refuses that."""
        tokens = opened_tokens(cookie, kept.tokens, self._now())
        if tokens is None or not self._is_old(tokens):
            return tokens
        # One at a time: a refresh token works once, and a page may ask for several things at once.
        with self._lock:
            newest = self._records.session(hash_of(cookie), self._clock.utc())
            tokens = newest and opened_tokens(cookie, newest.tokens, self._now())
            if tokens is None or not self._is_old(tokens):
                return tokens
            try:
                if tokens.refresh is None:
                    raise SignInRefused("the token expired")
                fresh = self._github.renewed(tokens.refresh)
            except SignInRefused:
                self.close(cookie)
                return None
            self._records.renew_tokens(hash_of(cookie), sealed_tokens(cookie, fresh, self._now()))
            return fresh

    def _now(self) -> float:
        return self._clock.utc().timestamp()

    def _is_old(self, tokens: UserTokens) -> bool:
        return tokens.expires_at is not None and tokens.expires_at - EARLIER_S <= self._now()

    def role(self, session: str, person: Callable[[], Person], repo: RepositoryRef) -> Role:
        """Returns a person's role, at most ``RIGHTS_S`` seconds old."""
        return self._cached(self._rights, (session, repo.repository_id), lambda: self._role(person(), repo))

    def repositories(self, session: str, person: Callable[[], Person]) -> frozenset[int]:
        """Returns the repositories that a person sees, at most ``RIGHTS_S`` seconds old."""
        return self._cached(self._seen, (session, 0), lambda: self._renamed(person().repositories()))

    def may_propose(self, session: str, person: Callable[[], Person], repo: RepositoryRef) -> bool:
        """Returns whether a person may open pull requests through the App, as of ``RIGHTS_S`` seconds ago at most."""
        if self.role(session, person, repo) < Role.WRITE:
            return False
        number = repo.installation_id
        return self._cached(self._granted, (session, number), lambda: person().may_propose(number))

    def file(
        self, session: str, person: Callable[[], Person], repo: RepositoryRef, path: str, commit: str
    ) -> bytes | None:
        """Returns a file as a person sees it."""
        return self.asked(session, lambda: person().file(repo.full_name, path, commit))

    def asked(self, session: str, ask: Callable[[], Answer]) -> Answer:
        """Returns GitHub's answer. Raises SignedOut, and ends the session, for a token that was revoked."""
        try:
            return ask()
        except TokenUnknown:
            # Revoked at GitHub: the session is worth nothing any more.
            self.forget(session)
            raise SignedOut from None

    def _cached(self, cache: Cache[Answer], key: tuple[str, int], ask: Callable[[], Answer]) -> Answer:
        """Returns an answer of at most ``RIGHTS_S`` seconds ago. The key starts with the session."""
        now = self._clock.monotonic()
        # Several threads use the cache: a key may be gone at the next look.
        known = cache.get(key)
        if known is not None and now < known[1]:
            return known[0]
        answer = self.asked(key[0], ask)
        if len(cache) >= MOST_CACHED:
            for old in [one for one, (_, until) in list(cache.items()) if until <= now] or list(cache)[:100]:
                cache.pop(old, None)
        cache[key] = answer, now + RIGHTS_S
        return answer

    def _role(self, person: Person, repo: RepositoryRef) -> Role:
        held = person.held(repo.repository_id, repo.full_name)
        if held is None:
            # It may have another name by now, and the event about that may be late.
            name = person.repositories_of(repo.installation_id).get(repo.repository_id, repo.full_name)
            held = person.held(repo.repository_id, name) if name != repo.full_name else None
        if held is None:
            return Role.NONE
        self._renamed({repo.repository_id: held.full_name})
        return ROLES.get(held.level or "", Role.NONE)

    def _renamed(self, names: Mapping[int, str]) -> frozenset[int]:
        """Takes over the present names of the repositories that the bot knows. Returns the ids."""
        for known in self._records.known_repositories(names):
            name = names[known.repository_id]
            if name != known.full_name:
                renamed = known.model_copy(update={"full_name": name})
                self._records.repository(renamed, self._clock.utc())
        return frozenset(names)

    def person(self, tokens: UserTokens) -> Person:
        """Returns GitHub as a person sees it."""
        return self._github.person(tokens.access)


class Signed:
    """``Visitor`` who signed in."""

    def __init__(self, access: GitHubAccess, session: str, login: str, tokens: UserTokens) -> None:
        self._access, self._session, self._tokens = access, session, tokens
        self.login: str | None = login

    def role(self, repo: RepositoryRef) -> Role:
        """Returns the role that GitHub says. Raises SignedOut."""
        return self._access.role(self._session, self._person, repo)

    def repositories(self) -> frozenset[int]:
        """Returns the repositories that GitHub shows. Raises SignedOut."""
        return self._access.repositories(self._session, self._person)

    def file(self, repo: RepositoryRef, path: str, commit: str) -> bytes | None:
        """Returns a file as GitHub shows it to this person. Raises SignedOut."""
        return self._access.file(self._session, self._person, repo, path, commit)

    def default_file(self, repo: RepositoryRef, path: str) -> DefaultFile | None:
        """Returns a file of the default branch as GitHub shows it to this person. Raises SignedOut."""
        return self._access.asked(self._session, lambda: self._person().proposals(repo.full_name).file(path))

    def proposer(self, repo: RepositoryRef) -> SignedProposer | None:
        """Returns what opens pull requests in this person's name. Raises SignedOut."""
        may = self._access.may_propose(self._session, self._person, repo)
        return SignedProposer(self._access, self._session, self._person().proposals(repo.full_name)) if may else None

    def _person(self) -> Person:
        return self._access.person(self._tokens)


class SignedProposer:
    """``Proposer`` with a person's token."""

    def __init__(self, access: GitHubAccess, session: str, proposals: Proposals) -> None:
        self._access, self._session, self._proposals = access, session, proposals

    def file(self, path: str) -> DefaultFile | None:
        """Returns a file of the default branch. Raises SignedOut."""
        return self._access.asked(self._session, lambda: self._proposals.file(path))

    def open(self, file: DefaultFile, wanted: Proposal) -> ProposedPullRequest:
        """Opens the pull request, or finds the one of before. Raises SignedOut."""
        return self._access.asked(self._session, lambda: self._proposals.open(file, wanted))
