"""Awaitable facades over objects whose methods block, so that no caller has to remember a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial, wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

B = TypeVar("B")
B_co = TypeVar("B_co", covariant=True)
P = ParamSpec("P")
T = TypeVar("T")


class Threaded(Generic[B_co]):
    """The base of a facade. Each of its methods is declared with ``in_thread``."""

    def __init__(self, blocking: B_co) -> None:
        self.blocking = blocking
        """The object itself, for code that already runs in a thread."""


def in_thread(method: Callable[Concatenate[B, P], T]) -> Callable[Concatenate[Threaded[B], P], Coroutine[Any, Any, T]]:
    """Returns ``method`` as a coroutine function that runs in a thread. It keeps the signature for mypy."""
    name = method.__name__

    @wraps(method)
    async def call(self: Threaded[B], /, *args: P.args, **kwargs: P.kwargs) -> T:
        # Looked up on the object, so that a subclass or a stand-in may replace the method.
        return await asyncio.to_thread(partial(getattr(self.blocking, name), *args, **kwargs))

    return call
