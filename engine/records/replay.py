"""Decides a stored experiment again, offline: the same outcomes give the same decision, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from engine.gate.cells import Batch, Observations
from engine.gate.decision import Conversation, Decision, step
from engine.gate.design import Design, History, design
from engine.gate.protocol import protocol
from schemas.errors import SourceError
from schemas.experiments import CellOutcome, ExperimentRecord

ARMS = ("baseline", "candidate")

Cell = tuple[int, int, int]
"""Case, arm, repetition."""


def design_of(experiment: ExperimentRecord) -> Design:
    """Returns the design that an experiment had before its first call."""
    cases = experiment.cases
    return design(
        [case.id for case in cases],
        [case.slices for case in cases],
        clusters=[case.cluster for case in cases],
        protected=[case.protected for case in cases],
        metrics=experiment.metrics,
        identical=[case.identical for case in cases],
        gate=experiment.gate,
        digest=experiment.content_digest,
        lineages=experiment.lineages,
        history=_history(experiment),
        added=[case.added for case in cases],
        forbids=[case.forbids for case in cases],
        labels=[case.label for case in cases],
        paired=experiment.paired,
        new=experiment.new,
        flips=experiment.flips,
    )


def replay(experiment: ExperimentRecord) -> Decision:
    """Returns the decision on a stored experiment. Raises SourceError if the gate asks for a cell that is missing."""
    cells: dict[Cell, CellOutcome] = {(cell.case, cell.arm, cell.repetition): cell for cell in experiment.outcomes}
    return converse(protocol(design_of(experiment)), lambda asked: _answers(experiment, cells, asked))


def converse(conversation: Conversation, answer: Callable[[Batch], Observations]) -> Decision:
    """Leads a conversation to its end."""
    asked = step(conversation, None)
    while not isinstance(asked, Decision):
        asked = step(conversation, answer(asked))
    return asked


def observations(found: list[CellOutcome], metrics: int) -> Observations:
    """Returns outcomes as the protocol's observations, in the same order. ``metrics`` is the number of scores of a
    cell."""
    nothing = (None,) * metrics
    return Observations(
        scores=np.array(
            [[np.nan if s is None else s for s in cell.scores or nothing] for cell in found], dtype=np.float64
        ).reshape(len(found), metrics),
        missing=np.array([cell.scores is None for cell in found], dtype=np.bool_),
        forbidden=np.array([cell.forbidden for cell in found], dtype=np.bool_),
        input_tokens=np.array([_known(cell.input_tokens) for cell in found], dtype=np.float64),
        output_tokens=np.array([_known(cell.output_tokens) for cell in found], dtype=np.float64),
        cost_usd=np.array([_known(cell.cost_usd) for cell in found], dtype=np.float64),
        latency_s=np.array([cell.latency_s for cell in found], dtype=np.float64),
        made_at=np.array([_known(cell.made_at) for cell in found], dtype=np.float64),
    )


def _known(number: float | None) -> float:
    return np.nan if number is None else number


def _answers(experiment: ExperimentRecord, cells: Mapping[Cell, CellOutcome], asked: Batch) -> Observations:
    keys = list(zip(asked.cases.tolist(), asked.arms.tolist(), asked.repetitions.tolist(), strict=True))
    absent = next((key for key in keys if key not in cells), None)
    if absent is not None:
        case, arm, repetition = absent
        raise SourceError(
            f"the experiment holds no outcome for case {experiment.cases[case].id!r}, {ARMS[arm]}, "
            f"repetition {repetition}",
            hint="it is incomplete or was edited; run the comparison again",
        )
    return observations([cells[key] for key in keys], len(experiment.metrics))


def _history(experiment: ExperimentRecord) -> History | None:
    rows = experiment.history
    if rows is None:
        return None
    if len(rows) != len(experiment.cases):
        raise SourceError(f"the experiment has {len(experiment.cases)} cases, but its history has {len(rows)}")

    def table(values: list[tuple[float | None, ...]]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        width = len(experiment.metrics)
        filled = [row if len(row) == width else (None,) * width for row in values]
        return np.array([[np.nan if v is None else v for v in row] for row in filled]).reshape(len(rows), width)

    return History(
        means=table([row.means for row in rows]),
        variances=table([row.variances for row in rows]),
    )
