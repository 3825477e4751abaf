"""A provider that makes no call: what runs on it is made of stored answers alone."""

from __future__ import annotations

from engine.runner.access import Access
from schemas.outcomes import CompletionError, ErrorKind
from schemas.ports import Clock
from schemas.prompts import Request


class NoCalls:
    """``ModelProvider`` whose every answer is that there is none. It costs nothing."""

    async def complete(self, request: Request, *, repetition: int, timeout_s: float) -> CompletionError:  # noqa: ARG002
        """Returns the error."""
        return CompletionError(kind=ErrorKind.BAD_REQUEST, message="no answer is stored")

    async def aclose(self) -> None:
        """Does nothing."""


def stored_only(clock: Clock) -> Access:
    """Returns access to no provider."""
    return Access(lambda _: NoCalls(), clock)
