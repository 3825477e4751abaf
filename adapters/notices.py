"""Sends messages to chat, mail and other channels with the library ``apprise``. The operator sets the URLs."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.errors import HostUnavailable, UsageError


class Notices:
    """Channels by their URLs (github.com/caronc/apprise), which often hold a secret and are never shown."""

    def __init__(self, urls: Sequence[str]) -> None:
        """Raises UsageError for a URL that apprise doesn't know."""
        import apprise

        self._channels = apprise.Apprise()
        for number, url in enumerate(urls, 1):
            if not self._channels.add(url):
                raise UsageError(
                    f"URL {number} of {len(urls)} in PROMPTVERDICT_ALERT_URLS is not one of apprise's",
                    hint="see github.com/caronc/apprise/wiki for the URL of each service",
                )

    def send(self, title: str, text: str) -> None:
        """Sends a message to every channel. Blocks. Raises HostUnavailable if one did not take it."""
        import apprise

        sent = self._channels.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT)
        if not sent:
            raise HostUnavailable("an alert channel did not accept a message", hint="apprise's log lines above say why")
