"""Writes a run's result to the pull request on which a person asked for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bot.telemetry.logs import logger
from schemas.errors import HostError, HostUnavailable

if TYPE_CHECKING:
    from adapters.github.app import GitHubApp
    from bot.store.values import Run

log = logger("results")


async def write_result(app: GitHubApp, run: Run, number: int, marker: str, text: str) -> None:
    """Writes one comment for each marker. If GitHub refuses, it is only logged. Raises HostUnavailable."""
    try:
        host = await asyncio.to_thread(app.host, run.installation_id, run.repository)
        await asyncio.to_thread(host.comment, number, f"{marker} -->\n{text}\n", marker)
    except HostUnavailable:
        raise
    except HostError as error:
        log.error("result not written", run=run.id, why=str(error))
