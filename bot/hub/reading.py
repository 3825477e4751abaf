"""The routes from which applications read promoted versions: our own, and Langfuse's for its SDK."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio
from fastapi import Request, Response

from bot.hub.hub_service import TAG
from bot.hub.tokens import token_hash
from bot.telemetry.logs import logger
from engine.hub.langfuse import langfuse_prompt
from schemas.errors import StoreError, UsageError
from schemas.values import canonical_json

if TYPE_CHECKING:
    from fastapi import FastAPI
    from pydantic import JsonValue

    from bot.store.hub_values import HubVersion, TokenOwner
    from bot.store.records import Records
    from schemas.ports import Clock

READERS = 4
"""Threads that read for applications, so that they never hold up a webhook."""
MOST_WAITING = 200
"""Requests that wait for a thread. More are told to come back."""
DIGEST = re.compile("[0-9a-f]{64}")
DEFAULT_LABEL = "production"
"""What Langfuse's SDK reads if its caller names no label."""

log = logger("hub")


class Refusal(Exception):  # noqa: N818 - an expected answer, not an error
    """A request that is refused, with a status, a sentence and what to do."""

    def __init__(self, status: int, error: str, hint: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.hint = hint


class HubReading:
    """The read routes."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._threads = anyio.CapacityLimiter(READERS)

    def add_to(self, app: FastAPI) -> None:
        """Adds the routes to ``app``."""
        for path, answer in (
            ("/v1/{owner}/{name}/tags/{tag}", self._tag),
            ("/v1/{owner}/{name}/versions/{digest}", self._version),
            ("/api/public/v2/prompts/{name:path}", self._langfuse),
        ):
            app.add_route(path, self._endpoint(answer), methods=["GET"], include_in_schema=False)

    def _endpoint(self, answer: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if self._threads.statistics().tasks_waiting >= MOST_WAITING:
                return refused(Refusal(429, "too many requests at once", "try again in a moment"), retry_after=2)
            return await anyio.to_thread.run_sync(self._answered, answer, request, limiter=self._threads)

        return endpoint

    def _answered(self, answer: Callable[[Request], Response], request: Request) -> Response:
        try:
            return answer(request)
        except Refusal as refusal:
            return refused(refusal)
        except StoreError as error:
            log.error("not read", why=str(error))
            return refused(Refusal(503, "the database did not answer", "try again in a moment"), retry_after=5)

    def _tag(self, request: Request) -> Response:
        owner, tag = self._owner(request), request.path_params["tag"]
        found = (
            self._records.prompt_set(owner.repo.repository_id, owner.repo.full_name, tag)
            if TAG.fullmatch(tag)
            else None
        )
        if found is None:
            raise Refusal(404, f"no prompt has the tag {tag[:63]}", "a maintainer promotes a version to it first")
        body = canonical_json(found.document())
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        headers = {"etag": etag, "cache-control": "private, no-cache", "vary": "authorization"}
        known = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
        if etag in known or "*" in known:
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type="application/json")

    def _version(self, request: Request) -> Response:
        owner, digest = self._owner(request), request.path_params["digest"]
        found = self._records.hub_version(owner.repo.repository_id, digest) if DIGEST.fullmatch(digest) else None
        if found is None:
            raise Refusal(404, "there is no such version", "take a digest from a tag's document")
        headers = {"cache-control": "private, max-age=31536000, immutable", "etag": f'"{digest}"'}
        return Response(canonical_json(found.prompt.document()), headers=headers, media_type="application/json")

    def _owner(self, request: Request) -> TokenOwner:
        """Returns what the request's token reads. Raises Refusal: 401 without one, 404 for another repository."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        owner = self._reader(token) if scheme.lower() == "bearer" else None
        if owner is None:
            raise Refusal(401, "a read token is missing or unknown", "send Authorization: Bearer pv_…")
        named = f"{request.path_params['owner']}/{request.path_params['name']}"
        if owner.repo.full_name.lower() == named.lower():
            return owner
        if not self._records.was_named(owner.repo.repository_id, named):
            raise Refusal(404, "the token is for another repository", "make a token for this repository")
        # A renamed repository must not break its applications. The document has the name that they asked for, because
        # clients refuse another one.
        return owner.model_copy(update={"repo": owner.repo.model_copy(update={"full_name": named})})

    def _reader(self, token: str) -> TokenOwner | None:
        hashed = token_hash(token.strip())
        return None if hashed is None else self._records.token_owner(hashed, self._clock.utc())

    def _langfuse(self, request: Request) -> Response:
        """Answers as Langfuse does: the secret key is a read token, and the public key may be anything."""
        try:
            return json_response(self._langfuse_prompt(request))
        except Refusal as refusal:
            kind = {401: "UnauthorizedError", 404: "LangfuseNotFoundError"}.get(refusal.status, "InvalidRequestError")
            message = f"{refusal.error} ({refusal.hint})"
            return json_response({"message": message, "error": kind}, status=refusal.status)

    def _langfuse_prompt(self, request: Request) -> dict[str, JsonValue]:
        owner = self._reader(_secret_key(request.headers.get("authorization", "")))
        if owner is None:
            raise Refusal(401, "the secret key is not a read token", "use pv_… as the secret key")
        at, lineage = owner.repo.repository_id, request.path_params["name"]
        found = self._asked(at, lineage, request.query_params.get("version"), request.query_params.get("label"))
        labels = [one.tag for one in self._records.tags(at, lineage) if one.to_digest == found.prompt.digest]
        try:
            return langfuse_prompt(found.prompt, found.number, labels)
        except UsageError as error:
            raise Refusal(422, error.what, error.hint or "") from None

    def _asked(self, at: int, lineage: str, version: str | None, label: str | None) -> HubVersion:
        if version is not None and label is not None:
            # Not one of the two: the version may not have the label.
            raise Refusal(400, "both a version and a label are given", "give one of them")
        if version is not None:
            number = int(version) if version.isascii() and version.isdigit() and len(version) < 9 else 0
            found = self._records.hub_version_numbered(at, lineage, number)
        else:
            tag = label or DEFAULT_LABEL
            move = self._records.current_move(at, lineage, tag) if TAG.fullmatch(tag) else None
            found = self._records.hub_version(at, move.to_digest, lineage) if move else None
        if found is None:
            raise Refusal(404, "there is no such prompt with this label or version", "promote a version first")
        return found


def json_response(
    document: dict[str, JsonValue], *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Returns a document as canonical JSON."""
    return Response(canonical_json(document), status, headers=headers, media_type="application/json")


def refused(refusal: Refusal, *, retry_after: int | None = None) -> Response:
    """Returns the answer to a refused request."""
    headers = {"retry-after": str(retry_after)} if retry_after is not None else {}
    if refusal.status == 401:
        headers["www-authenticate"] = "Bearer"
    return json_response({"error": refusal.error, "hint": refusal.hint}, status=refusal.status, headers=headers)


def _secret_key(authorization: str) -> str:
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(given, validate=True).decode("utf-8").partition(":")[2]
    except ValueError:  # no base64, no UTF-8, or no ASCII
        return ""
