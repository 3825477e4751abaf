"""Rolls a tag back on the bot's own machine, for when GitHub can't confirm roles."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TextIO

from bot.settings import read_settings
from engine.render.encode import visible
from schemas.errors import UsageError

BY = "operator"
"""Who moved it, in the history."""


def rollback(
    variables: Mapping[str, str], stream: TextIO, full_name: str, lineage: str, tag: str, *, to: str | None, reason: str
) -> None:
    """Moves a tag back to a version that it had, without a request to GitHub. Raises PromptVerdictError."""
    settings = read_settings(variables)
    from adapters.clock import SystemClock
    from bot.hub.hub_service import Asker, HubService
    from bot.runs.default_branch import DefaultBranch
    from bot.store.records import Records
    from bot.worker import app_and_sources
    from schemas.host import Role

    records = Records(settings.database_url)
    try:
        records.migrate()
        repo = records.repository_named(full_name)
        if repo is None:
            raise UsageError(f"the bot knows no repository {full_name}", hint="give OWNER/NAME")
        hub = HubService(records, DefaultBranch(*app_and_sources(settings)), SystemClock())
        move = hub.rollback(
            repo, lineage, tag, to=to, reason=reason, asker=Asker(BY, Role.ADMIN), request=f"operator:{uuid.uuid4()}"
        )
    finally:
        records.close()
    was = (move.from_digest or "")[:12]
    stream.write(visible(f"{move.lineage} {move.tag}: {move.to_digest[:12]} (was {was})") + "\n")
