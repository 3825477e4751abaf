"""Reads what each repository's default branch says about its prompts in production."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.store.production_values import LineageSettings
from bot.telemetry.logs import logger
from engine.detection.configurations import NAME
from engine.readers.config import read_config
from schemas.config import ProductionConfig
from schemas.errors import HostUnavailable, PromptVerdictError, StoreError

if TYPE_CHECKING:
    from datetime import datetime

    from adapters.github.app import GitHubApp
    from bot.runs.default_branch import DefaultBranch
    from bot.store.records import Records
    from bot.store.values import RepositoryRef
    from schemas.config import Config
    from schemas.host import Sha
    from schemas.ports import Clock

log = logger("production")


class DefaultSettings:
    """Keeps the settings of the default branch's tip. Blocks."""

    def __init__(self, records: Records, branch: DefaultBranch, app: GitHubApp, clock: Clock) -> None:
        self._records = records
        self._branch = branch
        self._app = app
        self._clock = clock

    def pushed(self, repo: RepositoryRef, branch: str, _: Sha) -> None:
        """Reads the settings again after a push to the default branch, if the repository sends anything.

        Raises HostUnavailable and StoreError.
        """
        if self._records.has_ingest_token(repo.repository_id):
            self._read(repo, branch)

    def refresh(self, before: datetime) -> None:
        """Reads them for repositories that send and whose settings are older than ``before``.

        Raises StoreError. A repository that can't be read is logged.
        """
        for repo in self._records.stale_production_settings(before):
            try:
                host = self._app.host(repo.installation_id, repo.full_name)
                self._read(repo, host.default_branch())
            except HostUnavailable as error:
                log.warning("settings not read", repository=repo.repository_id, why=str(error))

    def _read(self, repo: RepositoryRef, branch: str) -> None:
        try:
            # The tip: an older push may be delivered late.
            sha = self._app.host(repo.installation_id, repo.full_name).branch(branch)
            data = self._branch.file(repo, sha, NAME)
            settings = [] if data is None else settings_of(read_config(NAME, data))
        except (HostUnavailable, StoreError):
            raise
        except PromptVerdictError as error:
            # The former settings stay: a mistake in the file must not turn off what reads decisions.
            log.warning("settings not read", repository=repo.repository_id, why=str(error))
            return
        self._records.keep_lineage_settings(repo.repository_id, settings, self._clock.utc())


def settings_of(config: Config) -> list[LineageSettings]:
    """Returns the settings of each prompt."""
    kept = []
    for name, lineage in sorted(config.lineages.items()):
        production = lineage.production or ProductionConfig()
        # Only what reads decisions: labels and fields.
        contract = lineage.model_dump_json(include={"use_case", "labels", "multi_label", "aliases", "defer", "fields"})
        kept.append(
            LineageSettings(
                lineage=name,
                defer=lineage.defer,
                content_share=production.content,
                content_days=production.content_days,
                config=contract.replace("{", '{"prompt":"-",', 1),
            )
        )
    return kept
