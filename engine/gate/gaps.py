"""Missing cells: a comparison with gaps is decided no milder than it would have been without them.

What was seen decides what is run next, so that a gap can change the whole state: it may buy runs over which a break
looks unsteady, or end the run before one is seen. To count every gap as the worst is therefore not enough. The
comparison is decided with its gaps first, each counted against the candidate, and then again for what they may have
been; the strictest of these decisions stands. The whole comparison is one of them where the missing scores lie on the
scale of those that were seen (passes and failures, a judge's grades) and there are few enough ways to fill the gaps:
then its verdict is a bound by construction. Else the nearest ways stand for it.

Where nothing is missing, nothing of this happens.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Generator, Iterator

import numpy as np

from engine.gate import reason_text
from engine.gate.cells import Batch, Bools, Floats, Ints, Observations
from engine.gate.decision import Conversation, Decision, step
from engine.gate.design import Design
from engine.gate.ledger import Ledger
from engine.gate.verdict import DECIDED, SEVERITY
from schemas.effects import Effect
from schemas.verdicts import Reason, ReasonCode, VerdictStatus

STEPS = 9
"""More different scores than a judge's averaged grades have are no scale: eighths stand for them."""
WAYS = 128
"""So many ways to fill the gaps are tried at most …"""
EFFORT = 100_000
"""… and fewer where there are many cells, so that it takes seconds: ways times cells. The two extremes always."""

FIELDS = tuple(field.name for field in dataclasses.fields(Observations))

Answers = Generator[Batch, Observations, Observations]
Filling = tuple[float, ...]
"""Scores of the gaps, in the order in which they are met; the last one for all that follow."""


def with_gaps(design: Design, begin: Callable[[Ledger | None], Conversation]) -> Conversation:
    """Leads a comparison, which ``begin`` starts anew as often as it is called, and decides it. ``begin`` is given what
    is shown, if that is more than what the comparison itself heard.

    No cell is asked for twice, and more than the comparison itself asks for only where a gap changed its state.
    """
    heard = _Heard(design)
    decision = yield from _led(begin(None), heard.ask)
    if not heard.missing() or decision.status in DECIDED:
        return decision
    strictest, way, scale = decision, None, heard.scale()
    ways: deque[Filling] = deque((score,) for score in scale)
    for _ in range(max(min(WAYS, EFFORT // heard.cells), 2)):
        filled = _Filled(heard, ways.popleft())
        other = yield from _led(begin(None), filled.answers)
        if SEVERITY.index(other.status) < SEVERITY.index(strictest.status):
            strictest, way = other, filled.filling
        ways.extend(filled.others(scale))
        if not ways or strictest.status in DECIDED:
            break
    observed = heard.ledger()
    decision = yield from _led(begin(observed), heard.recall)
    if way is not None:
        strictest = yield from _led(begin(observed), _Filled(heard, way).answers)
        decision = _stricter(decision, strictest, heard.missing())
    return dataclasses.replace(decision, cells=heard.cells)


def _led(conversation: Conversation, answers: Callable[[Batch], Answers]) -> Conversation:
    """Drives a protocol to its end with answers that may have to be asked for in turn."""
    asked = step(conversation, None)
    while not isinstance(asked, Decision):
        asked = step(conversation, (yield from answers(asked)))
    return asked


def _stricter(decision: Decision, other: Decision, missing: int) -> Decision:
    """``decision``, and what speaks against the candidate in a stricter one."""
    if other.status in DECIDED:  # a pull request is never blocked for answers that were not seen
        status, sentence = VerdictStatus.ERROR, reason_text.missing_choice(missing)
        doubt = Reason(code=ReasonCode.MISSING_CELLS, status=status, sentence=sentence, look=decision.confidence.looks)
        return dataclasses.replace(decision, status=status, reasons=(doubt,))
    found = [reason for reason in other.reasons if reason.status is other.status]
    judged = {(reason.slice, reason.metric) for reason in found if reason.metric is not None}
    kept = [
        reason
        for reason in decision.reasons
        if reason.status is not VerdictStatus.APPROVED and (reason.slice, reason.metric) not in judged
    ]
    effects = {(effect.slice, effect.metric): effect for effect in _effects(other)}

    def bounds_of(effect: Effect) -> Effect:
        """Returns the effect with the bounds of the decision whose reason speaks of it."""
        key = (effect.slice, effect.metric)
        return effects[key] if key in judged else effect

    return dataclasses.replace(
        decision,
        status=other.status,
        reasons=(*found, *kept),
        overall=decision.overall and bounds_of(decision.overall),
        slices=tuple(map(bounds_of, decision.slices)),
        metrics=tuple(map(bounds_of, decision.metrics)),
    )


def _effects(decision: Decision) -> Iterator[Effect]:
    if decision.overall is not None:
        yield decision.overall
    yield from (*decision.slices, *decision.metrics)


class _Heard:
    """Every cell that was asked for, and its answer."""

    def __init__(self, design: Design) -> None:
        self._columns = list(design.columns)
        self._design = design
        self._cells: Ints = np.zeros(0, dtype=np.int64)
        self._asked: list[Batch] = []
        self._given: list[Observations] = []

    @property
    def cells(self) -> int:
        """How many there are."""
        return len(self._cells)

    def ask(self, asked: Batch) -> Answers:
        """Asks for cells that were not asked for before."""
        given = yield asked
        self._cells = np.concatenate([self._cells, _numbers(asked)])
        self._asked.append(asked)
        self._given.append(given)
        return given

    def ledger(self) -> Ledger:
        """Returns all of it as one ledger."""
        ledger = Ledger(self._design)
        for asked, given in zip(self._asked, self._given, strict=True):
            fresh = bool((asked.repetitions >= self._design.fresh_from).any())
            (ledger.record_fresh if fresh else ledger.record)(asked, given)
        return ledger

    def recall(self, asked: Batch) -> Answers:
        """Copies of what is known of these cells; the others are asked for."""
        wanted = _numbers(asked)
        new = ~np.isin(wanted, self._cells)
        if new.any():
            yield from self.ask(Batch(asked.cases[new], asked.arms[new], asked.repetitions[new], asked.purpose))
        order = np.argsort(self._cells)
        rows = order[np.searchsorted(self._cells, wanted, sorter=order)]
        return Observations(*(np.concatenate([getattr(g, name) for g in self._given])[rows] for name in FIELDS))

    def missing(self) -> int:
        """Returns how many cells gave no usable answer."""
        return sum(int(self.unusable(given).sum()) for given in self._given)

    def scale(self) -> Filling:
        """Returns what a missing cell may have scored: 0, 1, and what others did."""
        scores = np.concatenate([given.scores[:, self._columns].ravel() for given in self._given])
        between = np.unique(scores[(scores > 0) & (scores < 1)]).tolist()
        return (0.0, 1.0, *(between if len(between) <= STEPS - 2 else np.linspace(0, 1, STEPS)[1:-1].tolist()))

    def unusable(self, given: Observations) -> Bools:
        """Cells without an answer, or without a score that gates."""
        return np.asarray(given.missing | ~_in_range(given.scores[:, self._columns]).all(axis=1))


class _Filled:
    """The answers as they are known, and scores in place of those that are missing."""

    def __init__(self, heard: _Heard, filling: Filling) -> None:
        self._heard = heard
        self.filling = filling
        self._met: Filling = ()

    def answers(self, asked: Batch) -> Answers:
        """Answers in which every score that gates is one. What a call cost and took stays unknown."""
        given = yield from self._heard.recall(asked)
        for row in np.flatnonzero(self._heard.unusable(given)).tolist():
            score = self.filling[: len(self._met) + 1][-1]
            usable = _in_range(given.scores[row]) & ~given.missing[row]
            given.scores[row] = np.where(usable, given.scores[row], score)
            given.forbidden[row] |= score == 0  # asked only of cases that forbid something
            self._met += (score,)
        return given

    def others(self, scale: Filling) -> Iterator[Filling]:
        """Yields the fillings that first differ from this one in a gap that it had no score of its own for. With
        theirs in turn, every filling is met once."""
        for k in range(len(self.filling), len(self._met)):
            yield from ((*self._met[:k], score) for score in scale if score != self._met[k])


def _numbers(batch: Batch) -> Ints:
    """Returns one number for each cell: repetitions lie below 2^31."""
    return (batch.cases * 2 + batch.arms) << 31 | batch.repetitions


def _in_range(scores: Floats) -> Bools:
    return np.asarray((scores >= 0) & (scores <= 1))
