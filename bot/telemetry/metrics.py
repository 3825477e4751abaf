"""Metrics for Prometheus. No label names a person or a commit. Production's name prompts and repository ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bot.telemetry.production_metrics import ProductionGauges, PromptTotals
from schemas.errors import StoreError

if TYPE_CHECKING:
    from schemas.ports import Clock

NAMESPACE = "promptverdict"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ACK_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
RUN_S = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)


class WorkCounts(Protocol):
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

    def queued_runs(self) -> tuple[int, datetime | None]:
        """Counts the runs that no worker has begun, and returns when the oldest was requested."""
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
        self.refused_exports = counter("refused_exports", "Exporters' requests that were refused", ["status"])
        self.repairs = counter("repairs", "What the sweep repaired", ["what"])
        self.github = counter("github_requests", "Requests to GitHub's API", ["result"])
        """``result``: counted, unchanged (GitHub doesn't count it), refused or failed."""
        self.github_left = Gauge(
            "github_left_ratio",
            "Share of GitHub's hourly request limit that was left at its last answer",
            namespace=NAMESPACE,
            registry=self._registry,
        )
        # Without an answer nothing is known, and that is not zero.
        self.github_left.set(float("nan"))

    def github_answered(self, status: int, left: float | None) -> None:
        """Counts an answer of GitHub. ``left`` is the share of the hour's requests that it leaves."""
        if status == 304:
            result = "unchanged"
        elif status in (403, 429):
            result = "refused"
        else:
            result = "failed" if status >= 500 else "counted"
        self.github.labels(result).inc()
        if left is not None:
            self.github_left.set(left)

    def watch(self, records: WorkCounts, clock: Clock) -> None:
        """Reads ``records`` at each scrape."""
        self._registry.register(_WorkGauges(records, clock))

    def watch_production(self, records: PromptTotals, clock: Clock, waiting: Callable[[], int]) -> None:
        """Reads the prompts' figures and the length of the intake's queue at each scrape."""
        self._registry.register(ProductionGauges(records, clock))
        gauge = Gauge("waiting_spans", "Spans that wait to be stored", namespace=NAMESPACE, registry=self._registry)
        gauge.set_function(waiting)

    def text(self) -> bytes:
        """Returns everything in Prometheus' text format. Blocks."""
        return generate_latest(self._registry)


class _WorkGauges(Collector):
    """Gauges of waiting work. Without an answer of the database they are left out: no data is not zero."""

    def __init__(self, records: WorkCounts, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    def describe(self) -> list[GaugeMetricFamily]:
        """Registers without reading anything."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Reads the records once."""
        up = GaugeMetricFamily(f"{NAMESPACE}_database_up", "Whether the database answers")
        try:
            waiting, failed = self._records.unhandled_count(), self._records.failed_count()
            oldest = self._records.oldest_unhandled()
            queued, oldest_run = self._records.queued_runs()
        except StoreError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        for name, help_text, value in (
            ("waiting_deliveries", "Webhooks that wait or are being handled", waiting),
            ("failed_deliveries", "Webhooks that failed", failed),
            ("oldest_waiting_seconds", "Seconds since the oldest waiting webhook arrived", self._age_s(oldest)),
            ("queued_runs", "Runs that no worker has begun", queued),
            ("oldest_queued_seconds", "Seconds since the oldest queued run was requested", self._age_s(oldest_run)),
        ):
            yield GaugeMetricFamily(f"{NAMESPACE}_{name}", help_text, value)

    def _age_s(self, since: datetime | None) -> float:
        # Never negative: another machine with a faster clock may have stored it.
        return max((self._clock.utc() - since).total_seconds(), 0.0) if since else 0.0
