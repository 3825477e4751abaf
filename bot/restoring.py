"""Restores the tags of a repository from GitHub, after the database was lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

from bot.settings import read_settings
from engine.render.figures import plural
from schemas.errors import UsageError

if TYPE_CHECKING:
    from adapters.github.app import GitHubApp
    from bot.store.values import RepositoryRef

BY = "restore-tags"
"""Who moved them, in the history."""


def restore_tags(variables: Mapping[str, str], stream: TextIO, full_name: str) -> None:
    """Restores every tag that has no version, and names each. Raises PromptVerdictError."""
    settings = read_settings(variables)
    from adapters.clock import SystemClock
    from bot.hub.github_copy import GitHubCopy
    from bot.runs.default_branch import DefaultBranch
    from bot.store.records import Records
    from bot.telemetry.logs import start_logs
    from bot.worker import app_and_sources

    start_logs(stream, settings.secrets)
    app, sources = app_and_sources(settings)
    records = Records(settings.database_url)
    try:
        records.migrate()
        copy = GitHubCopy(records, app, DefaultBranch(app, sources), SystemClock())
        moves = copy.restore(_repository(app, full_name), BY)
    finally:
        records.close()
    stream.writelines(f"{move.lineage} {move.tag}: {move.to_digest[:12]}\n" for move in moves)
    stream.write(f"{plural(len(moves), 'tag')} restored\n")


def _repository(app: GitHubApp, full_name: str) -> RepositoryRef:
    from bot.store.values import RepositoryRef

    for installation in app.installations():
        for one in app.repositories(installation.id):
            if one.full_name.lower() == full_name.lower():
                return RepositoryRef(installation_id=installation.id, repository_id=one.id, full_name=one.full_name)
    raise UsageError(f"the App is not installed on {full_name}", hint="give OWNER/NAME of one where it is")
