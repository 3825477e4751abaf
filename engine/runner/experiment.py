"""Input and output of the runner: experiments and their results."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Generic, TypeVar

from engine.gate.cells import Batch, Observations
from engine.runner.failures import Failures
from schemas.config import ModelConfig, RunConfig
from schemas.errors import PromptVerdictError
from schemas.outcomes import Arm, Completion, Outcome, StoredCompletion
from schemas.ports import Evaluator
from schemas.pricing import Price
from schemas.prompts import Request
from schemas.scorecard import Spending
from schemas.testsets import TestCase

Decision = TypeVar("Decision")
"""The gate's result: engine.gate.Decision, or a type of a test."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A paid model: its address and its price."""

    model: ModelConfig
    price: Price


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a cell."""

    rows: tuple[StoredCompletion, ...]
    """Its calls as stored: one, or one for each step of a conversation."""
    completion: Completion
    """What is scored."""
    paid: bool
    """Whether this run paid for any of them."""


def asked_of(judges: Sequence[Endpoint], request: Request) -> Endpoint | None:
    """Returns the judge that a request is for; ``None`` if it is none of ``judges``."""
    asked = (request.provider, request.origin, request.api, request.model)
    for judge in judges:
        model = judge.model
        if (model.provider, model.origin, model.unusual_api, model.model) == asked:
            return judge
    return None


def by_judge(judges: Sequence[Endpoint], requests: Sequence[Request]) -> Iterator[tuple[Endpoint, list[Request]]]:
    """Yields each judge with the requests that are for it."""
    for judge in judges:
        yield judge, [request for request in requests if asked_of(judges, request) is judge]


DRAW = 2**40
"""Stride between draws. The repetitions of one draw are below it, and those of the next begin here."""


@dataclass(frozen=True, slots=True)
class ArmPlan:
    """One arm: its model and the request of each case."""

    endpoint: Endpoint
    requests: Sequence[Request | None]
    """One for each case; may render on demand. ``None``: the prompt could not be rendered, and the cell is missing."""
    draws: Sequence[int] = ()
    """By case: the index of its independent answer to a shared request. Empty: the first answer for all."""

    def stored_as(self, case: int, repetition: int) -> int:
        """Returns the repetition under which a case's answer is stored. Cases with different draws get different
        numbers."""
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
    """Starts the gate. Each call starts it anew."""
    judges: tuple[Endpoint, ...] = ()
    """Models that the evaluator may ask."""
    compares: bool = False
    """Whether the evaluator compares the answers of both arms (``Evaluator.compare``)."""
    settings: RunConfig | None = None
    """The lineage's own settings; ``None``: the run's. Concurrency and deadline apply in addition to the run's."""
    max_steps: int | None = None
    """Most calls of one case of an agent. ``None``: each case is a single call."""
    budget_usd: Decimal | None = None
    """Budget of all experiments of the lineage together. ``None``: only the run's budget applies."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of one experiment. Reported anew after each change."""

    lineage: str
    model: str
    done: int
    """Cells with an answer, or with a final failure."""
    asked: int
    """Cells that the gate has asked for so far."""
    purpose: str
    """The purpose of the current cells."""
    made: int
    """Paid calls of the whole run, including judges."""
    spent_usd: float
    concurrency: int
    """The limit of concurrent calls with this experiment's key."""
    trouble: str = ""
    """The most frequent failure of a call so far, also of calls that are tried again."""


@dataclass(frozen=True, slots=True)
class ExperimentResult(Generic[Decision]):
    """The result of an experiment. Exactly one of ``decision`` and ``stopped`` is set."""

    experiment: Experiment[Decision]
    decision: Decision | None
    outcomes: Sequence[Outcome]
    """One for each cell that was asked for, ordered by case, arm and repetition."""
    spending: Spending
    stopped: PromptVerdictError | None = None
    """Why there is no decision: budget, provider or deadline. Names the case, the arm and the fix."""
    served_by: frozenset[tuple[Arm, str, str | None]] = frozenset()
    """Models and fingerprints that the provider reported. Several in one arm, or different ones between the arms, mean
    that the model changed during the run."""
    tries: Failures = field(default_factory=Failures)
    """Every failed attempt, retried ones included."""
