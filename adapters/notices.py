"""Messages to chat, mail and other channels, by the library ``apprise``. The operator gives the addresses."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.errors import HostUnavailable, UsageError


class Notices:
    """Channels by their URLs (github.com/caronc/apprise), which often hold a secret and are never shown."""

    def __init__(self, urls: Sequence[str]) -> None:
        """Raises UsageError for an address that no channel has."""
        import apprise

        self._channels = apprise.Apprise()
        for number, url in enumerate(urls, 1):
            if not self._channels.add(url):
                raise UsageError(
                    f"address {number} of {len(urls)} for alerts is not one of a channel",
                    hint="see github.com/caronc/apprise/wiki for the addresses of each service",
                )

    def send(self, title: str, text: str) -> None:
        """Sends a message to every channel. Blocks. Raises HostUnavailable if one did not take it."""
        import apprise

        sent = self._channels.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT)
        if not sent:
            raise HostUnavailable("a channel for alerts did not take a message", hint="look at apprise's lines above")
