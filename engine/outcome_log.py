"""The outcomes of an experiment, in little memory however many there are."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import overload

import numpy as np
from pydantic import TypeAdapter

from schemas.outcomes import Arm, Outcome

BLOCK = 2048
PLAIN = 3
"""Blocks that are kept as they are: a run of usual size is never packed."""
OUTCOMES = TypeAdapter(list[Outcome])


class OutcomeLog(Sequence[Outcome]):
    """Appended in any order, read by case, arm and repetition. An outcome takes 3 KB as an object, 60 bytes packed."""

    def __init__(self) -> None:
        self._open: list[Outcome] = []
        self._blocks: list[list[Outcome] | bytes] = []
        self._keys = (array("q"), array("q"), array("q"))
        self._order: list[int] | None = None
        self._unpacked = lru_cache(maxsize=PLAIN)(self._unpack)

    def append(self, outcome: Outcome) -> None:
        """Adds one."""
        cell = outcome.cell
        for keys, key in zip(self._keys, (cell.case, cell.arm is Arm.CANDIDATE, cell.repetition), strict=True):
            keys.append(key)
        self._order = None
        self._open.append(outcome)
        if len(self._open) == BLOCK:
            self._blocks.append(self._open)
            self._open = []
            if len(self._blocks) > PLAIN:
                self._pack(len(self._blocks) - PLAIN - 1)

    def __len__(self) -> int:
        return len(self._keys[0])

    @overload
    def __getitem__(self, at: int) -> Outcome: ...
    @overload
    def __getitem__(self, at: slice) -> list[Outcome]: ...
    def __getitem__(self, at: int | slice) -> Outcome | list[Outcome]:
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        if self._order is None:
            case, arm, repetition = (np.frombuffer(keys, dtype=np.int64) for keys in self._keys)
            self._order = np.lexsort((repetition, arm, case)).tolist()
        block, place = divmod(self._order[at], BLOCK)
        return self._unpacked(block)[place] if block < len(self._blocks) else self._open[place]

    def __iter__(self) -> Iterator[Outcome]:
        return (self[at] for at in range(len(self)))

    def _pack(self, block: int) -> None:
        plain = self._blocks[block]
        if not isinstance(plain, bytes):
            self._blocks[block] = zlib.compress(OUTCOMES.dump_json(plain), 1)

    def _unpack(self, block: int) -> list[Outcome]:
        found = self._blocks[block]
        return OUTCOMES.validate_json(zlib.decompress(found)) if isinstance(found, bytes) else found
