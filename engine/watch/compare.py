"""Compares a run of a watch with the stored answers, through the gate and in both directions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from math import sqrt
from typing import TYPE_CHECKING

from engine.drift.reading import Level, Question, Reading
from engine.drift.sentences import points
from engine.records.replay import replay
from schemas.effects import EffectResult
from schemas.experiments import CellOutcome, ExperimentRecord
from schemas.gate_config import GateConfig, GateMode, SlicePolicy
from schemas.verdicts import VerdictStatus

if TYPE_CHECKING:
    from engine.gate.decision import Decision
    from engine.watch.answers import WatchedAnswers
    from schemas.effects import Effect

LOOKS = 100
"""Comparisons that share the gate's error rate of 3.5%: 50 runs, each in both directions. So a quiet model is reported
falsely in about 1 of 1,400 runs, and ``benchmarks/watch.py`` measures how often in 200 days."""
Z = 3.39 + 0.84
"""Normal quantiles of one comparison's error rate, and of finding a change 4 times of 5."""
NOISE = 0.04
"""Share of cases whose score differs between two runs of one model, where fewer were seen."""
SHOWN = 3
ORDER = (Level.NO_DATA, Level.OK, Level.WARNING, Level.ALERT)


def watch_gate(slices: frozenset[str]) -> GateConfig:
    """Returns the gate of a watch: every case once in each run, and every slice by its mean.

    Nothing is confirmed in fresh runs of both versions, since the old model no longer answers.
    """
    return GateConfig(
        mode=GateMode.FIXED,
        max_cost_increase=None,
        slices=dict.fromkeys(sorted(slices), SlicePolicy.AVERAGE),
    )


def compared(baseline: WatchedAnswers, today: WatchedAnswers, since: date | None = None) -> Reading:
    """Returns the reading of a run. ``since``: the day from which the finding is known; by default today.

    Raises SourceError for a record that can't be read.
    """
    if baseline.requests != today.requests:
        why = "the prompt or its test set changed, so these answers are the new baseline"
        return _reading(Level.NO_DATA, today, why)
    before, now = _common(baseline.record, today.record)
    if not before.cases:
        return _reading(Level.NO_DATA, today, "no case was answered in both runs")
    worse, better = replay(_pair(before, now)), replay(_pair(now, before))
    if VerdictStatus.ERROR in (worse.status, better.status):
        reason = (worse if worse.status is VerdictStatus.ERROR else better).reasons[0].sentence
        return _reading(Level.NO_DATA, today, f"the run can't be compared: {reason.rstrip('.')}")
    told = [*_renamed(baseline, today), *_moved(worse, "fell"), *_moved(better, "rose")]
    smallest = _smallest(before, now)
    days = f"the stored answers of {baseline.day.isoformat()}"
    if told:
        why = f"model {today.record.model}: {'; '.join(told)}. Compared with {days}.{_builds(baseline, today)}"
        return _reading(Level.ALERT, today, why, since=since or today.day, smallest=smallest, decision=worse)
    count = len(before.cases)
    seen = f"With {count} cases, one run can show changes of {points(smallest)} points or more"
    why = f"model {today.record.model} scores as in {days}. {seen}.{_builds(baseline, today)}"
    return _reading(Level.OK, today, why, smallest=smallest, decision=worse)


def first_reading(answers: WatchedAnswers) -> Reading:
    """Returns the reading of a run whose answers later runs are compared with."""
    model = answers.record.model
    why = f"the answers of {answers.day.isoformat()} by {model} are stored; runs of later days are compared with them"
    return Reading(question=Question.WATCH, level=Level.NO_DATA, day=answers.day, why=why)


def unusable(answers: WatchedAnswers) -> Reading | None:
    """Returns why a run can't be a baseline, such as an outage on its day; ``None`` if it can.

    Every later run would fail to be compared with it.
    """
    reading = compared(answers, answers)
    return None if reading.level is Level.OK else reading


def together(readings: Sequence[Reading]) -> Reading:
    """Returns one reading for all models of a prompt: the worst, with the sentences of all that are as bad."""
    worst = max(readings, key=lambda one: ORDER.index(one.level))
    why = " ".join(one.why for one in readings if one.level is worst.level)
    return worst.model_copy(update={"why": why[:2_000]})


def _reading(
    level: Level,
    today: WatchedAnswers,
    why: str,
    *,
    since: date | None = None,
    smallest: float | None = None,
    decision: Decision | None = None,
) -> Reading:
    change = None if decision is None or decision.overall is None else decision.overall.change
    return Reading(
        question=Question.WATCH,
        level=level,
        day=today.day,
        why=why,
        since=since,
        shift=None if change is None else min(abs(change), 1.0),
        sees_from=smallest,
    )


def _common(baseline: ExperimentRecord, today: ExperimentRecord) -> tuple[ExperimentRecord, ExperimentRecord]:
    """Returns both records with the cases that both have, in the same order, and with the watch's gate."""
    index = {case.id: k for k, case in enumerate(baseline.cases)}
    pairs = [(index[case.id], k) for k, case in enumerate(today.cases) if case.id in index]
    plain = {"protected": False, "identical": False, "forbids": False, "added": False}
    cases = tuple(today.cases[k].model_copy(update=plain) for _, k in pairs)
    gate = watch_gate(frozenset(name for case in cases for name in case.slices))
    shared = {"cases": cases, "gate": gate, "lineages": LOOKS, "paired": True, "new": False, "history": None}

    def of(record: ExperimentRecord, order: list[int]) -> ExperimentRecord:
        place = {old: new for new, old in enumerate(order)}
        cells = tuple(
            cell.model_copy(update={"case": place[cell.case]})
            for cell in record.outcomes
            if cell.case in place and cell.arm == 1 and cell.repetition == 0
        )
        return record.model_copy(update={**shared, "outcomes": cells})

    return of(baseline, [old for old, _ in pairs]), of(today, [new for _, new in pairs])


def _pair(before: ExperimentRecord, now: ExperimentRecord) -> ExperimentRecord:
    """Returns the experiment with ``before`` as the baseline and ``now`` as the candidate."""
    every = range(len(now.cases))

    def cells(record: ExperimentRecord, arm: int) -> list[CellOutcome]:
        known = {cell.case: cell for cell in record.outcomes}
        # A case without a cell was not answered.
        return [
            (known.get(k) or CellOutcome(case=k, arm=1, repetition=0, scores=None)).model_copy(update={"arm": arm})
            for k in every
        ]

    return now.model_copy(update={"outcomes": (*cells(before, 0), *cells(now, 1)), "prompts": ("before", "now")})


def _moved(decision: Decision, verb: str) -> list[str]:
    """Returns what the gate blocks, as clauses: ``scores fell by 8.2 points in edge (91.0 → 82.8)``."""
    if decision.status is not VerdictStatus.BLOCKED:
        return []
    effects = [one for one in (decision.overall, *decision.slices, *decision.metrics) if one is not None]
    worse = [one for one in dict.fromkeys(effects) if one.result is EffectResult.WORSE]
    overall = decision.overall.metric if decision.overall else ""
    clauses = [_clause(one, verb, "the score" if one.metric == overall else one.metric) for one in worse[:SHOWN]]
    return clauses or [f"the score {verb}"]


def _clause(effect: Effect, verb: str, name: str) -> str:
    where = f" in {effect.slice}" if effect.slice else ""
    by = "" if effect.change is None else f" by {points(abs(effect.change))} points"
    return f"{name} {verb}{by}{where}"


def _renamed(baseline: WatchedAnswers, today: WatchedAnswers) -> list[str]:
    """Returns a clause if other models answer than before, by the names that the provider reports."""
    if not baseline.models or not today.models or set(today.models) <= set(baseline.models):
        return []
    return [f"the provider reports {' and '.join(today.models)} instead of {' and '.join(baseline.models)}"]


def _builds(baseline: WatchedAnswers, today: WatchedAnswers) -> str:
    """Returns a note if the runs share no build of the model. That alone is not a finding: builds change often."""
    apart = baseline.fingerprints and today.fingerprints and not baseline.fingerprints & today.fingerprints
    return " The two runs share no build (fingerprint)." if apart else ""


def _smallest(before: ExperimentRecord, now: ExperimentRecord) -> float:
    """Returns the smallest change of the mean that one run can show 4 times of 5, from 0 to 1.

    By the normal approximation, with the variance of the differences that were seen.
    """
    old = {cell.case: cell.scores[0] for cell in before.outcomes if cell.scores}
    new = {cell.case: cell.scores[0] for cell in now.outcomes if cell.scores}
    apart = [(b - a) ** 2 for k, a in old.items() if a is not None and (b := new.get(k)) is not None]
    count = len(apart)
    if not count:
        return 1.0
    return min(Z * sqrt(max(sum(apart) / count, NOISE) / count), 1.0)
