"""Metrics for Prometheus. Numbers only: no repository, person or sha is a label."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from schemas.errors import StoreError

if TYPE_CHECKING:
    from schemas.ports import Clock

NAMESPACE = "promptverdict"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ACK_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
RUN_S = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)


class DeliveryCounts(Protocol):
    """The part of the records that is read at each scrape. Methods block and raise StoreError."""

    def unhandled_count(self) -> int:
        """Counts the deliveries that wait or are being handled."""
        ...

    def failed_count(self) -> int:
        """Counts the deliveries that failed."""
        ...

    def oldest_unhandled(self) -> datetime | None:
        """Returns when the oldest waiting delivery arrived."""
        ...


class Metrics:
    """The metrics of one process: ``metrics.runs.labels("success").inc()``."""

    def __init__(self) -> None:
        # A registry of its own: in the global one, a second instance would clash with the first.
        self._registry = CollectorRegistry()
        counter = partial(Counter, namespace=NAMESPACE, registry=self._registry)
        histogram = partial(Histogram, namespace=NAMESPACE, registry=self._registry)
        self.deliveries = counter("deliveries", "Webhooks that were acknowledged", ["event", "result"])
        """``result``: stored, or known (a redelivery)."""
        self.refused = counter("refused_requests", "Webhooks that were rejected", ["status"])
        self.ack = histogram("ack_seconds", "From the first byte of a webhook to its answer", buckets=ACK_S)
        self.handled = counter("handled_deliveries", "Deliveries that a worker handled", ["result"])
        """``result``: done, ignored, retried or failed."""
        self.runs = counter("runs", "Runs that ended", ["conclusion"])
        """``conclusion`` of the check run: success, failure, action_required, cancelled."""
        self.run_time = histogram("run_seconds", "From a run's start to its end", buckets=RUN_S)
        self.open_runs = Gauge(
            "running", "Runs that are being measured in this process", namespace=NAMESPACE, registry=self._registry
        )
        self.spent = counter("spent_usd", "What providers charged, in USD")
        self.commands = counter("commands", "Commands in comments that were answered", ["command", "result"])
        """``result``: done, refused or unclear."""
        self.spans = counter("spans", "Spans and log records of applications that were stored", ["signal"])
        """``signal``: span or log. Those that were known are counted too."""
        self.rejected_spans = counter("rejected_spans", "Spans that were refused: no valid id, or a wrong time")
        self.refused_exports = counter("refused_exports", "Requests of exporters that were refused", ["status"])
        self.repairs = counter("repairs", "What the sweep repaired", ["what"])

    def watch(self, ledger: DeliveryCounts, clock: Clock) -> None:
        """Reads ``ledger`` at each scrape."""
        self._registry.register(_LedgerGauges(ledger, clock))

    def watch_production(self, waiting: Callable[[], int]) -> None:
        """Reads the length of the intake's queue at each scrape."""
        gauge = Gauge("waiting_spans", "Spans that wait to be stored", namespace=NAMESPACE, registry=self._registry)
        gauge.set_function(waiting)

    def text(self) -> bytes:
        """Returns everything in Prometheus' text format. Blocks."""
        return generate_latest(self._registry)


class _LedgerGauges(Collector):
    """Gauges of waiting deliveries. Without an answer of the database they are left out: no data is not zero."""

    def __init__(self, ledger: DeliveryCounts, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    def describe(self) -> list[GaugeMetricFamily]:
        """Registers without reading anything."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Reads the ledger once."""
        try:
            waiting, failed = self._ledger.unhandled_count(), self._ledger.failed_count()
            oldest = self._ledger.oldest_unhandled()
        except StoreError:
            yield GaugeMetricFamily(f"{NAMESPACE}_database_up", "Whether the database answers", 0)
            return
        # Never negative: another machine with a faster clock may have stored the delivery.
        age_s = max((self._clock.utc() - oldest).total_seconds(), 0.0) if oldest else 0.0
        yield GaugeMetricFamily(f"{NAMESPACE}_database_up", "Whether the database answers", 1)
        yield GaugeMetricFamily(f"{NAMESPACE}_waiting_deliveries", "Webhooks that wait", waiting)
        yield GaugeMetricFamily(f"{NAMESPACE}_failed_deliveries", "Webhooks that failed", failed)
        yield GaugeMetricFamily(
            f"{NAMESPACE}_oldest_waiting_seconds", "Seconds since the oldest of them arrived", age_s
        )
