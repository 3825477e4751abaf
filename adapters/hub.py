"""Calls the bot's hub: reads a tag's prompts, and moves tags for a person with a GitHub token."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from schemas.errors import HostError, HostUnavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from httpx import Response
    from pydantic import JsonValue

    from schemas.hub import HubPrompt

TIMEOUT_S = 120.0
"""Seconds for one request. A promotion reads the repository before it answers."""
LARGEST = 64 * 2**20
"""Bytes of an answer."""
LONGEST = 500
"""Characters of an error that the hub words."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Hub:
    """One repository's hub at ``url``. ``token`` goes to this address only."""

    def __init__(self, url: str, repository: str, token: str) -> None:
        """Raises UsageError for an address that would send the token unencrypted."""
        try:
            parts = urlsplit(url)
        except ValueError:
            raise UsageError(f"the hub's address {url} is not valid", where="PROMPTVERDICT_HUB") from None
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise UsageError(f"the hub's address must start with https://, not {url}", where="PROMPTVERDICT_HUB")
        self._at = f"{url.rstrip('/')}/v1/{quote(repository)}"
        self._token = token

    def prompt_set(self, tag: str) -> bytes:
        """Returns the document of a tag, as applications read it. Raises HostError."""
        return self._ask("GET", f"/tags/{quote(tag, safe='')}").content

    def get(self, path: str, **query: str) -> Mapping[str, JsonValue]:
        """Returns the object at ``path``. Raises HostError."""
        return _object(self._ask("GET", path, query=query))

    def post(self, path: str, body: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
        """Sends ``body`` to ``path`` and returns the answer. Raises HostError."""
        return _object(self._ask("POST", path, body=body))

    def delete(self, path: str) -> None:
        """Deletes what is at ``path``. Raises HostError."""
        self._ask("DELETE", path)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, JsonValue] | None = None,
    ) -> Response:
        import httpx

        headers = {"authorization": f"Bearer {self._token}"}
        try:
            # Without redirects: another address must not get the token.
            answer = httpx.request(
                method, f"{self._at}{path}", params=query, json=body, headers=headers, timeout=TIMEOUT_S,
                follow_redirects=False,
            )  # fmt: skip
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise HostUnavailable(
                f"the hub can't be reached: {type(error).__name__}", where=self._at, hint="check PROMPTVERDICT_HUB"
            ) from None
        if answer.is_success and len(answer.content) <= LARGEST:
            return answer
        raise _refused(answer, self._at)


def read_prompt_set(content: bytes, repository: str, tag: str) -> tuple[HubPrompt, ...]:
    """Returns the prompts of a tag's document. Raises HostError for any other answer, and for a damaged one."""
    from schemas.hub import HubPrompt

    try:
        document = json.loads(content)
        if document["hub_version"] != 1:
            raise HostError("the hub answered a newer format", hint="update promptverdict")
        if (document["repository"].lower(), document["tag"]) != (repository.lower(), tag):
            raise HostError("the hub answered another repository or tag", hint="check --repository and --tag")
        found = []
        for name, given in document["prompts"].items():
            prompt = HubPrompt.model_validate({key: given[key] for key in given.keys() - {"digest", "moved_at"}})
            if (prompt.lineage, prompt.digest) != (name, given["digest"]):
                raise ValueError
            found.append(prompt)
    # Whatever is missing or has another type: an answer of a proxy, or one that was cut off.
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise HostError(
            "the hub answered no whole prompt set", hint="check that PROMPTVERDICT_HUB is the bot's address"
        ) from None
    return tuple(found)


def _object(answer: Response) -> Mapping[str, JsonValue]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise HostError("the hub answered no JSON object", hint="check that PROMPTVERDICT_HUB is the bot's address")
    return found


def _refused(answer: Response, where: str) -> HostError:
    try:
        said = answer.json()
    except ValueError:
        said = None
    words = said if isinstance(said, dict) else {}
    error, hint = words.get("error"), words.get("hint")
    what = error if isinstance(error, str) else f"the hub answered {answer.status_code}"
    kind = HostUnavailable if answer.status_code in (429, 502, 503) else HostError
    return kind(_line(what), where=where, hint=_line(hint) if isinstance(hint, str) and hint else None)


def _line(text: str) -> str:
    return " ".join(text.split())[:LONGEST]
