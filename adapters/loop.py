"""The event loop of a whole run."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Runs ``work`` to its end: on uvloop, which takes a fifth of the CPU off each call, where there is one."""
    result: list[T] = []

    async def kept() -> None:
        result.append(await work)  # not the task's: at its end asyncio has the task written out, result and all

    try:
        import uvloop
    except ImportError:
        asyncio.run(kept())
    else:
        uvloop.run(kept())
    return result[0]
