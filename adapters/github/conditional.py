"""Conditional requests: GitHub doesn't count a request whose answer hasn't changed.

docs.github.com, "Best practices for using the REST API": "Use conditional requests if appropriate".
Every request still reaches GitHub: a kept answer is used only after GitHub said that it is the present one.
"""

from __future__ import annotations

import copy
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter

from adapters.github.transport import MOST_CONNECTIONS

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

MOST_BYTES = 32 * 1024 * 1024
"""Bytes of all kept answers. The least recently used one is dropped first."""
LARGEST = 1024 * 1024
"""Bytes of the largest answer that is kept."""

Answered = Callable[[int, float | None], object]
"""Takes the status of an answer, and the share of the hour's requests that GitHub leaves, if the answer says so."""


def ask_conditionally(session: Session, answered: Answered | None) -> None:
    """Makes ``session`` ask conditionally, and report every answer to ``answered``, which must be safe for threads."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, ConditionalAdapter(answered))


class ConditionalAdapter(HTTPAdapter):
    """Sends ``If-None-Match`` with each GET that GitHub answered before to the same token. Safe for threads."""

    def __init__(self, answered: Answered | None) -> None:
        super().__init__(pool_maxsize=MOST_CONNECTIONS)
        self._answered = answered
        self._kept: OrderedDict[bytes, Response] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def send(self, request: PreparedRequest, stream: bool = False, **options: Any) -> Response:  # type: ignore[override]
        """Returns GitHub's answer; the kept one, whole, where GitHub answers 304."""
        key = None if stream else _key(request)
        with self._lock:
            known = self._kept.get(key) if key is not None else None
        if known is not None:
            request.headers["If-None-Match"] = known.headers["etag"]
        response = super().send(request, stream=stream, **options)
        if self._answered is not None:
            self._answered(response.status_code, _left(response))
        if known is not None and response.status_code == 304:
            response.close()
            # A copy: the session changes the answers that it returns.
            return copy.copy(self._keep(key, known))
        if key is not None and response.status_code == 200 and "etag" in response.headers:
            return copy.copy(self._keep(key, response))
        return response

    def _keep(self, key: bytes | None, response: Response) -> Response:
        """Makes an answer the newest of those that are kept."""
        assert key is not None
        size = len(response.content)
        with self._lock:
            before = self._kept.pop(key, None)
            self._bytes -= len(before.content) if before is not None else 0
            if size <= LARGEST:
                self._kept[key] = response
                self._bytes += size
            while self._bytes > MOST_BYTES:
                self._bytes -= len(self._kept.popitem(last=False)[1].content)
        return response


def _left(response: Response) -> float | None:
    """Returns the share of the hour's requests that is left."""
    left, limit = (response.headers.get(f"x-ratelimit-{name}", "") for name in ("remaining", "limit"))
    if not all(text.isascii() and text.isdigit() and len(text) < 10 for text in (left, limit)) or not int(limit):
        return None
    return int(left) / int(limit)


def _key(request: PreparedRequest) -> bytes | None:
    """Identifies what was asked by which token. ``None`` for what isn't kept.

    The App's own requests are signed anew each time, so none of them is asked twice.
    """
    identity = str(request.headers.get("Authorization", ""))
    if request.method != "GET" or not identity.lower().startswith("token "):
        return None
    # A digest: a dump of the cache shows no token.
    parts = (str(request.url), identity, str(request.headers.get("Accept", "")))
    return hashlib.sha256("\n".join(parts).encode()).digest()
