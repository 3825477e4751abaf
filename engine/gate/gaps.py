"""Missing cells: they never make the decision on a comparison less strict.

Observations decide what runs next, so a gap can change the course of a comparison. It may cause runs that make a break
look unsteady, or end the run before a break is seen. Counting every gap as the worst score is therefore not enough.

The comparison is first decided with each gap counted against the candidate. Then it is replayed with other scores in
the gaps, and the strictest decision wins. If the missing scores lie on the scale of the seen ones (passes and failures,
a judge's grades), trying all ways to fill the gaps includes the complete comparison. The verdict is then a bound by
construction. With too many ways, the nearest ones are tried.

Without missing cells, nothing is replayed.
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
"""The most different scores that count as a scale, as many as a judge's averaged grades have. With more, eighths
replace them."""
WAYS = 128
"""The most ways to fill the gaps that are tried."""
EFFORT = 100_000
"""Bound on ways times cells, so that large comparisons take seconds. The two extremes are always tried."""

FIELDS = tuple(field.name for field in dataclasses.fields(Observations))

Answers = Generator[Batch, Observations, Observations]
Filling = tuple[float, ...]
"""Scores of the gaps, in the order in which they are met. The last one fills all that follow."""


def with_gaps(design: Design, begin: Callable[[Ledger | None], Conversation]) -> Conversation:
    """Runs a comparison and decides it, whatever its missing cells may hide.

    ``begin`` starts the comparison anew on each call. Its argument is the ledger to show, or ``None`` for the
    comparison's own. No cell is asked for twice. Cells beyond those of the comparison itself are asked for only if a
    gap changed its course.
    """
    heard = _Heard(design)
    decision = yield from _led(begin(None), heard.ask)
    # A block or an error stays what it is: no filling of the gaps could make it stricter.
    if not heard.missing() or decision.status in DECIDED:
        return decision
    # The first two fillings are all 0 and all 1, so both extremes are tried even for the largest comparison.
    strictest, way, scale = decision, None, heard.scale()
    ways: deque[Filling] = deque((score,) for score in scale)
    # Breadth first: fillings that differ in one gap come before those that differ in two.
    for _ in range(max(min(WAYS, EFFORT // heard.cells), 2)):
        filled = _Filled(heard, ways.popleft())
        other = yield from _led(begin(None), filled.answers)
        # Severity is ordered worst first, so a smaller index is stricter.
        if SEVERITY.index(other.status) < SEVERITY.index(strictest.status):
            strictest, way = other, filled.filling
        ways.extend(filled.others(scale))
        if not ways or strictest.status in DECIDED:
            break
    # Shown figures use all answers, also those that only a replay asked for. The deciding state uses its own.
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
    """Returns ``decision`` with the reasons against the candidate from a stricter one."""
    if other.status in DECIDED:  # unseen answers never block
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
    # A reason and the interval shown beside it must come from the same decision.
    effects = {(effect.slice, effect.metric): effect for effect in _effects(other)}

    def bounds_of(effect: Effect) -> Effect:
        """Returns the effect, with the bounds of the decision that gives a reason about it."""
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
    """All cells that were asked for, with their answers."""

    def __init__(self, design: Design) -> None:
        self._columns = list(design.columns)
        self._design = design
        self._cells: Ints = np.zeros(0, dtype=np.int64)
        self._asked: list[Batch] = []
        self._given: list[Observations] = []

    @property
    def cells(self) -> int:
        """The number of cells."""
        return len(self._cells)

    def ask(self, asked: Batch) -> Answers:
        """Asks for new cells and records their answers."""
        given = yield asked
        self._cells = np.concatenate([self._cells, _numbers(asked)])
        self._asked.append(asked)
        self._given.append(given)
        return given

    def ledger(self) -> Ledger:
        """Returns all answers as one ledger."""
        ledger = Ledger(self._design)
        for asked, given in zip(self._asked, self._given, strict=True):
            # The repetition tells fresh runs from planned ones: a design reserves its own range for them.
            fresh = bool((asked.repetitions >= self._design.fresh_from).any())
            (ledger.record_fresh if fresh else ledger.record)(asked, given)
        return ledger

    def recall(self, asked: Batch) -> Answers:
        """Returns copies of the known answers, and asks for the other cells."""
        wanted = _numbers(asked)
        new = ~np.isin(wanted, self._cells)
        # Cells that only a replay asks for are called now, and every later replay finds them here.
        if new.any():
            yield from self.ask(Batch(asked.cases[new], asked.arms[new], asked.repetitions[new], asked.purpose))
        order = np.argsort(self._cells)
        rows = order[np.searchsorted(self._cells, wanted, sorter=order)]
        return Observations(*(np.concatenate([getattr(g, name) for g in self._given])[rows] for name in FIELDS))

    def missing(self) -> int:
        """Returns how many cells gave no usable answer."""
        return sum(int(self.unusable(given).sum()) for given in self._given)

    def scale(self) -> Filling:
        """Returns the scores that a missing cell may have had: 0, 1, and those of other cells."""
        scores = np.concatenate([given.scores[:, self._columns].ravel() for given in self._given])
        # A judge's grades are discrete, so a missing one would have been one of these values.
        between = np.unique(scores[(scores > 0) & (scores < 1)]).tolist()
        return (0.0, 1.0, *(between if len(between) <= STEPS - 2 else np.linspace(0, 1, STEPS)[1:-1].tolist()))

    def unusable(self, given: Observations) -> Bools:
        """Returns which cells lack an answer or a gating score."""
        # NaN compares as false, so a score that was not computed counts as unusable.
        return np.asarray(given.missing | ~_in_range(given.scores[:, self._columns]).all(axis=1))


class _Filled:
    """The known answers, with scores in place of missing ones."""

    def __init__(self, heard: _Heard, filling: Filling) -> None:
        self._heard = heard
        self.filling = filling
        self._met: Filling = ()

    def answers(self, asked: Batch) -> Answers:
        """Returns answers in which every gating score is present. Cost and latency of a missing call stay unknown."""
        given = yield from self._heard.recall(asked)
        for row in np.flatnonzero(self._heard.unusable(given)).tolist():
            score = self.filling[: len(self._met) + 1][-1]
            # A cell may lack only one of several metrics. The others keep their real scores.
            usable = _in_range(given.scores[row]) & ~given.missing[row]
            given.scores[row] = np.where(usable, given.scores[row], score)
            given.forbidden[row] |= score == 0  # matters only for cases that forbid something
            self._met += (score,)
        return given

    def others(self, scale: Filling) -> Iterator[Filling]:
        """Yields the fillings that first differ from this one in a gap beyond its own scores.

        Applied to their results in turn, this yields every filling once.
        """
        for k in range(len(self.filling), len(self._met)):
            yield from ((*self._met[:k], score) for score in scale if score != self._met[k])


def _numbers(batch: Batch) -> Ints:
    """Returns a unique number for each cell. Repetitions are below 2^31."""
    return (batch.cases * 2 + batch.arms) << 31 | batch.repetitions


def _in_range(scores: Floats) -> Bools:
    return np.asarray((scores >= 0) & (scores <= 1))
