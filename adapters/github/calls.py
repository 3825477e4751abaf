"""Makes one call to GitHub's API: retries, deadlines, and kinds of refusals. host.py decides which calls to make."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pydantic import JsonValue

from adapters.github.refusals import ACTION, AnswerLost, TokenHints, TokenUnknown, pause_s, refusal
from adapters.github.transport import TIMEOUT_S, new_session, requester
from schemas.errors import HostError, HostUnavailable

if TYPE_CHECKING:
    from github.Auth import Auth
    from requests import Session

TRIES = 4
MOST_REFUSALS = 20
"""Most rate-limit refusals of one call. GitHub may block a client that ignores its limits."""
MOST_PAGES = 100
BEYOND = re.compile("[\U00010000-\U0010ffff]")
"""Characters of four bytes in UTF-8: descriptions of statuses refuse them with 422."""
Look = Callable[[], object]
"""Checks before each try of a write whether it is still wanted. Its exception ends the write."""


class Calls:
    """Sends requests for one identity. ``deadline_s`` bounds a call with all its waiting.

    ``proxy`` and ``ca_bundle`` come from the operator; the environment's own proxy variables are not read. ``renew`` is
    called once if GitHub doesn't know the token, before the call is repeated. ``session`` holds the connections,
    which identities may share. It is safe for threads.
    """

    def __init__(
        self,
        auth: Auth | None,
        *,
        api_url: str,
        proxy: str | None = None,
        ca_bundle: str | None = None,
        deadline_s: float = 180.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        hints: TokenHints = ACTION,
        renew: Callable[[], None] | None = None,
        session: Session | None = None,
    ) -> None:
        self._requester = requester(auth, api_url, session or new_session(proxy), ca_bundle)
        self._proxy = proxy
        self._verify: str | bool = ca_bundle or True
        self._scheme = api_url.partition(":")[0]
        self._deadline_s = deadline_s
        self._sleep = sleep
        self._clock = clock
        self._hints = hints
        self._renew = renew

    def get(self, path: str, **query: str | int) -> JsonValue:
        """Returns the answer's JSON; repeated until it comes or the deadline has passed."""
        return self._repeat("GET", path, query, None)[1]

    def pages(self, path: str, wrap: str | None = None, **query: str | int) -> list[JsonValue]:
        """Returns the rows of every page. ``wrap`` names the key that holds them where GitHub wraps lists."""
        rows: list[JsonValue] = []
        for page in range(1, MOST_PAGES + 1):
            headers, answer = self._repeat("GET", path, {**query, "per_page": 100, "page": page}, None)
            part = answer.get(wrap) if wrap is not None and isinstance(answer, dict) else answer
            if not isinstance(part, list):
                raise HostError("GitHub's answer isn't a list", where=path)
            rows += part
            if 'rel="next"' not in headers.get("link", ""):
                return rows
        # An incomplete list would pass for a complete one, such as checks that seem to be missing.
        raise HostError(f"GitHub has more than {MOST_PAGES * 100:,} rows", where=path)

    def page(self, path: str, cursor: str, **query: str) -> tuple[list[JsonValue], str]:
        """Returns a page of a list that GitHub numbers by cursors: its rows, and the next page's cursor or nothing."""
        after = {"cursor": cursor} if cursor else {}
        headers, rows = self._repeat("GET", path, {**query, "per_page": 100, **after}, None)
        if not isinstance(rows, list):
            raise HostError("GitHub's answer isn't a list", where=path)
        following = re.search(r'[?&]cursor=([^&>]+)[^>]*>;\s*rel="next"', headers.get("link", ""))
        return rows, unquote(following[1]) if following else ""

    def following(self, path: str, most: int, **query: str | int) -> list[JsonValue]:
        """Returns about ``most`` rows, newest first, of a list whose pages GitHub links by an ``after`` cursor."""
        rows: list[JsonValue] = []
        after: dict[str, str] = {}
        while True:
            headers, part = self._repeat("GET", path, {**query, "per_page": 100, **after}, None)
            if not isinstance(part, list):
                raise HostError("GitHub's answer isn't a list", where=path)
            rows += part
            found = re.search(r'[?&]after=([^&>]+)[^>]*>;\s*rel="next"', headers.get("link", ""))
            if found is None or not part or len(rows) >= most:
                return rows
            after = {"after": unquote(found[1])}

    def location(self, path: str) -> str:
        """Returns the address to which GitHub redirects a download."""
        headers, _ = self._repeat("GET", path, {}, None)
        if not headers.get("location", "").startswith(f"{self._scheme}://"):
            raise HostError("GitHub gave no safe address for the download", where=path)
        return headers["location"]

    def put(
        self, method: str, path: str, body: Mapping[str, JsonValue] | None = None, *, look: Look | None = None
    ) -> JsonValue:
        """Makes a write that may be repeated (an update). ``look`` is called right before each try."""
        return self._repeat(method, path, {}, body, look=look)[1]

    def delete(self, path: str) -> None:
        """Deletes it. Raises NotFound if it is already gone."""
        self._repeat("DELETE", path, {}, None)

    def once(
        self, method: str, path: str, body: Mapping[str, JsonValue] | None = None, *, look: Look | None = None
    ) -> JsonValue:
        """Makes a write that must happen once. It is not repeated after a lost answer, which raises AnswerLost.

        A write refused by a rate limit was not executed, so it waits and repeats. ``look`` is called right before each
        try.
        """
        return self._repeat(method, path, {}, body, writes_once=True, look=look)[1]

    def _repeat(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int],
        body: Mapping[str, JsonValue] | None,
        *,
        writes_once: bool = False,
        look: Look | None = None,
    ) -> tuple[dict[str, str], JsonValue]:
        look = look or _wanted
        try:
            return self._try(method, path, query, body, writes_once=writes_once, look=look)
        except TokenUnknown:
            if self._renew is None:
                raise
            # Once only: a new token that is refused as well has another cause.
            self._renew()
            return self._try(method, path, query, body, writes_once=writes_once, look=look)

    def _try(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int],
        body: Mapping[str, JsonValue] | None,
        *,
        writes_once: bool,
        look: Look,
    ) -> tuple[dict[str, str], JsonValue]:
        import requests

        end = self._clock() + self._deadline_s
        limited = 0
        for attempt in range(1, TRIES + MOST_REFUSALS + 1):
            trouble, wait = "", 0.0
            look()
            try:
                status, headers, text = self._requester.requestJson(
                    method, path, dict(query), {}, dict(body) if body is not None else None
                )
            except requests.RequestException as error:
                trouble = f"GitHub can't be reached ({type(error).__name__})"
            else:
                if status < 400:
                    return headers, _parsed(text, path)
                if (pause := pause_s(status, headers, text, limited, self._clock())) is not None:
                    limited += 1
                    trouble, wait = f"GitHub's rate limit was reached ({status})", pause
                elif status >= 500:
                    trouble = f"GitHub answered {status}"
                else:
                    raise refusal(f"{method} {path}", status, headers, text, self._hints)
            if not wait:
                # It may have been executed. The caller reads before it writes again.
                if writes_once:
                    raise AnswerLost(trouble, where=f"{method} {path}")
                # Refusals by a rate limit don't count here, since they have pauses of their own.
                wait = 2.0 ** (attempt - limited - 1) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
            spent = attempt - limited >= TRIES or limited >= MOST_REFUSALS
            if spent or self._clock() + wait > end:
                raise HostUnavailable(
                    f"{trouble}, {attempt} tries", where=f"{method} {path}", hint="run it again later"
                )
            self._sleep(wait)
        raise AssertionError("unreachable: the tries are bounded")

    def fetch(self, url: str, *, max_bytes: int) -> bytes:
        """Downloads at most ``max_bytes`` bytes from an address that GitHub gave us, without our token."""
        import requests

        # A session of its own: the address belongs to a storage provider, which must not get our token.
        with new_session(self._proxy) as session:
            session.verify = self._verify
            try:
                with session.get(url, timeout=TIMEOUT_S, stream=True, allow_redirects=False) as answer:
                    if answer.status_code != 200:
                        raise HostError(f"the download answered {answer.status_code}")
                    data = b""
                    for chunk in answer.iter_content(1 << 16):
                        data += chunk
                        # Counted while it arrives, because the announced size may be wrong.
                        if len(data) > max_bytes:
                            raise HostError(f"the download is larger than {max_bytes} bytes")
                    return data
            except requests.RequestException as error:
                raise HostError(f"the download broke off ({type(error).__name__})") from None


def three_bytes(text: str) -> str:
    """Returns ``text`` with a replacement for each character that GitHub's short fields can't store."""
    return BEYOND.sub("□", text)


def _wanted() -> None:
    """Does nothing: without ``look``, every write is wanted."""


def _parsed(text: str, path: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text) if text else None
    except ValueError:
        raise HostError("GitHub's answer isn't JSON", where=path) from None
    return value
