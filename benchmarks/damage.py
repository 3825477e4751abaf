"""Ways to damage a file."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path


def _rewrite(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.chmod(0o644)
        path.write_bytes(change(path.read_bytes()))

    return damage


def _flipped(data: bytes) -> bytes:
    """Flips one bit in every 64 bytes."""
    dice, changed = random.Random(len(data)), bytearray(data)
    for start in range(0, len(data), 64):
        at = min(start + dice.randrange(64), len(data) - 1)
        changed[at] ^= 1 << dice.randrange(8)
    return bytes(changed)


WAYS: dict[str, Callable[[Path], None]] = {
    "empty": _rewrite(lambda _: b""),
    "half": _rewrite(lambda data: data[: len(data) // 2]),
    "flipped": _rewrite(_flipped),
    "garbage": _rewrite(lambda data: os.urandom(max(len(data), 16))),
    "gone": lambda path: path.unlink(),
}
