"""Runs one experiment: the gate asks for cells, workers answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Generic

from engine.gate.cells import Batch, Observations
from engine.planning.call_cost import bill, is_free, neutral
from engine.planning.requests import digest_at
from engine.runner.access import Access
from engine.runner.calls import Calls
from engine.runner.cell_answers import CellAnswers
from engine.runner.experiment import Answered, Decision, Endpoint, Experiment, ExperimentResult, Progress, asked_of
from engine.runner.failures import fix_for, host_of
from engine.runner.grading import Grading
from engine.runner.observing import fill, unanswered
from engine.runner.outcome_log import OutcomeLog, PlainRoom
from engine.runner.pairs import Pairs
from engine.runner.retry import HOPELESS
from schemas.config import RunConfig
from schemas.errors import BudgetExceeded, ConfigError, ProviderError
from schemas.outcomes import (
    Arm,
    Cell,
    CompletionError,
    ErrorKind,
    Outcome,
    Score,
    Scores,
    StoredCompletion,
)
from schemas.ports import CallKey
from schemas.prompts import Request
from schemas.scorecard import Spending

ARMS = (Arm.BASELINE, Arm.CANDIDATE)
CHUNK = 256
"""Number of cells that are looked up and claimed together."""
WORKERS_PER_SLOT = 4
"""Workers per slot: a call that waits for its retry holds a worker, but no slot."""


class Drive(Generic[Decision]):
    """One running experiment."""

    def __init__(
        self,
        experiment: Experiment[Decision],
        calls: Calls,
        access: Access,
        settings: RunConfig,
        on_progress: Callable[[Progress], None] | None,
        *,
        room: PlainRoom,
        on_outcome: Callable[[Experiment[Decision], Outcome], None] | None = None,
    ) -> None:
        self._experiment = experiment
        self._calls = calls
        # Only for the progress display: each call takes the limiter of its own model.
        self._limiter = access.limiter(experiment.arms[Arm.CANDIDATE].endpoint.model)
        self._settings = settings
        # More workers than slots, because a worker that waits for a retry would otherwise block a slot's work.
        self._workers = WORKERS_PER_SLOT * settings.max_concurrency
        self._on_progress = on_progress
        self._on_outcome = on_outcome
        calls.on_failure = self._report
        self._metrics = [spec.name for spec in experiment.evaluator.metrics]
        self._free = {arm: is_free(plan.endpoint.price) for arm, plan in experiment.arms.items()}
        self._outcomes = OutcomeLog(room)
        self._pairs = Pairs()
        self._asked = 0
        self._purpose = ""
        self._judge_cost = Decimal(0)
        self._answers = CellAnswers(experiment, calls, self._stop, self._hopeless)
        self._stopped: BudgetExceeded | ProviderError | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._unused: set[CallKey] = set()
        """Claims whose calls have not begun."""

    async def finish(self, budget_usd: Decimal | None) -> ExperimentResult[Decision]:
        """Answers the gate's batches until it decides."""
        decision: Decision | None = None
        gate = self._experiment.protocol()
        try:
            batch = next(gate)
            while True:
                observations = await self._observe(batch)
                # The gate must not see a batch that was cut off: its missing cells would read as failures.
                if self._stopped:
                    break
                batch = gate.send(observations)
        except StopIteration as end:
            decision = end.value
        finally:
            gate.close()
        return ExperimentResult(
            experiment=self._experiment,
            decision=decision,
            outcomes=self._outcomes,
            spending=Spending(
                planned=self._asked + self._answers.further,
                made=self._answers.made,
                stored=self._answers.stored,
                cost_usd=self._answers.cost,
                judge_cost_usd=self._judge_cost,
                budget_usd=budget_usd,
            ),
            stopped=self._stopped,
            served_by=frozenset(self._answers.served_by),
            tries=self._calls.tries,
        )

    def expire(self, why: ProviderError) -> None:
        """Stops at once: cancels calls in flight and keeps finished answers."""
        self._stop(why)
        # At the deadline, slow calls must not be waited for. The task group takes cancelled children as ended, so
        # `finish` still returns the answers so far.
        for task in self._tasks:
            task.cancel()

    async def _observe(self, batch: Batch) -> Observations:
        size = len(batch)
        self._asked += size
        self._purpose = batch.purpose
        self._report()
        seen = unanswered(size, len(self._metrics))
        queue: asyncio.Queue[tuple[int, StoredCompletion | None, bool] | None] = asyncio.Queue(maxsize=CHUNK)
        # The bounded queue keeps lookups just ahead of the calls, so that claims are short and memory is flat.
        workers = min(self._workers, size)
        try:
            async with asyncio.TaskGroup() as group:
                self._tasks = [group.create_task(self._work(batch, seen, queue)) for _ in range(workers)]
                self._tasks.append(group.create_task(self._feed(batch, queue, workers)))
        finally:
            # Claims that were not used would make other runs wait for answers that never come.
            if self._unused:
                await self._calls.unclaimed(list(self._unused))
                self._unused.clear()
            # What is left has no answer to be compared with, so these metrics stay missing.
            for at, outcome in self._pairs.left():
                self._add(seen, at, outcome)
        return seen

    async def _feed(
        self, batch: Batch, queue: asyncio.Queue[tuple[int, StoredCompletion | None, bool] | None], workers: int
    ) -> None:
        # Each worker stops at its own end mark, which comes after all cells.
        async for item in self._prepared(batch):
            await queue.put(item)
        for _ in range(workers):
            await queue.put(None)

    def _requests(self, batch: Batch, at: int) -> Sequence[Request | None]:
        return self._experiment.arms[ARMS[batch.arms[at]]].requests

    def _cell(self, batch: Batch, at: int) -> Cell:
        return Cell(case=int(batch.cases[at]), arm=ARMS[batch.arms[at]], repetition=int(batch.repetitions[at]))

    def _number(self, cell: Cell) -> int:
        """Returns the repetition under which the store keeps a cell's answer."""
        return self._experiment.arms[cell.arm].stored_as(cell.case, cell.repetition)

    async def _prepared(self, batch: Batch) -> AsyncIterator[tuple[int, StoredCompletion | None, bool]]:
        """Yields cells in order, each with its stored row, or else with whether its call is claimed."""
        for start in range(0, len(batch), CHUNK):
            if self._stopped:
                return
            positions = range(start, min(start + CHUNK, len(batch)))
            # A prompt that could not be rendered has no key: its cell fails without a lookup.
            keys: dict[int, CallKey] = {
                at: (digest, self._number(self._cell(batch, at)))
                for at in positions
                if (digest := digest_at(self._requests(batch, at), int(batch.cases[at]))) is not None
            }
            rows = await self._calls.stored(list(keys.values()))
            # Cases with the same request share a key, which is claimed once.
            absent = list(dict.fromkeys(key for key in keys.values() if key not in rows))
            # Claimed before the call, so that two runs of one pull request never pay for the same answer.
            ours = set(await self._calls.claimed(absent)) if absent else set()
            self._unused |= ours
            for at in positions:
                key = keys.get(at)
                yield at, None if key is None else rows.get(key), key in ours
                if key is not None:
                    ours.discard(key)  # a second case with the same request waits for the first

    async def _work(
        self,
        batch: Batch,
        seen: Observations,
        queue: asyncio.Queue[tuple[int, StoredCompletion | None, bool] | None],
    ) -> None:
        while (item := await queue.get()) is not None:
            at, row, claimed = item
            cell = self._cell(batch, at)
            request = self._requests(batch, at)[cell.case]
            if self._stopped:
                # Goes on taking items: a full queue would block the feeding task, and the batch would never end.
                continue
            if claimed and request is not None:
                # From here on, the call itself releases its claim.
                self._unused.discard((request.digest, self._number(cell)))
            outcome = await self._outcome(cell, await self._answers.answer(cell, request, row, claimed=claimed))
            async for place, done in self._finished(at, outcome):
                self._add(seen, place, done)
                self._report()

    async def _outcome(self, cell: Cell, answered: Answered | CompletionError) -> Outcome:
        if isinstance(answered, CompletionError):
            return Outcome(cell=cell, result=answered)
        completion, price = answered.completion, self._experiment.arms[cell.arm].endpoint.price
        billed = [(row, row.completion.usage) for row in answered.rows]
        grading = Grading(self, cell)
        scores: Scores
        # A truncated or refused answer is a failure of the prompt, so it scores 0 and isn't missing.
        if completion.finish.scores_zero:
            step = f"step {len(answered.rows)}: " if completion.trajectory else ""
            reason = f"{step}the answer ended with: {completion.finish.value}"
            scores = tuple(Score(metric=name, value=0.0, reason=reason) for name in self._metrics)
        else:
            scores = await self._experiment.evaluator.score(
                self._experiment.cases[cell.case], completion, ask=grading.ask, repetition=cell.repetition
            )
        return Outcome(
            cell=cell,
            result=completion,
            scores=scores,
            # today's prices for both arms, not what was once paid for a stored answer
            cost_usd=sum((row.cost_usd if usage is None else bill(usage, price) for row, usage in billed), Decimal(0)),
            neutral_cost_usd=sum(
                (row.neutral_cost_usd if usage is None else neutral(usage, price) for row, usage in billed), Decimal(0)
            ),
            judge_cost_usd=grading.cost_usd,
            origin="call" if answered.paid else "store",
            # When it was answered, not when it was read: the latency test compares only answers of the same time.
            made_at=datetime.fromisoformat(answered.rows[-1].created_at).timestamp(),
        )

    async def _finished(self, at: int, outcome: Outcome) -> AsyncIterator[tuple[int, Outcome]]:
        """Yields the outcomes that are complete now, with their places in the batch.

        Where versions are compared, a candidate's outcome is complete once the baseline's answer is there too.
        """
        if not self._experiment.compares:
            yield at, outcome
            return
        if outcome.cell.arm is Arm.BASELINE:
            # A baseline waits for nothing: its preference is one half by definition.
            if not isinstance(outcome.result, CompletionError):
                scores = self._experiment.evaluator.as_baseline(outcome.scores)
                outcome = outcome.model_copy(update={"scores": scores})
            yield at, outcome
        for place, baseline, candidate in self._pairs.add(at, outcome):
            yield place, await self._compared(baseline, candidate)

    async def _compared(self, baseline: Outcome, candidate: Outcome) -> Outcome:
        # Without one of the answers, the preference stays missing. A tie would hide that nothing was compared.
        if isinstance(baseline.result, CompletionError) or isinstance(candidate.result, CompletionError):
            return candidate
        grading = Grading(self, candidate.cell)
        scores = await self._experiment.evaluator.compare(
            self._experiment.cases[candidate.cell.case],
            (baseline.result, baseline.scores),
            (candidate.result, candidate.scores),
            ask=grading.ask,
        )
        cost = candidate.judge_cost_usd + grading.cost_usd
        return candidate.model_copy(update={"scores": scores, "judge_cost_usd": cost})

    async def grade(self, request: Request, repetition: int, cell: Cell) -> StoredCompletion | CompletionError:
        """Returns a judge's answer about a cell."""
        try:
            answer, new = await self._calls.grade(request, repetition, self._judge(request))
        except (BudgetExceeded, ProviderError) as stop:
            return self._stop(stop)
        if isinstance(answer, CompletionError):
            if answer.kind in HOPELESS:
                self._stop(self._hopeless(answer, cell, self._judge(request)))
        elif new:
            self._judge_cost += answer.cost_usd
        return answer

    def _add(self, seen: Observations, at: int, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        if self._on_outcome is not None:
            self._on_outcome(self._experiment, outcome)
        fill(seen, at, outcome, self._metrics, free=self._free[outcome.cell.arm])

    def _judge(self, request: Request) -> Endpoint:
        if (endpoint := asked_of(self._experiment.judges, request)) is not None:
            return endpoint
        raise ConfigError(
            f"the judge {request.model!r} is not one of the configured judges",
            where=self._experiment.lineage,
            hint="add it under models: and judge:",
        )

    def _hopeless(self, error: CompletionError, cell: Cell, judge: Endpoint | None = None) -> ProviderError:
        case = self._experiment.cases[cell.case].id
        host = host_of((judge or self._experiment.arms[cell.arm].endpoint).model.origin)
        who = f"the judge at {host}, asked about" if judge else f"{host}, asked for"
        return ProviderError(
            f"{who} case {case!r} ({cell.arm.value}), answered {error.kind.value}: {error.message}",
            where=f"{self._experiment.lineage} · {self._experiment.name}",
            hint=fix_for(error, self._settings),
        )

    def _stop(self, why: BudgetExceeded | ProviderError) -> CompletionError:
        """Starts no more calls. Calls in flight finish and their answers are kept."""
        # The first reason is the cause. Later ones only follow from it.
        self._stopped = self._stopped or why
        self._calls.end(self._stopped)
        return CompletionError(kind=ErrorKind.CANCELLED, message=why.what, attempts=0)

    def _report(self) -> None:
        if self._on_progress is not None:
            self._on_progress(
                Progress(
                    lineage=self._experiment.lineage,
                    model=self._experiment.name,
                    done=len(self._outcomes),
                    asked=self._asked,
                    purpose=self._purpose,
                    made=self._calls.made,
                    spent_usd=float(self._calls.spent_usd),
                    concurrency=self._limiter.limit,
                    trouble=next((cause.said() for cause in self._calls.tries.causes()), ""),
                )
            )
