"""The outcomes of an experiment, packed when there are many."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import overload

import numpy as np

from engine.gate.cells import Ints
from schemas.outcomes import Arm, Outcome

PLAIN = 2_048
"""Outcomes of a run beyond this number are packed. Runs of ordinary size stay below it."""

WINDOW, MEMORY = 13, 5
"""Parameters of zlib. Outcomes are small, so a small window and little memory per outcome suffice."""


class PlainRoom:
    """The outcomes that the experiments of a run may together keep as objects."""

    def __init__(self, left: int = PLAIN) -> None:
        self._left = left

    def take(self) -> bool:
        """Takes the room of one outcome. Returns False if none is left."""
        self._left -= 1
        return self._left >= 0


class OutcomeLog(Sequence[Outcome]):
    """A log of outcomes, appended in any order and read by case, arm and repetition.

    An outcome takes 3 KB as an object and 0.1 KB packed. Each is packed by itself, because the gate asks in hash order
    and readers go in case order. A shared dictionary keeps it small: 39 bytes for an outcome of a classification (316
    without), in a third of the time, and 577 for a text of 300 words (909 without).
    """

    def __init__(self, room: PlainRoom) -> None:
        self._room = room
        self._items: list[Outcome | bytes] = []
        self._keys = (array("q"), array("q"), array("q"))
        self._order: Ints | None = None
        self._likeness = b""
        """The zlib dictionary: the first outcome that was packed."""

    def append(self, outcome: Outcome) -> None:
        """Adds an outcome."""
        cell = outcome.cell
        for keys, key in zip(self._keys, (cell.case, cell.arm is Arm.CANDIDATE, cell.repetition), strict=True):
            keys.append(key)
        # Sorting is deferred to the first read: during a run, only the gate's own order matters.
        self._order = None
        # The first ones stay unpacked: a run of ordinary size then spends no CPU on packing.
        self._items.append(outcome if self._room.take() else self._pack(outcome))

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, at: int) -> Outcome: ...
    @overload
    def __getitem__(self, at: slice) -> list[Outcome]: ...
    def __getitem__(self, at: int | slice) -> Outcome | list[Outcome]:
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        if self._order is None:
            case, arm, repetition = (np.frombuffer(keys, dtype=np.int64) for keys in self._keys)
            self._order = np.lexsort((repetition, arm, case))
        found = self._items[self._order[at]]
        return self._unpack(found) if isinstance(found, bytes) else found

    def _pack(self, outcome: Outcome) -> bytes:
        text = outcome.model_dump_json().encode()
        # Any outcome of the experiment is a good dictionary: all have the same keys, metrics and models.
        self._likeness = self._likeness or text
        packer = zlib.compressobj(1, zlib.DEFLATED, WINDOW, MEMORY, zdict=self._likeness)
        return packer.compress(text) + packer.flush()

    def _unpack(self, packed: bytes) -> Outcome:
        return Outcome.model_validate_json(zlib.decompressobj(WINDOW, zdict=self._likeness).decompress(packed))

    def __iter__(self) -> Iterator[Outcome]:
        return (self[at] for at in range(len(self)))


def by_case(outcomes: Iterable[Outcome], cases: int) -> Iterator[list[Outcome]]:
    """Yields the outcomes of each case, none if it did not run. ``outcomes`` are ordered by case."""
    at = 0
    for case, of_case in groupby(outcomes, lambda outcome: outcome.cell.case):
        for _ in range(at, case):
            yield []
        yield list(of_case)
        at = case + 1
    for _ in range(at, cases):
        yield []


def opened(outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Returns the outcomes of one experiment for many reads: as objects if they are few, else as they are."""
    return tuple(outcomes) if len(outcomes) <= PLAIN else outcomes
