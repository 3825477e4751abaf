"""The routes with which people move tags from a command line. They sign in with a GitHub token of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Literal

import anyio
from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from adapters.github.refusals import TokenUnknown
from bot.hub.hub_service import LONGEST_REASON, TAG, Asker
from bot.hub.reading import Refusal, json_response, refused
from bot.hub.tokens import new_token, token_hash
from bot.store.hub_values import TokenKind
from bot.telemetry.logs import logger
from engine.readers.bounded import shown
from schemas.errors import HostError, NotFound, PromptVerdictError, StoreError
from schemas.host import Role
from schemas.hub import TagName
from schemas.payloads import invalid_field

if TYPE_CHECKING:
    from fastapi import FastAPI
    from pydantic import JsonValue

    from adapters.github.sign_in import Person
    from bot.hub.hub_service import HubService
    from bot.store.hub_values import Promotion, TagMove
    from bot.store.records import Records
    from bot.store.values import RepositoryRef
    from schemas.ports import Clock

MANAGERS = 4
LARGEST_BODY = 10_000
LEVELS = {
    "admin": Role.ADMIN, "maintain": Role.MAINTAIN, "push": Role.WRITE, "triage": Role.TRIAGE, "pull": Role.READ,
}  # fmt: skip
ORDER = tuple(Role)
NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")

Lineage = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x20]{1,200}$")]
RequestId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{16,64}$")]

log = logger("hub")


class Body(BaseModel):
    """The base of all bodies: strict, unknown fields are refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class PromoteBody(Body):
    """Asks for a promotion."""

    lineage: Lineage
    tag: TagName
    source: Annotated[str, StringConstraints(max_length=64)] | None = None
    request: RequestId
    """Chosen by the caller: the same twice is the same promotion."""


class OverrideBody(Body):
    """Moves the tag of a blocked promotion."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_REASON)]
    request: RequestId


class RollbackBody(Body):
    """Moves a tag back."""

    lineage: Lineage
    tag: TagName
    to: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{7,64}$")] | None = None
    reason: Annotated[str, StringConstraints(max_length=LONGEST_REASON)] = ""
    request: RequestId


class TokenBody(Body):
    """Makes a token of an application."""

    name: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,100}$")]
    kind: Literal["read", "ingest"] = "read"


class _Call:
    """One permitted request."""

    def __init__(self, request: Request, body: bytes, repo: RepositoryRef, asker: Asker) -> None:
        self.path = request.path_params
        self.query = request.query_params
        self.body = body
        self.repo = repo
        self.asker = asker

    def number(self, name: str) -> int:
        """Returns a number of the address; 0, which nothing has, for one that no database can hold."""
        found: int = self.path[name]
        return found if found < 2**63 else 0


class HubManaging:
    """The routes that move tags. ``person`` returns GitHub as the owner of a token sees it."""

    def __init__(self, records: Records, hub: HubService, person: Callable[[str], Person], clock: Clock) -> None:
        self._records = records
        self._hub = hub
        self._person = person
        self._clock = clock
        self._threads = anyio.CapacityLimiter(MANAGERS)

    def add_to(self, app: FastAPI) -> None:
        """Adds the routes to ``app``."""
        at = "/v1/{owner}/{name}"
        routes: tuple[tuple[Literal["GET", "POST", "DELETE"], str, Role, Callable[[_Call], Response]], ...] = (
            ("GET", f"{at}/moves", Role.READ, self._moves),
            ("POST", f"{at}/promotions", Role.MAINTAIN, self._promote),
            ("GET", f"{at}/promotions/{{promotion:int}}", Role.READ, self._promotion),
            ("POST", f"{at}/promotions/{{promotion:int}}/override", Role.MAINTAIN, self._override),
            ("POST", f"{at}/rollbacks", Role.MAINTAIN, self._rollback),
            ("POST", f"{at}/tokens", Role.MAINTAIN, self._make_token),
            ("DELETE", f"{at}/tokens/{{token:int}}", Role.MAINTAIN, self._revoke_token),
        )
        for method, path, role, work in routes:
            app.add_route(path, self._endpoint(role, work), methods=[method], include_in_schema=False)

    def _endpoint(self, role: Role, work: Callable[[_Call], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            body = b""
            async for part in request.stream():
                body += part
                if len(body) > LARGEST_BODY:
                    return refused(Refusal(413, "the body is too large", f"send at most {LARGEST_BODY:,} bytes"))
            return await anyio.to_thread.run_sync(self._answered, request, body, role, work, limiter=self._threads)

        return endpoint

    def _answered(self, request: Request, body: bytes, role: Role, work: Callable[[_Call], Response]) -> Response:
        try:
            return work(self._call(request, body, role))
        except Refusal as refusal:
            return refused(refusal)
        except ValidationError as error:
            return refused(Refusal(400, f"the body is wrong at {invalid_field(error)}", "see docs/hub.md"))
        except PromptVerdictError as error:
            log.warning("not managed", why=str(error))
            return refused(_refusal(error))

    def _call(self, request: Request, body: bytes, least: Role) -> _Call:
        """Returns the request of a person with at least this role. Raises Refusal, 404 for a hidden one."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token or token.startswith("pv_"):
            raise Refusal(401, "a GitHub token is missing", "set GITHUB_TOKEN to your own, not to a read token")
        named = f"{request.path_params['owner']}/{request.path_params['name']}"
        # No database stores every text, such as NUL.
        repo = self._records.repository_named(named) if NAME.fullmatch(named) else None
        person = self._person(token)
        held = person.held(repo.repository_id, repo.full_name) if repo else None
        level = held.level if held else None
        role = LEVELS.get(level or "", Role.NONE)
        if repo is None or role is Role.NONE:
            raise Refusal(
                404,
                f"there is no repository {named[:200]} here, or your token can't see it",
                "check the name and the token's access",
            )
        if ORDER.index(role) < ORDER.index(least):
            raise Refusal(403, f"this needs the role {least.value}; yours is {role.value}", "ask a maintainer")
        try:
            login = person.login()
        except NotFound:
            raise Refusal(
                401, "GitHub knows no person with this token", "use a token of a person, not of a job"
            ) from None
        return _Call(request, body, repo, Asker(login, role))

    def _moves(self, call: _Call) -> Response:
        lineage, tag = call.query.get("lineage"), call.query.get("tag")
        at = call.repo.repository_id
        if tag is not None and not TAG.fullmatch(tag):
            raise Refusal(400, f"{shown(tag)} can't be a tag", "use lower-case letters, digits, dots and dashes")
        if "history" in call.query:
            moves = self._records.moves(at, lineage=lineage, tag=tag, limit=1_000)
        else:
            moves = [one for one in self._records.tags(at, lineage) if tag in (None, one.tag)]
        return json_response({"moves": [_move(one) for one in moves]})

    def _promote(self, call: _Call) -> Response:
        asked = PromoteBody.model_validate_json(call.body)
        promotion = self._hub.promote(
            call.repo,
            asked.lineage,
            asked.tag,
            source=asked.source,
            asker=call.asker,
            request=f"api:{call.repo.repository_id}:{asked.request}",
        )
        return json_response(self._shown(promotion), status=202 if promotion.state.is_open else 200)

    def _promotion(self, call: _Call) -> Response:
        found = self._records.promotion(call.number("promotion"))
        if found is None or found.repository_id != call.repo.repository_id:
            raise Refusal(404, "there is no such promotion", "take its number from promote")
        return json_response(self._shown(found))

    def _override(self, call: _Call) -> Response:
        asked = OverrideBody.model_validate_json(call.body)
        move = self._hub.override(
            call.repo,
            call.number("promotion"),
            reason=asked.reason,
            asker=call.asker,
            request=f"api:{call.repo.repository_id}:{asked.request}",
        )
        return json_response(_move(move))

    def _rollback(self, call: _Call) -> Response:
        asked = RollbackBody.model_validate_json(call.body)
        move = self._hub.rollback(
            call.repo,
            asked.lineage,
            asked.tag,
            to=asked.to,
            reason=asked.reason,
            asker=call.asker,
            request=f"api:{call.repo.repository_id}:{asked.request}",
        )
        return json_response(_move(move))

    def _make_token(self, call: _Call) -> Response:
        asked, token = TokenBody.model_validate_json(call.body), new_token()
        made = self._records.add_token(
            call.repo.repository_id, asked.name, token_hash(token) or "", call.asker.login, self._clock.utc(),
            kind=TokenKind(asked.kind),
        )  # fmt: skip
        if made is None:
            raise Refusal(409, "the repository has too many tokens", "revoke one first")
        return json_response({"id": made.id, "name": made.name, "kind": made.kind, "token": token}, status=201)

    def _revoke_token(self, call: _Call) -> Response:
        if not self._records.revoke_token(call.repo.repository_id, call.number("token"), self._clock.utc()):
            raise Refusal(404, "there is no such token", "it may be revoked already")
        return Response(status_code=204)

    def _shown(self, promotion: Promotion) -> dict[str, JsonValue]:
        shown = ("id", "lineage", "tag", "from_digest", "to_digest", "by", "state", "outcome")
        found: dict[str, JsonValue] = json.loads(promotion.model_dump_json(include=set(shown)))
        return found


def _move(move: TagMove) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = json.loads(move.model_dump_json(exclude={"repository_id", "request"}))
    return found


def _refusal(error: PromptVerdictError) -> Refusal:
    """Returns what is answered to an error: ours, GitHub's or the caller's."""
    match error:
        case StoreError():
            return Refusal(503, "the database did not answer", "try again in a moment")
        case TokenUnknown():
            return Refusal(401, "GitHub does not know this token", "set GITHUB_TOKEN to one that works")
        case HostError():
            return Refusal(502, f"GitHub did not answer: {error.what}", error.hint or "try again")
        case _:
            return Refusal(409, error.what, error.hint or "")
