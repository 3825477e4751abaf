"""Publishes alerts: one issue each, and messages on the operator's channels. Safe to kill at any point and repeat."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from bot.store.async_records import AsyncRecords
from bot.telemetry.logs import logger
from engine.alerts.texts import (
    AlertNote,
    ending_marker,
    ending_text,
    issue_text,
    marker,
    plain_text,
    reminder_marker,
    reminder_text,
    title,
)
from schemas.errors import HostError, HostUnavailable, NotFound, PermissionMissing

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.github.app import GitHubApp
    from adapters.github.checks import AppHost
    from bot.store.alert_values import Episode
    from bot.store.records import Records
    from bot.store.values import RepositoryRef

CLOCKS = timedelta(minutes=10)
"""Largest difference between our clock and GitHub's."""
UNKNOWN_PERSON = "a person"

log = logger("alerts")


class Channels(Protocol):
    """Where alerts go besides issues (``adapters.notices``)."""

    def send(self, title: str, text: str) -> None:
        """Sends a message. Blocks. Raises HostUnavailable."""
        ...


class AlertPublisher:
    """Brings issues and channels up to what is stored. ``page_of`` returns the address of a repository's alerts."""

    def __init__(
        self, records: Records, app: GitHubApp, channels: Channels | None, page_of: Callable[[int], str | None]
    ) -> None:
        self._records = AsyncRecords(records)
        self._app = app
        self._channels = channels
        self._page_of = page_of

    async def publish(self) -> None:
        """Publishes what is not published yet. Whatever GitHub or a channel refuses is tried again next time."""
        for episode in await self._records.untold_episodes(channels=self._channels is not None):
            repo = await self._records.repository_by_id(episode.repository_id)
            if repo is None:
                continue
            note = self._note(repo, episode)
            # Each by itself: while GitHub is down, the other channels still work.
            for tell in (self._tell_issue, self._tell_channels):
                try:
                    await tell(repo, episode, note)
                except HostUnavailable as error:
                    log.warning("alert not told", alert=episode.id, why=str(error))

    async def _tell_issue(self, repo: RepositoryRef, episode: Episode, note: AlertNote) -> None:
        if episode.is_untold:
            await asyncio.to_thread(self._write_issue, repo, episode, note)

    async def _tell_channels(self, _: RepositoryRef, episode: Episode, note: AlertNote) -> None:
        if episode.is_unsent and self._channels is not None:
            await asyncio.to_thread(self._channels.send, title(note), plain_text(note))
            # Recorded afterwards: a message may come twice after a crash, but none is lost.
            await self._records.episode_told(episode, sent=True)

    def _note(self, repo: RepositoryRef, episode: Episode) -> AlertNote:
        return AlertNote(
            id=episode.id,
            repository=repo.full_name,
            lineage=episode.lineage,
            question=episode.question,
            opened=episode.opened_on,
            reading=episode.reading,
            ended=episode.ended_on,
            page=self._page_of(repo.repository_id),
        )

    def _write_issue(self, repo: RepositoryRef, episode: Episode, note: AlertNote) -> None:
        """Raises HostUnavailable. What GitHub refuses for good is recorded, and not tried again."""
        records = self._records.blocking
        host = self._app.host(repo.installation_id, repo.full_name)
        try:
            number = episode.issue or self._issue_number(host, episode, note)
            if number is not None:
                # Recorded at once: the rest may be repeated.
                records.episode_told(episode, issue=number)
                closed_by = _bring_up_to_date(host, number, episode, note)
                records.episode_told(episode, version=episode.version, closed_by=closed_by)
            else:
                records.episode_told(episode, version=episode.version)
        except HostUnavailable:
            raise
        except (PermissionMissing, NotFound) as error:  # GitHub answers 410 where issues are switched off
            log.info("no issue", repository=repo.repository_id, alert=episode.id, why=str(error))
            records.episode_told(episode, refused=True)
        except HostError as error:
            log.error("no issue", repository=repo.repository_id, alert=episode.id, why=str(error))
            records.episode_told(episode, refused=True)

    def _issue_number(self, host: AppHost, episode: Episode, note: AlertNote) -> int | None:
        """Returns the number of the episode's issue; ``None`` if it ended before it had one."""
        since, mark = episode.opened_at - CLOCKS, marker(episode.id)
        if episode.ended_on is not None:
            found = host.find_issue(mark, since)
            return None if found is None else found.number
        return host.open_issue(title(note), issue_text(note), mark, since).number


def _bring_up_to_date(host: AppHost, number: int, episode: Episode, note: AlertNote) -> str:
    """Writes the issue's body, reminders and end. Returns who closed it, if a person did while the alert is open."""
    there = host.issue(number)
    if not there.is_open and (episode.ended_on is None or there.closed_by != host.login):
        # A person has read it. Neither the alert nor its end opens the issue again.
        return there.closed_by or UNKNOWN_PERSON
    if episode.ended_on is not None:
        host.comment(number, ending_text(note), ending_marker(note.id))
    elif episode.told_on > episode.opened_on:
        mark = reminder_marker(note.id, episode.told_on)
        host.comment(number, reminder_text(note, episode.told_on), mark)
    body, is_open = issue_text(note), episode.ended_on is None
    if there.body.strip() != body.strip() or there.is_open != is_open:
        host.write_issue(number, body=body, is_open=None if is_open else False)
    return ""
