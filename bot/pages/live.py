"""Streams a run of the playground to its page: each score as it comes, by server-sent events.

The stream only reads rows, so it goes on after a restart of this process or of a worker. A browser that reconnects
sends the number of its last answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, TypeVar

import anyio
from fastapi import Depends, Header, HTTPException, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from bot.pages.access import Role, SignedOut
from bot.pages.context import LARGEST
from bot.pages.views.playground_live import Answers, answers_of, status_of
from engine.pages.render import page
from schemas.errors import HostError, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from fastapi import FastAPI

    from bot.pages.access import Visitor
    from bot.store.asked_values import AskedRun
    from bot.store.records import Records
    from bot.store.values import Run
    from schemas.ports import Clock

    class Access(Protocol):
        """Finds out who sends a request."""

        def visitor(self, cookies: Mapping[str, str]) -> Visitor | None:
            """Returns the reader."""
            ...

        def refusal(self, request: Request) -> str | None:
            """Returns why a request is not answered at all."""
            ...


T = TypeVar("T")
PATH = "/repositories/{repository:int}/lineages/{lineage:int}/playground/events"
LOOK_S = 0.3
"""Seconds between two looks at the rows."""
RIGHTS_S = 30.0
"""Seconds after which the reader's rights are asked again."""
RETRY_MS = 1_000
STREAMS = 64
"""Streams of one process. The next browser reloads instead."""
TOGETHER = 200
"""Answers that are sent at once."""


class LiveEvents:
    """The streams of one site."""

    def __init__(self, records: Records, access: Access, clock: Clock) -> None:
        self._records = records
        self._access = access
        self._clock = clock
        self._open = 0
        self._threads = anyio.CapacityLimiter(4)

    def add_to(self, app: FastAPI) -> None:
        """Adds the stream to ``app``."""
        app.add_api_route(
            PATH, self._events, methods=["GET"], response_class=EventSourceResponse, include_in_schema=False,
            # Before the first event, so that the answer has the right status.
            dependencies=[Depends(self._check)],
        )  # fmt: skip

    async def _check(self, request: Request, repository: int, draft: int, run: int) -> None:
        if not await self._thread(partial(self._allowed, request, repository, draft, run)):
            raise HTTPException(404)
        if self._open >= STREAMS:
            raise HTTPException(503)

    async def _events(
        self, request: Request, repository: int, draft: int, run: int, last_event_id: Annotated[str, Header()] = "0"
    ) -> AsyncIterator[ServerSentEvent]:
        is_number = last_event_id.isascii() and last_event_id.isdigit()
        seen = min(int(last_event_id), LARGEST) if is_number else 0
        self._open += 1
        try:
            async for event in self._stream(request, (repository, draft, run), seen):
                yield event
        finally:
            self._open -= 1

    async def _stream(
        self, request: Request, address: tuple[int, int, int], seen: int
    ) -> AsyncIterator[ServerSentEvent]:
        run = address[2]
        answers = await self._thread(partial(answers_of, self._records, run, seen))
        answers.last = max(answers.last, seen)
        checked, shown = self._clock.monotonic(), ""
        yield ServerSentEvent(retry=RETRY_MS, comment="open")
        while not await request.is_disconnected():
            if self._clock.monotonic() - checked > RIGHTS_S:
                checked = self._clock.monotonic()
                if not await self._thread(partial(self._allowed, request, *address)):
                    return
            try:
                rows, status, is_open = await self._thread(partial(self._news, run, answers))
            except StoreError:  # the browser asks again, with what it has seen
                return
            for number, (key, text) in enumerate(rows, 1):
                # The number of the last answer goes with the last row: a browser that missed a row gets all again.
                last = str(answers.last) if number == len(rows) else None
                yield ServerSentEvent(event="case", raw_data=f"{key}\n{text}", id=last)
            if status != shown:
                shown = status
                yield ServerSentEvent(event="status", raw_data=status)
            if not is_open:
                yield ServerSentEvent(event="end", raw_data="ended")
                return
            await asyncio.sleep(LOOK_S)

    def _news(self, sequence: int, answers: Answers) -> tuple[list[tuple[str, str]], str, bool]:
        """Returns the rows that changed, the status, and whether more is to come."""
        found = self._found(sequence)
        new = self._records.answers_after(sequence, answers.last, TOGETHER)
        changed = answers.add(new)
        if found is None:
            return [], "", False
        run, asked = found
        several = run.request is not None and len(run.request.models) > 1
        rows = [
            (f"case-{one.number}", page("playground_row", case=one, other=None, several=several)) for one in changed
        ]
        status = page("playground_status", status=status_of(run, asked, answers, self._clock.utc()))
        return rows, status, run.state.is_open or len(new) == TOGETHER

    def _found(self, sequence: int) -> tuple[Run, AskedRun] | None:
        found = self._records.asked_run(sequence)
        if found is None or found.draft_id is None:
            return None
        runs = [one for one in self._records.runs_of_draft(found.draft_id, 100) if one[0].sequence == sequence]
        return runs[0] if runs else None

    def _allowed(self, request: Request, repository: int, draft: int, run: int) -> bool:
        """Returns whether the reader may see this run of their own draft. GitHub is asked, at most once a minute."""
        if max(repository, draft, run) > LARGEST or self._access.refusal(request) is not None:
            return False
        try:
            visitor = self._access.visitor(request.cookies)
            repo = self._records.repository_by_id(repository)
            if visitor is None or visitor.login is None or repo is None or visitor.role(repo) < Role.READ:
                return False
            own = self._records.draft(draft, visitor.login)
            asked = self._records.asked_run(run)
        except (SignedOut, HostError, StoreError):
            return False
        return own is not None and own.repository_id == repository and asked is not None and asked.draft_id == draft

    async def _thread(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._threads)
