"""Drives the package gepa (MIT), a reflective optimizer of texts, through our own calls.

gepa is synchronous, so it runs in a thread. Each score and each rewrite is a coroutine on the caller's event loop.
gepa calls no model, keeps no file and prints nothing itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from schemas.errors import UsageError

if TYPE_CHECKING:
    from gepa.core.adapter import EvaluationBatch, GEPAAdapter

    from schemas.ports import Rated

T = TypeVar("T")
MINIBATCH = 8
"""Cases that one rewrite sees, and on which it must be better to be scored on all."""


class GepaOptimizer:
    """Searches with gepa: Pareto selection of parents, reflection on a few cases, acceptance by their scores."""

    def __init__(self) -> None:
        """Raises UsageError if gepa is not installed."""
        try:
            from gepa.api import optimize
        except ImportError as error:
            hint = "install it: prompt-verdict[improve]"
            raise UsageError("the optimizer is not installed", hint=hint) from error
        self._optimize = optimize

    async def search(self, texts: Mapping[str, str], cases: int, rated: Rated, *, rounds: int, seed: int) -> None:
        """Implements ``schemas.ports.Optimizer``."""
        bridge = _Bridge(rated, asyncio.get_running_loop())

        def work() -> None:
            everything = list(range(cases))
            self._optimize(
                dict(texts),
                trainset=everything,
                valset=everything,
                adapter=cast("GEPAAdapter[Any, Any, Any]", bridge),
                reflection_minibatch_size=min(MINIBATCH, cases),
                stop_callbacks=lambda state: bridge.failure is not None or state.i + 1 >= rounds,
                logger=_Quiet(),
                track_best_outputs=False,
                seed=seed,
            )

        thread = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            await asyncio.shield(thread)
        except asyncio.CancelledError:
            # The thread may not outlive the calls that it waits for, and a call in flight must release its claim.
            await bridge.end()
            await asyncio.wait([thread])
            if not thread.cancelled():
                thread.exception()  # seen: it only says that the search was ended
            raise
        except Exception:
            if bridge.failure is None:
                raise
        # gepa swallows some exceptions and goes on, so the first one is kept here.
        if bridge.failure is not None:
            raise bridge.failure


class _Quiet:
    def log(self, message: str) -> None:
        """Drops what gepa prints: prompts and answers, unescaped."""


class _Bridge:
    """gepa's adapter (``gepa.core.adapter.GEPAAdapter``). A case is its number."""

    def __init__(self, rated: Rated, loop: asyncio.AbstractEventLoop) -> None:
        self._rated = rated
        self._loop = loop
        self._running: asyncio.Task[Any] | None = None
        self.failure: BaseException | None = None
        """The first failure. After it, nothing is asked for any more."""

    def evaluate(
        self, batch: list[int], candidate: dict[str, str], capture_traces: bool = False
    ) -> EvaluationBatch[Any, Any]:
        """Returns the score of each case."""
        from gepa.core.adapter import EvaluationBatch

        scores = list(self._ask(self._rated.score(candidate, batch)))
        return EvaluationBatch(outputs=batch, scores=scores, trajectories=batch if capture_traces else None)

    def make_reflective_dataset(
        self,
        candidate: dict[str, str],  # noqa: ARG002 - gepa's interface
        eval_batch: EvaluationBatch[Any, Any],
        components_to_update: list[str],
    ) -> dict[str, list[dict[str, Any]]]:
        """Returns the numbers of the cases to learn from."""
        return {name: [{"case": case} for case in eval_batch.outputs] for name in components_to_update}

    def propose_new_texts(
        self,
        candidate: dict[str, str],
        reflective_dataset: Mapping[str, Sequence[Mapping[str, Any]]],
        components_to_update: list[str],
    ) -> dict[str, str]:
        """Returns the new texts; none if no rewrite is usable."""
        found = {
            name: self._ask(self._rated.rewrite(candidate, name, [row["case"] for row in reflective_dataset[name]]))
            for name in components_to_update
        }
        return {name: text for name, text in found.items() if text is not None}

    def _ask(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs ``work`` on the event loop and waits for it in gepa's thread."""
        if self.failure is not None:
            work.close()
            raise self.failure
        try:
            return asyncio.run_coroutine_threadsafe(self._noted(work), self._loop).result()
        except BaseException as error:
            self._fail(error)
            raise

    async def _noted(self, work: Coroutine[Any, Any, T]) -> T:
        if self.failure is not None:  # ended between two steps
            work.close()
            raise self.failure
        self._running = asyncio.current_task()
        try:
            return await work
        finally:
            self._running = None

    async def end(self) -> None:
        """Ends the call in flight, and every later one before it begins."""
        self._fail(asyncio.CancelledError())
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    def _fail(self, error: BaseException) -> None:
        if self.failure is None:
            self.failure = error
