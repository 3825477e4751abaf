"""Metrics of production: the last 24 hours by prompt, read from the database at a scrape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from schemas.errors import StoreError

if TYPE_CHECKING:
    from schemas.ports import Clock

PREFIX = "promptverdict_production"
WINDOW = timedelta(hours=24)
PROMPTS = 200
"""Prompts with labels of their own, the most used. Each label costs memory in Prometheus."""
DECISIONS = 20
"""Decisions of each, the most frequent. The others are summed up as ``OTHER``."""
OTHER = "(other)"
AGAIN_S = 30.0
"""Seconds for which a result is reused: several servers may scrape."""


class Totals(Protocol):
    """Sums of one prompt."""

    @property
    def repository_id(self) -> int: ...  # noqa: D102
    @property
    def lineage(self) -> str: ...  # noqa: D102
    @property
    def calls(self) -> int: ...  # noqa: D102
    @property
    def deferred(self) -> int: ...  # noqa: D102
    @property
    def errors(self) -> int: ...  # noqa: D102
    @property
    def cost_usd(self) -> Decimal: ...  # noqa: D102
    @property
    def latency_s(self) -> float: ...  # noqa: D102
    @property
    def decisions(self) -> dict[str, int]: ...  # noqa: D102


class PromptTotals(Protocol):
    """The part of the records that is read. Blocks and raises StoreError."""

    def prompt_totals(self, since: datetime) -> Sequence[Totals]:
        """Returns the sums of every prompt, the most used first."""
        ...


class ProductionGauges(Collector):
    """Gauges by prompt. Without an answer of the database they are left out: no data is not zero."""

    def __init__(self, records: PromptTotals, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._found: Sequence[Totals] = ()
        self._until = float("-inf")

    def describe(self) -> list[GaugeMetricFamily]:
        """Registers without reading anything."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Reads the sums, at most every ``AGAIN_S`` seconds."""
        now = self._clock.monotonic()
        if now >= self._until:
            since = (self._clock.utc() - WINDOW).replace(minute=0, second=0, microsecond=0)
            try:
                self._found = self._records.prompt_totals(since)
            except StoreError:
                return
            self._until = now + AGAIN_S
        labels = ["repository", "prompt"]
        gauges = {
            name: GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=labels)
            for name, text in (
                ("calls", "Calls of a prompt in the last 24 hours"),
                ("deferred", "Calls in the last 24 hours that were deferred to a person"),
                ("errors", "Calls in the last 24 hours that ended in an error"),
                ("cost_usd", "Cost of the calls in the last 24 hours, as far as prices are known"),
                ("latency_seconds", "Mean latency of the calls in the last 24 hours"),
            )
        }
        decisions = GaugeMetricFamily(f"{PREFIX}_decisions", "Daily calls by decision", labels=[*labels, "decision"])
        for one in self._found[:PROMPTS]:
            at = [str(one.repository_id), one.lineage]
            gauges["calls"].add_metric(at, one.calls)
            gauges["deferred"].add_metric(at, one.deferred)
            gauges["errors"].add_metric(at, one.errors)
            gauges["cost_usd"].add_metric(at, float(one.cost_usd))
            gauges["latency_seconds"].add_metric(at, one.latency_s / one.calls)
            for decision, calls in _bounded(one.decisions).items():
                decisions.add_metric([*at, decision], calls)
        yield from gauges.values()
        yield decisions


def _bounded(decisions: dict[str, int]) -> dict[str, int]:
    ordered = sorted(decisions.items(), key=lambda one: (-one[1], one[0]))
    rest = sum(calls for _, calls in ordered[DECISIONS:])
    kept = dict(ordered[:DECISIONS])
    return {**kept, OTHER: kept.get(OTHER, 0) + rest} if rest else kept
