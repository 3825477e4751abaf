"""Names the parts of a change that break its cases. Runs after the verdict, within a budget of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from engine.blame.experiment import TrialCells
from engine.blame.places import placed
from engine.blame.planned import BlamePlan
from engine.blame.search import Found, Search, search
from engine.blame.sentences import name_of, named
from engine.blame.trials import Trials
from engine.gate.signflip import single_p
from engine.runner.access import Access
from engine.runner.budget import SpendingCap
from engine.runner.experiment import ExperimentResult, Progress
from engine.runner.run import run
from schemas.blame import Blame, BlameResult, Culprit, Elsewhere, Unit
from schemas.effects import Answer, CaseEffect
from schemas.ports import Clock, OutcomeStore, TemplateRenderer

DEADLINE_S = 180
"""The most seconds of a search."""
LOSES = 0.05
"""Largest p at which the other cases count as lower than in the candidate."""


async def blame(
    found: BlamePlan,
    *,
    renderer: TemplateRenderer,
    access: Access,
    store: OutcomeStore,
    clock: Clock,
    within: SpendingCap | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Blame:
    """Runs a planned search. Raises StoreError."""
    units = placed(found.units, found.change.diff.file if found.change.diff else None, found.change.texts)
    ids = tuple(found.plan.cases[case].id for case in found.broken)
    if len(units) == 1:
        return _only(found, units[0]).model_copy(update={"cases": ids, "warnings": found.warnings})
    state, trials = Found(), Trials(int(found.plan.digest[:8], 16))
    cells = TrialCells(found.units, found.plan, (*found.broken, *found.others), renderer)

    def start() -> Search:
        return search(len(units), len(found.broken), len(found.others), trials, state)

    (result,) = await run(
        [cells.experiment(start)],
        access=access,
        store=store,
        clock=clock,
        # A verdict waits for its explanation, so this has a deadline of its own.
        settings=found.change.run.model_copy(update={"deadline_s": min(found.change.run.deadline_s, DEADLINE_S)}),
        budget_usd=found.cap_usd,
        within=within,
        on_progress=on_progress,
    )
    elsewhere = _elsewhere(found, trials, state)
    ended, sentence = _said(state, result, len(found.broken))
    if state.culprits:
        sentence = named(units, state, elsewhere) + (f" {sentence}" if sentence else "")
    return Blame(
        result=ended,
        sentence=sentence,
        units=units,
        culprits=tuple(state.culprits),
        either=state.either,
        cases=ids,
        elsewhere=elsewhere,
        warnings=found.warnings,
        made=result.spending.made,
        stored=result.spending.stored,
        cost_usd=result.spending.cost_usd + result.spending.judge_cost_usd,
        budget_usd=found.cap_usd,
    )


def _only(found: BlamePlan, unit: Unit) -> Blame:
    """Returns the result for a change of one part, which needs no call."""
    means = [_means(found.card.cases[case]) for case in found.broken]
    before, after = (float(np.mean([mean[arm] for mean in means])) for arm in (0, 1))
    count = len(found.broken)
    culprit = Culprit(units=(0,), back=count, of=count, candidate=after, reverted=before, p=None)
    name = name_of(unit)
    sentence = f"{name[0].upper()}{name[1:]}: nothing else changed that could break cases."
    return Blame(
        result=BlameResult.NAMED, sentence=sentence, units=(unit,), culprits=(culprit,), budget_usd=found.cap_usd
    )


def _said(state: Found, result: ExperimentResult[bool], cases: int) -> tuple[BlameResult, str]:
    """Returns how the search ended, and a sentence if it named nothing or not all."""
    if result.stopped is not None:
        return BlameResult.STOPPED, f"The search for the guilty part stopped: {result.stopped}."
    if state.culprits:
        return BlameResult.NAMED, ""
    if not state.seen:
        count = "The broken case" if cases == 1 else f"The {cases} broken cases"
        return BlameResult.NOT_SEEN, f"{count} did not break clearly in fresh runs, so no part of the change is named."
    return (
        BlameResult.NO_PART,
        "No part of the change is guilty by itself as far as these runs show: none brings the broken cases back.",
    )


def _elsewhere(found: BlamePlan, trials: Trials, state: Found) -> Elsewhere | None:
    """Compares the cases that didn't break: baseline and candidate in all runs so far, and one run without the
    culprits."""
    first, undone = len(found.broken), state.undone
    rows = [
        (*_means(found.card.cases[case]), trials.mean_of(undone, first + place))
        for place, case in enumerate(found.others)
    ]
    known = np.array([row for row in rows if not np.isnan(row).any()])
    if not state.culprits or not len(known):
        return None
    baseline, candidate, reverted = known.mean(axis=0).tolist()
    falls = single_p(known[:, 2] - known[:, 1], [str(place) for place in range(len(known))], found.plan.digest, 9_999)
    keeps = falls > LOSES
    return Elsewhere(cases=len(known), baseline=baseline, candidate=candidate, reverted=reverted, keeps=keeps)


def _means(case: CaseEffect) -> tuple[float, float]:
    return _mean(case.baseline), _mean(case.candidate)


def _mean(answers: Sequence[Answer]) -> float:
    known = [(answer.score, answer.count) for answer in answers if answer.score is not None]
    count = sum(times for _, times in known)
    return sum(score * times for score, times in known) / count if count else float("nan")
