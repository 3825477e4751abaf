"""Each operation on the outside world fails once, in each way in which it can.

The tests walk a share of that: one operation for each way. ``make soak`` walks all of it (FAULTS=all).
"""

import os
import threading

ALL = os.environ.get("FAULTS") == "all"


class Nth:
    """Counts operations, from any thread; true for the ``nth``."""

    def __init__(self, nth=0):
        self.nth, self.count = nth, 0
        self._lock = threading.Lock()

    def __call__(self):
        with self._lock:
            self.count += 1
            return self.count == self.nth

    @property
    def came(self):
        return self.count >= self.nth > 0


def moments(count, way, ways):
    """Which of ``count`` operations are to fail in this way: all; in short one, another for each way."""
    if ALL:
        return range(1, count + 1)
    return [1 + list(ways).index(way) * count // len(ways)]


def pairs(places, kinds):
    """Each place with each kind of fault; in short every other of them, like the black squares of a chess board."""
    table = [(row + column, place, kind) for row, place in enumerate(places) for column, kind in enumerate(kinds)]
    return [(place, kind) for square, place, kind in table if ALL or square % 2 == 0]
