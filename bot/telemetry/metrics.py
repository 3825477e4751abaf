"""What is counted for Prometheus. Numbers only: no repository, no person and no sha is a label."""

from __future__ import annotations

from collections.abc import Iterator
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


class Ledger(Protocol):
    """What is asked of the records at each scrape. Blocks; raises StoreError."""

    def unhandled_count(self) -> int:
        """Deliveries that wait or are being handled."""
        ...

    def failed_count(self) -> int:
        """Deliveries that were given up."""
        ...

    def oldest_unhandled(self) -> datetime | None:
        """When the one that waits longest came."""
        ...


class Metrics:
    """The counters of one process. Other rooms raise theirs by name: ``metrics.runs.labels("success").inc()``."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        counter = partial(Counter, namespace=NAMESPACE, registry=self._registry)
        histogram = partial(Histogram, namespace=NAMESPACE, registry=self._registry)
        self.deliveries = counter("deliveries", "Webhooks that were acknowledged", ["event", "result"])
        """``result``: stored, or known (a redelivery)."""
        self.refused = counter("refused_requests", "Webhooks that were turned away", ["status"])
        self.ack = histogram("ack_seconds", "From the first byte of a webhook to its answer", buckets=ACK_S)
        self.handled = counter("handled_deliveries", "Deliveries that the intake took up", ["result"])
        """``result``: done, ignored, retried or failed."""
        self.runs = counter("runs", "Runs that ended", ["conclusion"])
        """``conclusion``: of the check run: success, failure, action_required, cancelled."""
        self.run_time = histogram("run_seconds", "From a run's start to its end", buckets=RUN_S)
        self.open_runs = Gauge(
            "running", "Runs that are being measured in this process", namespace=NAMESPACE, registry=self._registry
        )
        self.spent = counter("spent_usd", "What providers charged for")
        self.commands = counter("commands", "Commands in comments that were answered", ["command", "result"])
        """``result``: done, refused or unclear."""
        self.repairs = counter("repairs", "What the sweep found amiss and mended", ["what"])

    def watch(self, ledger: Ledger, clock: Clock) -> None:
        """Asks ``ledger`` at each scrape."""
        self._registry.register(_LedgerGauges(ledger, clock))

    def text(self) -> bytes:
        """Everything in Prometheus' text format. Blocks."""
        return generate_latest(self._registry)


class _LedgerGauges(Collector):
    """Deliveries that wait. What the database doesn't say is left out: no data is not zero."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing is asked when the gauges are registered."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One scrape."""
        try:
            waiting, failed = self._ledger.unhandled_count(), self._ledger.failed_count()
            oldest = self._ledger.oldest_unhandled()
        except StoreError:
            yield GaugeMetricFamily(f"{NAMESPACE}_database_up", "Whether the database answers", 0)
            return
        age_s = max((self._clock.utc() - oldest).total_seconds(), 0.0) if oldest else 0.0
        yield GaugeMetricFamily(f"{NAMESPACE}_database_up", "Whether the database answers", 1)
        yield GaugeMetricFamily(f"{NAMESPACE}_waiting_deliveries", "Webhooks that wait", waiting)
        yield GaugeMetricFamily(f"{NAMESPACE}_failed_deliveries", "Webhooks that were given up", failed)
        yield GaugeMetricFamily(f"{NAMESPACE}_oldest_waiting_seconds", "Since the oldest of them came", age_s)
