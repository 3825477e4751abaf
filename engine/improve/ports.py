"""What searches and conversations need of the world, and a call of the reflection model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from engine.planning.prepared import Prepared, plan
from engine.runner.access import Access
from engine.runner.budget import SpendingCap
from engine.runner.calls import Calls, priced
from engine.runner.experiment import Endpoint, Progress
from schemas.config import RunConfig
from schemas.detection import Detection
from schemas.errors import ProviderError
from schemas.outcomes import CompletionError
from schemas.ports import Clock, CodeScorers, OutcomeStore, PriceTable, TemplateRenderer
from schemas.prompts import Request
from schemas.pullrequests import PullRequest


class Planning(Protocol):
    """What plans need (``engine.pipeline.World`` has it)."""

    @property
    def renderer(self) -> TemplateRenderer: ...  # noqa: D102
    @property
    def prices(self) -> PriceTable: ...  # noqa: D102
    @property
    def scorers(self) -> CodeScorers: ...  # noqa: D102


@dataclass(frozen=True)
class Workshop:
    """``Planning`` of a commit that was read before."""

    renderer: TemplateRenderer
    prices: PriceTable
    scorers: CodeScorers


def planned(pull_request: PullRequest, detection: Detection, world: Planning) -> Prepared:
    """Returns the plan of a detection; spends nothing."""
    return plan(pull_request, detection, world.renderer, world.prices, world.scorers)


@dataclass(frozen=True)
class Ports:
    """The ports of one run."""

    access: Access
    store: OutcomeStore
    clock: Clock
    renderer: TemplateRenderer
    on_progress: Callable[[Progress], None] | None = None
    on_line: Callable[[str], None] = lambda _: None


async def reflected(
    request: Request, reflector: Endpoint, ports: Ports, cap: SpendingCap, *, settings: RunConfig, repetition: int = 0
) -> str:
    """Returns the reflection model's answer, stored or new.

    Raises BudgetExceeded, StoreError, and ProviderError if there is no answer.
    """
    calls = Calls(ports.access, ports.store, ports.clock, SpendingCap(None, within=cap), settings)
    answer, _ = await calls.answer(request, repetition, reflector)
    if not isinstance(answer, CompletionError):
        answer = priced(answer, reflector)
    if isinstance(answer, CompletionError):
        raise ProviderError(f"the reflection model gave no answer: {answer.message}", hint=answer.hint or None)
    return answer.completion.text
