"""The search for the units that break cases, as a generator: it yields trials, receives scores and returns culprits.

A set of units is named only by runs that didn't choose it. Every unit of it is tested by itself: the set must score
higher with the unit reverted than without. So a unit that changes nothing is named with a chance of at most the test's
level, and of ``sum(LEVELS)`` in a whole search.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from math import ceil, log2

from engine.blame.minimal import EVERY_SUBSET, REST, RESTORED, minimal_sets
from engine.blame.trials import Scores, Trial, Trials, Undone
from schemas.blame import Culprit

LEVELS = (0.008, 0.006, 0.004, 0.002)
"""The largest p of each test of a search, in order. Together 0.02: the largest chance that a search names a unit that
changes nothing in the broken cases."""
IDLE = 0.2
"""The smallest p at which a unit of a set counts as idle, so that the set is tested again without it."""
SEEN = 0.05
"""The largest p at which the break counts as seen again."""
FIRST_CELLS = 16
"""Runs over all cases, at least, in which the break has to show again."""
CELLS = (8, 24)
"""The fewest and the most runs of a set over all cases while sets are compared."""
DEEPEST = 12
"""The most runs of one case with one set."""
FRESH_CELLS = (32, 48)
FRESH_DEEPEST = 16
"""The same in a test."""
ROUNDS = 3
"""How often the search starts again with the cases that are not explained yet."""


@dataclass(frozen=True)
class Effort:
    """How often cases have to be run, given how clearly they break."""

    noise: float
    """0: all runs of a case agree and the arms differ completely. 1: as unclear as is worth a search."""

    def runs(self, cases: int, units: int) -> int:
        """Returns how often a case is run with each set."""
        cells = CELLS[0] + self.noise * (CELLS[1] - CELLS[0])
        # If every subset is run, half of them speak for each unit, so that one of them needs fewer runs.
        if units <= EVERY_SUBSET:
            cells *= max(0.75, 4 / 2 ** (units - 1))
        return _runs(cells, cases)

    def fresh_runs(self, cases: int) -> int:
        """Returns how often a case is run with each set in a test."""
        cells = FRESH_CELLS[0] + self.noise * (FRESH_CELLS[1] - FRESH_CELLS[0])
        return max(3, _runs(cells, cases, FRESH_DEEPEST))


CLEAR = Effort(0.0)


def _runs(cells: float, cases: int, deepest: int = DEEPEST) -> int:
    return min(deepest, max(1, ceil(cells / cases)))


def _effort(trials: Trials, everything: Undone, cases: Sequence[int]) -> Effort:
    """Returns the effort by what the first runs showed."""
    low, high = trials.mean(frozenset(), cases), trials.mean(everything, cases)
    # A set that is enough must be told from the threshold: its standard error has to be half of the distance.
    spread = (min(high, FULL) * (1 - min(high, FULL))) / ((1 - RESTORED) * max(high - low, 0.01)) ** 2
    wanted = 4 * spread
    return Effort(min(1.0, max(0.0, (wanted - CELLS[0]) / (CELLS[1] - CELLS[0]))))


FULL = 0.97
"""A mean above counts as this: no case is known to pass always."""


def calls_of(units: int, cases: int, others: int) -> int:
    """Returns about how many calls a search makes that names one unit of a clear break."""
    sets = 2**units - 2 if units <= EVERY_SUBSET else 2 * ceil(log2(units))
    first = 2 * max(_runs(FIRST_CELLS, cases), 2)
    return cases * (first + sets * CLEAR.runs(cases, units) + 2 * CLEAR.fresh_runs(cases)) + others


@dataclass
class Found:
    """What a search has found so far. It stays readable if the search is cut off."""

    seen: bool = False
    """Whether the break showed again."""
    finished: bool = False
    culprits: list[Culprit] = field(default_factory=list)
    either: bool = False
    """Whether each culprit is enough: they break the cases only together."""

    @property
    def undone(self) -> Undone:
        """The units to revert: of all culprits, or of the first if each is enough."""
        return frozenset(unit for culprit in self.culprits[: 1 if self.either else None] for unit in culprit.units)


Search = Generator[list[Trial], list[Scores], None]


def search(units: int, cases: int, others: int, trials: Trials, found: Found) -> Search:
    """Searches for culprits among ``units`` in ``cases`` broken cases. ``found`` receives them.

    Then runs ``others``, the cases after the broken ones, once with the culprits reverted.
    """
    nothing, everything = frozenset[int](), frozenset(range(units))
    pending = list(range(cases))
    yield from trials.ask([nothing, everything], pending, max(_runs(FIRST_CELLS, cases), 2), "break")
    found.seen = trials.p(everything, nothing, pending, fresh=False) <= SEEN
    if found.seen:
        effort = _effort(trials, everything, pending)
        tests = _Tests(trials, found, everything, effort)
        for number in range(ROUNDS):
            # What the first culprit leaves over has mostly one cause, so a part of it is enough to point there.
            share = REST if number else RESTORED
            sets = yield from minimal_sets(trials, units, pending, effort.runs(len(pending), units), share)
            pending = yield from tests.of_one_round(sets, pending)
            if not pending:
                break
    if found.culprits:
        yield from trials.ask([found.undone], range(cases, cases + others), 1, "elsewhere")
    found.finished = True


class _Tests:
    """The tests of a search, whose number is bounded."""

    def __init__(self, trials: Trials, found: Found, everything: Undone, effort: Effort) -> None:
        self._trials = trials
        self._found = found
        self._everything = everything
        self._effort = effort
        self._levels = list(LEVELS)

    def of_one_round(
        self, sets: Sequence[Undone], pending: Sequence[int]
    ) -> Generator[list[Trial], list[Scores], list[int]]:
        """Tests the sets of one round. Returns the cases to explain in another one."""
        first = yield from self._test(sets[:1], pending)
        if first is None:
            return []
        left = [case for case in pending if not self._is_back(first, case)]
        # A second set that is enough for the same cases: the two break them only together.
        others = [each for each in sets[1:] if len(self._found.culprits) == 1 and not each & first]
        second = yield from self._test(others[:1], pending)
        if second is None:
            return left
        self._found.either = True
        return []

    def _test(
        self, sets: Sequence[Undone], cases: Sequence[int]
    ) -> Generator[list[Trial], list[Scores], Undone | None]:
        """Tests a set, or a smaller one if a unit of it changes nothing. Returns what passed as a new culprit."""
        chosen: Undone = sets[0] if sets else frozenset()
        while chosen and self._levels:
            level = self._levels.pop(0)
            self._trials.start_test()
            nothing, fewer = frozenset[int](), {unit: chosen - {unit} for unit in sorted(chosen)}
            wanted = [chosen, nothing, *fewer.values(), *_singles(chosen)]
            yield from self._trials.ask_fresh(wanted, cases, self._effort.fresh_runs(len(cases)), "confirmation")
            ps = {unit: self._trials.p(chosen, other, cases, fresh=True) for unit, other in fewer.items()}
            if max(ps.values()) <= level:
                known = any(set(culprit.units) == chosen for culprit in self._found.culprits)
                if not known:
                    self._found.culprits.append(self._culprit(chosen, cases, max(ps.values())))
                return None if known else chosen
            # The others may be enough, but only new runs can tell.
            chosen -= {unit for unit, p in ps.items() if p > IDLE} or {max(ps, key=lambda unit: ps[unit])}
        return None

    def _culprit(self, chosen: Undone, cases: Sequence[int], p: float) -> Culprit:
        return Culprit(
            units=tuple(sorted(chosen)),
            back=sum(self._is_back(chosen, case) for case in cases),
            of=len(cases),
            alone=tuple(sum(self._is_back(single, case) for case in cases) for single in _singles(chosen)),
            candidate=self._trials.mean(frozenset(), cases, fresh=True),
            reverted=self._trials.mean(chosen, cases, fresh=True),
            p=p,
        )

    def _is_back(self, undone: Undone, case: int) -> bool:
        """Returns whether a case scores at least halfway from the candidate to the baseline in the latest test."""
        low, now = (self._trials.mean_of(each, case, fresh=True) for each in (frozenset[int](), undone))
        high = self._trials.mean_of(self._everything, case)
        return low < now and (low + high) / 2 <= now


def _singles(chosen: Undone) -> list[Undone]:
    """Returns each unit of a larger set by itself."""
    return [frozenset({unit}) for unit in sorted(chosen)] if len(chosen) > 1 else []
