"""The trials of a search as an experiment of the runner: it asks for cells as the gate does."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import numpy as np

from engine.blame.search import Search
from engine.blame.trials import Scores, Trial, Undone
from engine.blame.units import ChangeUnits
from engine.gate.cells import Batch, Observations
from engine.planning.plan import Plan, request_of
from engine.planning.rendering import job_of, render
from engine.runner.experiment import ArmPlan, Experiment
from schemas.outcomes import Arm
from schemas.ports import RenderFailure, TemplateRenderer
from schemas.prompts import Request
from schemas.testsets import TestCase

FIRST = 2**33
"""Below are the repetitions of the gate and of its probes."""
OF_A_SEARCH = 100_000
"""Repetitions that are reserved for each search."""
OF_A_CASE = 500
"""Repetitions that are reserved for each case, so that cases with the same request get answers of their own."""


class TrialCells:
    """Numbers the pairs of a variant of the prompt and a case, which the runner takes for its cases.

    A variant that reverts the model runs as the runner's baseline, every other one as its candidate.
    """

    def __init__(self, units: ChangeUnits, plan: Plan, cases: Sequence[int], renderer: TemplateRenderer) -> None:
        self._units = units
        self._plan = plan
        self._chosen = [plan.cases[case] for case in cases]
        self._renderer = renderer
        self._numbers: dict[tuple[Undone, int], int] = {}
        self.cases: list[TestCase] = []
        self.requests: list[Request | None] = []

    def protocol(self, search: Search) -> Generator[Batch, Observations, bool]:
        """Leads a search through the runner. Returns True at its end."""
        try:
            asked = next(search)
            while True:
                self._add(asked)
                batch = self._batch(asked)
                asked = search.send(self._scores(asked, (yield batch)))
        except StopIteration:
            return True

    def _add(self, asked: Sequence[Trial]) -> None:
        """Renders the requests of pairs that are new."""
        pairs = [(trial.undone, case) for trial in asked for case in trial.cases]
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self._numbers]
        sources = {undone: self._units.without(undone) for undone, _ in new}
        jobs = [job_of(sources[undone].prompt, self._chosen[case]) for undone, case in new]
        for (undone, case), messages in zip(new, render(self._renderer, jobs), strict=True):
            self._numbers[undone, case] = len(self.cases)
            self.cases.append(self._chosen[case])
            self.requests.append(None if isinstance(messages, RenderFailure) else request_of(sources[undone], messages))

    def _batch(self, asked: Sequence[Trial]) -> Batch:
        first = FIRST + OF_A_SEARCH * (int(self._plan.digest[:8], 16) % 100_000)
        rows = self._rows(asked)
        return Batch(
            cases=np.array([number for _, number, _, _ in rows], dtype=np.int64),
            arms=np.array(
                [0 if self._units.swaps_model(asked[at].undone) else 1 for _, _, at, _ in rows], dtype=np.int8
            ),
            repetitions=np.array([first + OF_A_CASE * case + run for run, _, _, case in rows], dtype=np.int64),
            purpose=asked[0].purpose,
        )

    def _scores(self, asked: Sequence[Trial], given: Observations) -> list[Scores]:
        found: list[dict[tuple[int, int], float]] = [{} for _ in asked]
        overall = given.scores[:, 0].tolist()
        for (run, _, at, case), score in zip(self._rows(asked), overall, strict=True):
            found[at][case, run] = score
        return list(found)

    def _rows(self, asked: Sequence[Trial]) -> list[tuple[int, int, int, int]]:
        """Returns repetition, number, place of the trial and case of every cell."""
        # Run by run, so that a provider that drifts affects every variant alike.
        return sorted(
            (run, self._numbers[trial.undone, case], at, case)
            for at, trial in enumerate(asked)
            for case in trial.cases
            for run in trial.runs
        )

    def experiment(self, search: Callable[[], Search]) -> Experiment[bool]:
        """Returns the search as an experiment."""
        return Experiment(
            lineage=self._plan.lineage,
            name=self._plan.model,
            cases=self.cases,
            arms={
                arm: ArmPlan(endpoint=self._plan.arms[arm].endpoint, requests=self.requests)
                for arm in (Arm.BASELINE, Arm.CANDIDATE)
            },
            evaluator=self._plan.evaluator,
            protocol=lambda: self.protocol(search()),
            judges=self._plan.judges,
            max_steps=self._plan.max_steps,
        )
