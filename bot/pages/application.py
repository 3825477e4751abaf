"""Answers requests for pages: identifies the reader, checks access and renders the page."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

import anyio
from fastapi import Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from bot.pages.access import LocalVisitor, SignedOut
from bot.pages.context import Facts, Page, Redirect, Site
from bot.pages.live import LiveEvents
from bot.pages.requests import form_of, is_from_us
from bot.pages.resolve import Pagemaker
from bot.pages.routes import ROUTES, PageRoute
from bot.telemetry.logs import logger
from engine.pages.render import ICON, page, script, script_name, stylesheet, stylesheet_name
from schemas.errors import HostError, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI, Request

    from bot.hub.hub_service import HubService
    from bot.improve.suggesting import Suggesting
    from bot.pages.access import Visitor
    from bot.runs.default_branch import DefaultBranch
    from bot.store.records import Records
    from schemas.ports import Clock

READERS = 4
"""Threads that make pages, so that readers never hold up a webhook."""
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'; script-src 'none'",
    # With no-referrer, browsers send no origin with a form.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
SCRIPTED = HEADERS["content-security-policy"].replace("script-src 'none'", "script-src 'self'")
PROGRAMS = ("/api/", "/webhook")
"""Addresses for programs, which get JSON."""
NOT_FOUND = "There is no such page, or you have no access to it."

log = logger("pages")


class Access(Protocol):
    """Finds out who sends a request."""

    def visitor(self, cookies: Mapping[str, str]) -> Visitor | None:
        """Returns the reader; ``None`` if they must sign in. Blocks. Raises HostError and StoreError."""
        ...

    def sign_in(self, target: str) -> str:
        """Returns the address where one signs in and then returns to ``target``."""
        ...

    def refusal(self, request: Request) -> str | None:
        """Returns why a request is not answered at all."""
        ...

    def origin(self, request: Request) -> str:
        """Returns the origin of this site's own pages."""
        ...


class LocalAccess:
    """``Access`` for one reader on loopback."""

    NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

    def visitor(self, cookies: Mapping[str, str]) -> LocalVisitor:  # noqa: ARG002
        """Returns the one reader."""
        return LocalVisitor()

    def sign_in(self, target: str) -> str:
        """Returns ``target``: there is no sign-in."""
        return target

    def origin(self, request: Request) -> str:
        """Returns the name by which the reader came, which ``refusal`` has checked."""
        return f"http://{request.headers.get('host', '')}"

    def refusal(self, request: Request) -> str | None:
        """Refuses other names of this address: a website could make its own name point here (DNS rebinding)."""
        hosts = request.headers.getlist("host")
        name = hosts[0].rpartition(":")[0] or hosts[0] if len(hosts) == 1 else ""
        return None if name in self.NAMES else "this site answers only to localhost"


class Pages:
    """The pages of one site."""

    def __init__(
        self,
        records: Records,
        access: Access,
        facts: Facts,
        clock: Clock,
        hub: HubService | None = None,
        *,
        suggesting: Suggesting | None = None,
        branch: DefaultBranch | None = None,
    ) -> None:
        self._maker = Pagemaker(records, facts, hub, suggesting, branch)
        self._live = LiveEvents(records, access, clock)
        self._access = access
        self._clock = clock
        self.headers = dict(HEADERS)
        self.threads = anyio.CapacityLimiter(READERS)

    def add_to(self, app: FastAPI) -> None:
        """Adds every page to ``app``."""
        for route in ROUTES:
            app.add_route(route.path, partial(self._endpoint, route), methods=["GET"], include_in_schema=False)
            if route.form:
                app.add_route(route.path, partial(self._sent, route), methods=["POST"], include_in_schema=False)
        app.add_route(f"/static/{stylesheet_name()}", self._style, methods=["GET"], include_in_schema=False)
        app.add_route(f"/static/{script_name()}", self._script, methods=["GET"], include_in_schema=False)
        self._live.add_to(app)
        app.add_route("/static/icon.svg", self._icon, methods=["GET"], include_in_schema=False)
        for status in (404, 405):
            app.add_exception_handler(status, self._unknown)

    async def _endpoint(self, route: PageRoute, request: Request) -> Response:
        return await anyio.to_thread.run_sync(self._answer, route, request, limiter=self.threads)

    async def _sent(self, route: PageRoute, request: Request) -> Response:
        """Answers a form, if a page of this site sent it."""
        if not is_from_us(request, self._access.origin(request)):
            return self._message(403, "Refused", "This form was not sent from this site.")
        form = await form_of(request)
        if form is None:
            return self._message(413, "Refused", "The text is too long.")
        return await anyio.to_thread.run_sync(partial(self._answer, form=form), route, request, limiter=self.threads)

    def _answer(self, route: PageRoute, request: Request, form: Mapping[str, str] | None = None) -> Response:
        refused = self._access.refusal(request)
        if refused is not None:
            return Response(f"{refused}\n", 403, headers=HEADERS, media_type="text/plain")
        try:
            visitor = self._access.visitor(request.cookies)
            if visitor is None:
                target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                return RedirectResponse(self._access.sign_in(target), 303, headers=HEADERS)
            return self._page(route, request, visitor, form)
        except SignedOut:
            return RedirectResponse(self._access.sign_in("/"), 303, headers=HEADERS)
        except HostError as error:
            log.warning("GitHub did not answer", why=str(error))
            return self._message(502, "GitHub did not answer", "The bot could not check your access. Try again.")
        except StoreError as error:
            log.error("page not read", why=str(error))
            return self._message(503, "The database did not answer", "Try again in a moment.")

    def _page(self, route: PageRoute, request: Request, visitor: Visitor, form: Mapping[str, str] | None) -> Response:
        site = Site(login=visitor.login, note="local, read-only" if visitor.login is None else "")
        made = self._maker.page(
            route, request.path_params, request.query_params, visitor=visitor, now=self._clock.utc(), form=form
        )
        if made is None:
            return self._message(404, "Not found", NOT_FOUND, site)
        if isinstance(made, Redirect):
            return RedirectResponse(made.address, 303, headers=HEADERS)
        return self._html(200, made, site)

    def message(self, status: int, title: str, text: str, *, again: bool = False) -> Response:
        """Returns a page with one sentence, for a reader who isn't signed in. ``again``: with a link to sign in."""
        values = {"text": text, "address": self._access.sign_in("/"), "label": "Sign in"}
        return self._html(status, Page("message", title, values if again else {"text": text, "address": None}), Site())

    def _message(self, status: int, title: str, text: str, site: Site | None = None) -> Response:
        values = {"text": text, "address": "/", "label": "Go to the overview"}
        return self._html(status, Page("message", title, values), site or Site())

    def _html(self, status: int, made: Page, site: Site) -> Response:
        text = page(
            made.template, title=made.title, crumbs=made.crumbs, site=site, scripted=made.scripted, **made.values
        )
        to = f"; url={made.refresh_to}" if made.refresh_to else ""
        headers = HEADERS | ({} if made.refresh_s is None else {"refresh": f"{made.refresh_s}{to}"})
        if made.scripted:
            headers |= {"content-security-policy": SCRIPTED}
        return Response(text, status, headers=headers, media_type="text/html")

    async def _unknown(self, request: Request, error: Exception) -> Response:
        """Answers a browser with a page, and programs as FastAPI does."""
        assert isinstance(error, HTTPException)
        wants_page = "text/html" in request.headers.get("accept", "")
        if not wants_page or request.url.path.startswith(PROGRAMS):
            return await http_exception_handler(request, error)
        refused = self._access.refusal(request)
        if refused is not None:
            return Response(f"{refused}\n", 403, headers=HEADERS, media_type="text/plain")
        return self._message(error.status_code, "Not found", NOT_FOUND)

    async def _style(self, request: Request) -> Response:  # noqa: ARG002
        kept = HEADERS | {"cache-control": "public, max-age=31536000, immutable"}
        return Response(stylesheet(), headers=kept, media_type="text/css")

    async def _script(self, request: Request) -> Response:  # noqa: ARG002
        kept = HEADERS | {"cache-control": "public, max-age=31536000, immutable"}
        return Response(script(), headers=kept, media_type="text/javascript")

    async def _icon(self, request: Request) -> Response:  # noqa: ARG002
        return Response(ICON, headers=HEADERS | {"cache-control": "public, max-age=86400"}, media_type="image/svg+xml")
