"""Reads bodies of requests whose senders are not trusted: size, time, and the size of all together are bounded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

if TYPE_CHECKING:
    from fastapi import Request


class BodyRefused(Exception):  # noqa: N818 - an expected answer, not an error
    """A body that is not read to its end."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


@dataclass
class BodyReader:
    """Reads bodies for one kind of route."""

    largest: int
    """Bytes of one body."""
    together: int
    """Bytes of all bodies that are being read."""
    within_s: float
    """Seconds for a whole body."""
    buffered: int = 0

    async def read(self, request: Request) -> bytes:
        """Returns the whole body. Raises BodyRefused: 400, 408, 413, or 503 while too much comes at once."""
        # Only a hint: it refuses honest senders early. The stream is counted anyway.
        announced = request.headers.get("content-length", "0")
        if announced.isascii() and announced.isdigit() and (len(announced) > 12 or int(announced) > self.largest):
            raise BodyRefused(413, "the body is too large")
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self.within_s):
                async for part in request.stream():
                    size += len(part)
                    self.buffered += len(part)
                    if size > self.largest:
                        raise BodyRefused(413, "the body is too large")
                    if self.buffered > self.together:
                        raise BodyRefused(503, "too much data is being sent at once")
                    parts.append(part)
        except TimeoutError:
            raise BodyRefused(408, "the body came too slowly") from None
        except ClientDisconnect:
            raise BodyRefused(400, "the body is incomplete") from None
        finally:
            self.buffered -= size
        return b"".join(parts)
