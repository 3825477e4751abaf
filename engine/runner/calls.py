"""One paid call: reserves budget, waits for a slot, retries, prices the answer and stores it before it counts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal

from engine.planning.call_cost import UNLIMITED_OUTPUT, bill, neutral, unpriced, worst_case
from engine.runner.access import Access
from engine.runner.budget import SpendingCap
from engine.runner.experiment import Endpoint
from engine.runner.failures import Failures, host_of
from engine.runner.limiter import Limiter
from engine.runner.retry import may_retry, wait_s
from engine.runner.slots import Slots
from schemas.config import RunConfig, duration
from schemas.errors import BudgetExceeded, ProviderError
from schemas.outcomes import Completion, CompletionError, ErrorKind, StoredCompletion, Usage
from schemas.ports import CallKey, Clock, OutcomeStore
from schemas.prompts import Request

SCHEMA_WORDS = re.compile("response_format|json_schema|output_config|text.format|structured|schema")
"""Words in the error message of a server that doesn't support JSON Schemas."""
UNLIMITED = f": without max_tokens, it counts as {UNLIMITED_OUTPUT:,} output tokens"
POLL_S = 0.05
"""Seconds between two looks for an answer that another process has claimed."""
SKEW = timedelta(minutes=10)
"""Largest difference between the clocks of several machines. An answer dated further in the future has no known age and
isn't used."""


def deadline_passed(deadline_s: float) -> ProviderError:
    """Returns the error of a run that exceeded its deadline."""
    return ProviderError(
        f"the run did not finish within {deadline_s:g} s",
        where="run.deadline_s",
        hint="run again; finished answers are kept and not paid for twice",
    )


def priced(row: StoredCompletion, endpoint: Endpoint) -> StoredCompletion | CompletionError:
    """Returns the answer, or an error if its cost is unknown. The comparison would otherwise use a cost that is too
    low."""
    if why := unpriced(row.completion, endpoint.price):
        return CompletionError(kind=ErrorKind.UNPRICED, message=why, billed=True)
    return row


def _tokens(usage: Usage | None) -> int:
    return 0 if usage is None else usage.input + usage.output


class Calls:
    """Makes the calls of one experiment. Any number of tasks may share it.

    ``settings`` are the experiment's own. ``slots`` bound the calls in flight of larger units, in addition to the
    limiter of each key.
    """

    def __init__(
        self,
        access: Access,
        store: OutcomeStore,
        clock: Clock,
        budget: SpendingCap,
        settings: RunConfig,
        *,
        slots: Sequence[Slots] = (),
    ) -> None:
        self._access = access
        self._store = store
        self._clock = clock
        self._budget = budget
        self._slots = slots
        self._ended: BudgetExceeded | ProviderError | None = None
        self._dearer: dict[tuple[str, str], Decimal] = {}
        """Largest cost of a call relative to its upper bound, by origin and model. Some servers ignore the output
        limit."""
        self._schemaless: set[tuple[str, str]] = set()
        """Judges that don't support JSON Schemas, by origin and model."""
        self.tries = Failures()
        """Every failed attempt, including those of calls that succeeded later."""
        self.on_failure: Callable[[], None] = lambda: None
        """Called after each failed attempt."""
        self._timeout_s = settings.timeout_s
        self._deadline_s = settings.deadline_s
        # Monotonic, so a clock that is set during the run neither ends nor extends it.
        self._deadline = clock.monotonic() + settings.deadline_s
        self._age = duration(settings.max_age)
        # UTC, because the ages of stored answers are compared with it.
        self._began = clock.utc()

    @property
    def made(self) -> int:
        """Number of calls of the whole run that were answered and stored."""
        return self._budget.whole.made

    @property
    def spent_usd(self) -> Decimal:
        """USD that the whole run has spent so far."""
        return self._budget.whole.spent

    def end(self, why: BudgetExceeded | ProviderError) -> None:
        """Starts no more calls. Tasks that wait for a slot get ``why``."""
        self._ended = self._ended or why

    async def stored(self, keys: list[CallKey]) -> dict[CallKey, StoredCompletion]:
        """Returns the stored rows that are recent enough to decide with."""
        rows = await self._store.get(keys)
        # The run's own start bounds the age, so a long run doesn't outlive its own answers.
        latest = max(self._began, self._clock.utc()) + SKEW
        return {
            key: row
            for key, row in rows.items()
            if self._began - self._age <= datetime.fromisoformat(row.created_at) <= latest
        }

    async def claimed(self, keys: list[CallKey]) -> frozenset[CallKey]:
        """Claims keys and returns those that this run has to call. Another process may have stored an answer just
        before."""
        won = await self._store.claim(keys)
        # The owner stores its answer and releases its claim at once, maybe after we looked for the answer.
        late = (await self.stored(list(won))).keys() if won else frozenset()
        if late:
            await self._store.release(list(late))
        return won - late

    async def unclaimed(self, keys: list[CallKey]) -> None:
        """Releases unused claims."""
        await self._store.release(keys)

    async def answer(
        self, request: Request, repetition: int, endpoint: Endpoint, *, claimed: bool = False, judge: bool = False
    ) -> tuple[StoredCompletion | CompletionError, bool]:
        """Returns the stored answer or a new one, and whether this run paid for it.

        Waits while another process makes the call. Raises BudgetExceeded. Raises ProviderError if the provider can't be
        opened, the deadline has passed or the run has ended (``end``).
        """
        key = (request.digest, repetition)
        # Only one process pays for an answer: the others poll until it is stored or the claim is released.
        while not claimed:
            # First, because the holder of the claim may just have stored the answer.
            if row := (await self.stored([key])).get(key):
                return row, False
            if key in await self.claimed([key]):
                break
            self._check_goes_on()
            await self._clock.sleep(POLL_S)
        try:
            row_or_error = await self._pay(request, repetition, endpoint, judge=judge)
        # Cancellation too: a claim that stays behind would block every other process.
        except BaseException:
            await self._store.release([key])
            raise
        # An error isn't stored, so another process may try the call.
        if isinstance(row_or_error, CompletionError):
            await self._store.release([key])
            return row_or_error, False
        return row_or_error, True

    async def grade(
        self, request: Request, repetition: int, endpoint: Endpoint
    ) -> tuple[StoredCompletion | CompletionError, bool]:
        """Returns the answer of a judge, like ``answer``.

        If the judge's server refuses a JSON Schema, asks again without one. The reply is validated in the same way.
        """
        plain = request.model_copy(
            update={"parameters": request.parameters.model_copy(update={"response_format": None, "json_schema": None})}
        )
        served_by = (request.origin, request.model)
        # A server refuses schemas always or never, so one refusal is enough.
        if served_by in self._schemaless:
            request = plain
        answer, new = await self.answer(request, repetition, endpoint, judge=True)
        # Raw answers are stored whatever they cost. Only their use needs a known price.
        if isinstance(answer, StoredCompletion):
            return priced(answer, endpoint), new
        # Servers report a missing feature in many ways, so the words of the refusal decide.
        refused = answer.kind is ErrorKind.BAD_REQUEST and SCHEMA_WORDS.search(answer.message.lower())
        if request.parameters.json_schema is None or not refused:
            return answer, new
        self._schemaless.add(served_by)
        # Ends after one round: `plain` has no schema that could be refused.
        return await self.grade(plain, repetition, endpoint)

    async def _pay(
        self, request: Request, repetition: int, endpoint: Endpoint, *, judge: bool
    ) -> StoredCompletion | CompletionError:
        """Retries until an answer is stored or the error is final."""
        provider = self._access.provider(endpoint.model)
        limiter = self._access.limiter(endpoint.model)
        bound, served_by = worst_case(request, endpoint.price), (request.origin, request.model)
        # One timeout for all tries together, so a slow server can't hold a worker for several timeouts.
        left_s, tries = self._timeout_s, 0
        while True:
            self._check_goes_on()
            # A server that ignored the output limit before may do so again: its bound grows with what it has cost.
            worst = bound * self._dearer.get(served_by, Decimal(1))
            await self._budget.reserve(worst, "" if request.parameters.max_tokens else UNLIMITED)
            spent, made = Decimal(0), 0
            try:
                # Budget first, then a slot: a call that waits for money must not keep a slot from others.
                async with self._turn(limiter, retry=tries > 0):
                    self._check_goes_on()
                    # The clock starts here: time in our own queue isn't charged to the call's timeout.
                    number, started = limiter.began(), self._clock.monotonic()
                    spent = worst  # until the real cost is known
                    answer = await provider.complete(request, repetition=repetition, timeout_s=left_s)
                tries += 1
                if isinstance(answer, Completion):
                    limiter.succeeded(number, answer.allowance, _tokens(answer.usage))
                    if tries > 1:
                        answer = answer.model_copy(update={"attempts": tries})
                    row = self._row(request, repetition, endpoint, answer, worst)
                    spent = row.cost_usd
                    if spent > worst > 0:
                        self._dearer[served_by] = max(self._dearer.get(served_by, Decimal(1)), spent / bound)
                    # On disk before it counts: a run that is killed now pays nothing twice.
                    await self._store.put([row])
                    made = 1
                    return row
                spent = worst if answer.billed else Decimal(0)
            finally:
                # After a cancellation too: the provider may have billed the call, so its worst case stays spent.
                self._budget.settle(worst, spent, made=made)
            # Every failed try counts, so that the report can name the cause of a slow run.
            self.tries.add(host_of(request.origin), answer, judge=judge)
            self.on_failure()
            wait = wait_s(answer, tries, f"{request.digest}:{repetition}")
            # The limiter decides about the whole key. The call itself only waits and tries again.
            if answer.kind is ErrorKind.RATE_LIMITED:
                # A 429 isn't charged to the timeout: it says nothing about how long the answer takes.
                limiter.throttled(number, answer.retry_after_s)
            elif answer.kind is ErrorKind.TIMEOUT and limiter.timed_out(number):
                left_s = self._timeout_s  # it may have waited in the server's queue, which is shorter now
            else:
                left_s -= self._clock.monotonic() - started + wait
            if not may_retry(answer, tries) or left_s <= 0:
                return answer.model_copy(update={"attempts": tries})
            await self._clock.sleep(wait)

    @asynccontextmanager
    async def _turn(self, limiter: Limiter, *, retry: bool) -> AsyncIterator[None]:
        """Holds one slot of each limit that applies to this call."""
        held: list[Slots] = []
        try:
            # Always in this order, the key's limiter last: two calls can't wait for each other.
            for slots in (*self._slots, limiter):
                await slots.acquire(retry=retry)
                held.append(slots)
            yield
        finally:
            for slots in reversed(held):
                slots.release()

    def _row(
        self, request: Request, repetition: int, endpoint: Endpoint, answer: Completion, worst: Decimal
    ) -> StoredCompletion:
        """Builds the row to store. ``worst`` is the cost if the usage is unknown."""
        usage, price = answer.usage, endpoint.price
        # An unknown price counts as the worst case, so the budget can't be exceeded unseen.
        known = usage is not None and not unpriced(answer, price)
        return StoredCompletion(
            request_digest=request.digest,
            repetition=repetition,
            completion=answer,
            cost_usd=bill(usage, price) if usage is not None and known else worst,
            neutral_cost_usd=neutral(usage, price) if usage is not None and known else worst,
            price=price.model_dump(mode="json", exclude_none=True),
            provider=request.provider,
            model=request.model,
            # a clock that was set back must not make an answer too old for the run that paid for it
            created_at=max(self._began, self._clock.utc()).isoformat(timespec="microseconds"),
        )

    def _check_goes_on(self) -> None:
        if self._ended is not None:
            raise self._ended
        if self._clock.monotonic() > self._deadline:
            raise deadline_passed(self._deadline_s)
