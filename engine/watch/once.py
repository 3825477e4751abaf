"""One run of a watch without a database: baselines and earlier readings are kept in the outcome store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from pydantic import JsonValue, ValidationError

from engine.alerts.states import AlertState, Standing, after
from engine.drift.reading import Level, Question, Reading
from engine.pipeline import measure
from engine.watch.alone import asks_of, baseline_key
from engine.watch.answers import WatchedAnswers, watched
from engine.watch.compare import compared, first_reading, together, unusable
from engine.watch.fresh_answers import FreshAnswers
from schemas.values import Value, digest_of

if TYPE_CHECKING:
    from engine.planning.prepared import Prepared
    from engine.runner.access import Access
    from engine.runner.experiment import Progress
    from schemas.experiments import ExperimentRecord
    from schemas.ports import Clock, OutcomeStore


class KeptReading(Value):
    """The reading of one prompt and day, as it is kept beside the answers."""

    watch_version: Literal[1] = 1
    repository: str
    lineage: str
    generation: int
    """How often a person took the present for normal before."""
    reading: Reading


@dataclass(frozen=True)
class LineageWatch:
    """How a prompt stands after a run of its watch."""

    lineage: str
    reading: Reading
    standing: Standing


@dataclass(frozen=True)
class WatchRun:
    """The result of one run."""

    lineages: tuple[LineageWatch, ...]
    calls: int
    cost_usd: Decimal


async def watch_once(
    prepared: Prepared,
    *,
    access: Access,
    store: OutcomeStore,
    clock: Clock,
    repository: str,
    generations: Mapping[str, int],
    kept: Iterable[JsonValue],
    budget_usd: Decimal | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> WatchRun:
    """Runs every case of every prompt once and compares it with the baseline; the first run is the baseline.

    ``prepared`` is of ``engine.watch.alone``. ``generations`` counts, by lineage, how often a person took the present
    for normal: each time begins with a new baseline. ``kept`` holds the plans of the store, among which are earlier
    readings. A second run on the same day uses the answers of the first. Raises StoreError.
    """
    day = clock.utc().date()
    records: list[ExperimentRecord] = []
    fresh = FreshAnswers(store, day.isoformat(), asks_of(prepared))
    card = await measure(
        prepared, access=access, store=fresh, clock=clock, budget_usd=budget_usd, on_progress=on_progress,
        on_record=records.append,
    )  # fmt: skip
    earlier = _earlier(kept, repository)
    readings: dict[str, list[Reading]] = {}
    for record in records:
        answers = watched(day, record, fresh.served.get((record.lineage, record.model), {}))
        generation = generations.get(record.lineage, 0)
        rounds = _ended(_of(earlier, record.lineage, generation))
        key = baseline_key(
            repository, record.lineage, record.model, answers.requests, generation=generation, rounds=rounds
        )
        since = _since(earlier, record.lineage, generation)
        readings.setdefault(record.lineage, []).append(await _read(store, key, answers, since))
    for failed in (one for one in card.lineages if one.lineage not in readings):
        why = f"it could not be measured: {failed.headline}"
        readings[failed.lineage] = [Reading(question=Question.WATCH, level=Level.NO_DATA, day=day, why=why[:1_000])]
    found = []
    for lineage, some in readings.items():
        generation = generations.get(lineage, 0)
        row = KeptReading(repository=repository, lineage=lineage, generation=generation, reading=together(some))
        document = row.model_dump(mode="json")
        await store.keep_plan(digest_of(["watch reading", repository, lineage, generation, day.isoformat()]), document)
        standing = Standing()
        for one in (*_of(earlier, lineage, generation), row.reading):
            standing = after(standing, one.level, one.day)
        found.append(LineageWatch(lineage, row.reading, standing))
    spent = card.spending
    return WatchRun(tuple(found), spent.made, spent.cost_usd + spent.judge_cost_usd)


async def _read(store: OutcomeStore, key: str, answers: WatchedAnswers, since: date | None) -> Reading:
    """Returns the reading of a run. Keeps its answers if they are the first ones that can be compared with."""
    kept = await store.plan(key)
    if kept is None and (problem := unusable(answers)) is not None:
        return problem
    kept = await store.keep_plan(key, answers.model_dump(mode="json"))
    baseline = WatchedAnswers.model_validate(kept)
    return first_reading(answers) if baseline.day == answers.day else compared(baseline, answers, since)


def _earlier(kept: Iterable[JsonValue], repository: str) -> list[KeptReading]:
    found = []
    for document in kept:
        try:
            row = KeptReading.model_validate(document)
        except ValidationError:
            continue
        if row.repository == repository:
            found.append(row)
    return sorted(found, key=lambda row: row.reading.day)


def _ended(readings: Iterable[Reading]) -> int:
    """Returns how many alerts have ended. Each end begins with a new baseline.

    The model then answers as before, or an unlucky baseline raised the alert, and would do so again.
    """
    standing, ended = Standing(), 0
    for one in readings:
        before, standing = standing, after(standing, one.level, one.day)
        ended += before.state is AlertState.ALERT and standing.state is AlertState.OK
    return ended


def _of(earlier: list[KeptReading], lineage: str, generation: int) -> list[Reading]:
    return [row.reading for row in earlier if (row.lineage, row.generation) == (lineage, generation)]


def _since(earlier: list[KeptReading], lineage: str, generation: int) -> date | None:
    """Returns the day of the finding that the last reading reported."""
    last = _of(earlier, lineage, generation)[-1:]
    return last[0].since if last and last[0].level is Level.ALERT else None
