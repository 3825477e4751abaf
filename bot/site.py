"""Puts the pages together: for people of GitHub beside the webhooks, or for one reader on loopback."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from fastapi import FastAPI

from bot import variables as names
from bot.pages.application import LocalAccess, Pages
from bot.pages.context import Facts
from bot.webhooks.endpoints import SafeHeaders
from bot.webhooks.listener import Listener, listen
from engine.render.figures import plural, usd
from schemas.errors import UsageError

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from bot.hub.hub_service import HubService
    from bot.improve.suggesting import Suggesting
    from bot.settings import LocalSettings, Settings
    from bot.store.records import Records
    from bot.telemetry.metrics import Metrics
    from schemas.ports import Clock


def add_pages(
    app: FastAPI, records: Records, settings: Settings, clock: Clock, hub: HubService, *, suggesting: Suggesting
) -> None:
    """Adds the pages, if the operator configured them."""
    if settings.site is None:
        return
    from adapters.github.sign_in import GitHubSignIn
    from bot.pages.github_access import GitHubAccess
    from bot.pages.sign_in import SignIn

    site, secret = settings.site, settings.site.client_secret.get_secret_value()
    github = GitHubSignIn(
        site.client_id,
        secret,
        server_url=settings.server_url,
        api_url=settings.api_url,
        proxy=settings.proxy,
        ca_bundle=settings.ca_bundle,
    )
    access = GitHubAccess(records, github, clock, site.public_url)
    pages = Pages(records, access, facts_of(settings), clock, hub, suggesting=suggesting, branch=hub.branch)
    pages.add_to(app)
    SignIn(pages, records, access, github, clock, public_url=site.public_url, secret=secret).add_to(app)


def services_of(records: Records, settings: Settings, clock: Clock) -> tuple[HubService, Suggesting]:
    """Returns what moves tags, and what takes requests for suggested edits."""
    from bot.hub.hub_service import HubService
    from bot.improve.suggesting import Suggesting
    from bot.runs.default_branch import DefaultBranch
    from bot.worker import app_and_sources

    branch = DefaultBranch(*app_and_sources(settings))
    return HubService(records, branch, clock), Suggesting(
        records, branch, clock, run_usd=settings.caps.run, person_usd=settings.caps.person
    )


def add_hub(app: FastAPI, records: Records, settings: Settings, clock: Clock, hub: HubService) -> None:
    """Adds the routes from which applications read promoted versions, and with which maintainers move tags."""
    from functools import partial

    from adapters.github.sign_in import person_of
    from adapters.github.transport import new_session
    from bot.hub.managing import HubManaging
    from bot.hub.reading import HubReading

    person = partial(
        person_of, api_url=settings.api_url, proxy=settings.proxy, ca_bundle=settings.ca_bundle,
        session=new_session(settings.proxy),
    )  # fmt: skip
    HubReading(records, clock).add_to(app)
    HubManaging(records, hub, person, clock).add_to(app)


def add_intake(app: FastAPI, records: Records, settings: Settings, clock: Clock, metrics: Metrics) -> None:
    """Adds the routes to which applications send what happens in production."""
    from adapters.prices import listed_price
    from bot.production.intake import Intake

    Intake(records, clock, metrics, listed_price, keep_days=settings.keep_spans_days).add_to(app)


def facts_of(settings: Settings) -> Facts:
    """Returns what pages show of the operator's settings. No secret is among them."""
    caps = settings.caps
    rows = (
        ("Cap of a run", usd(caps.run), _source(names.RUN_USD, caps.run)),
        ("Cap of a repository and day", usd(caps.repository), _source(names.REPOSITORY_USD, caps.repository)),
        ("Daily cap of each person, for runs on pages", usd(caps.person), _source(names.PERSON_USD, caps.person)),
        ("Cap of a day", usd(caps.day), _source(names.DAY_USD, caps.day)),
        ("Texts are kept for", f"{settings.keep_texts_days} days", _source(names.KEEP_TEXTS, settings.keep_texts_days)),
        (
            "Individual calls in production are kept for",
            f"{settings.keep_spans_days} days",
            _source(names.KEEP_SPANS, settings.keep_spans_days),
        ),
        ("Pull requests measured at once", str(settings.concurrency), _source(names.RUNS, settings.concurrency)),
    )
    return Facts(
        settings.server_url,
        run_usd=caps.run,
        repository_usd=caps.repository,
        person_usd=caps.person,
        day_usd=caps.day,
        public_url=settings.site.public_url if settings.site else None,
        rows=rows,
    )


def _source(variable: names.Variable, value: object) -> str:
    return f"{variable.name}, default" if variable.default.strip("`") == str(value) else variable.name


def serve_local(settings: LocalSettings, stream: TextIO) -> bool:
    """Shows the pages on loopback until the process is asked to stop. Raises UsageError and StoreError."""
    from adapters.clock import SystemClock
    from adapters.loop import run_async
    from bot.store.records import Records
    from bot.telemetry.logs import start_logs

    start_logs(stream, ())
    # Nothing is created there: it may be the wrong folder.
    if settings.data is not None and not (settings.data / "bot.sqlite3").exists():
        raise UsageError(
            f"{settings.data} holds no records of a bot",
            where=names.DATA.name,
            hint=f"set {names.DATA.name} to the bot's data folder, or {names.DATABASE_URL.name} to its database",
        )
    listening = listen(settings.host, settings.port)
    records = Records(settings.database_url)
    try:
        records.migrate()
        app = FastAPI(title="Prompt Verdict", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
        app.add_middleware(SafeHeaders)
        Pages(records, LocalAccess(), Facts(settings.server_url), SystemClock()).add_to(app)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        stream.write(f"The pages are at http://{host}:{listening.getsockname()[1]}/ (Ctrl-C stops)\n")
        stream.flush()
        run_async(_until_stopped(app, listening))
    finally:
        records.close()
    return True


def export(scorecards: Sequence[Path], folder: Path, full_name: str, server_url: str, stream: TextIO) -> None:
    """Writes pages about scorecards of the Action to ``folder``. Raises UsageError and StoreError."""
    from bot.pages.export import Export, keep_scorecards
    from bot.store.records import Records

    with tempfile.TemporaryDirectory() as scratch:
        records = Records(f"sqlite:///{Path(scratch) / 'pages.sqlite3'}")
        try:
            records.migrate()
            runs = keep_scorecards(records, scorecards, full_name)
            if not runs:
                raise UsageError("no scorecard.json found", hint="name one, or a folder that has some")
            # As of the newest run: pages about old runs must not say that nothing happened lately.
            pages = Export(records, folder, server_url, runs[-1]).write()
        finally:
            records.close()
    stream.write(f"{plural(pages, 'page')} about {plural(len(runs), 'run')}: {folder / 'index.html'}\n")


async def _until_stopped(app: FastAPI, listening: socket.socket) -> None:
    listener, loop = Listener(app, listening), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, listener.stop)
    await listener.run_until_stopped()
