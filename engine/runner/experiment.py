"""What the runner takes and returns: experiments and their results."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Generic, TypeVar

from engine.gate.cells import Batch, Observations
from engine.runner.failures import Failures
from schemas.config import ModelConfig, RunConfig
from schemas.errors import PromptVerdictError
from schemas.outcomes import Arm, Outcome
from schemas.ports import Evaluator
from schemas.pricing import Price
from schemas.prompts import Request
from schemas.scorecard import Spending
from schemas.testsets import TestCase

Decision = TypeVar("Decision")
"""What the gate decides: engine.gate.Decision, or a test's own."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model that is paid for: where calls go and what they cost."""

    model: ModelConfig
    price: Price


DRAW = 2**40
"""Repetitions of one draw lie below this; the next draw's begin here."""


@dataclass(frozen=True, slots=True)
class ArmPlan:
    """One arm: its model and the request of each case."""

    endpoint: Endpoint
    requests: Sequence[Request | None]
    """As many as cases; may render on demand. ``None``: nothing could be asked, the cell is missing."""
    draws: Sequence[int] = ()
    """By case: which of several independent answers to the same request is its own; empty: the first for all."""

    def stored_as(self, case: int, repetition: int) -> int:
        """The repetition under which a case's answer is kept: cases that don't share a draw don't share a number."""
        return repetition + (self.draws[case] * DRAW if self.draws else 0)


@dataclass(frozen=True, slots=True)
class Experiment(Generic[Decision]):
    """One prompt × one model: requests, evaluator and gate."""

    lineage: str
    name: str
    """The model's name in the configuration."""
    cases: Sequence[TestCase]
    arms: Mapping[Arm, ArmPlan]
    evaluator: Evaluator
    protocol: Callable[[], Generator[Batch, Observations, Decision]]
    """Starts the gate; every call starts anew."""
    judges: tuple[Endpoint, ...] = ()
    """Models that the evaluator may ask."""
    settings: RunConfig | None = None
    """The lineage's own; ``None``: the run's. Its concurrency and deadline hold beside the run's."""
    budget_usd: Decimal | None = None
    """What all experiments of the lineage may cost together; ``None``: what the run may."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of one experiment; a new value after every change."""

    lineage: str
    model: str
    done: int
    """Cells that have an answer (or finally have none)."""
    asked: int
    """Cells that the gate has asked for so far."""
    purpose: str
    """Why the gate asked for the present ones."""
    made: int
    """Paid calls of the whole run, the judges' included."""
    spent_usd: float
    concurrency: int
    """Calls that may be under way now on this experiment's key."""


@dataclass(frozen=True, slots=True)
class ExperimentResult(Generic[Decision]):
    """The result of an experiment. Exactly one of ``decision`` and ``stopped`` is set."""

    experiment: Experiment[Decision]
    decision: Decision | None
    outcomes: Sequence[Outcome]
    """One for each cell that was asked for, by case, arm and repetition."""
    spending: Spending
    stopped: PromptVerdictError | None = None
    """Why there is no decision: the budget, the provider, the deadline. Says which case and arm and what to do."""
    served_by: frozenset[tuple[Arm, str, str | None]] = frozenset()
    """Models and fingerprints as the provider reported them: more than one of an arm, or different ones between arms,
    means that the model changed under the run."""
    tries: Failures = field(default_factory=Failures)
    """Every failed attempt, retried ones included."""
