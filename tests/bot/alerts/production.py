"""Hourly figures of simulated production, as the intake would have stored them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bot.store.production_tables import ProductionHours
from bot.store.values import NO_PULL_REQUEST, AuditEntry, RepositoryRef

REPO = RepositoryRef(installation_id=7, repository_id=70, full_name="acme/shop")
START = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday."""


def at_day(number, hour=6):
    """Some hour of a day: by then, all calls of the day before have arrived."""
    return START + timedelta(days=number, hours=hour)


def entry(at, *, by="mia", repository_id=REPO.repository_id):
    """What a maintainer does on the page of alerts."""
    return AuditEntry(repository_id=repository_id, number=NO_PULL_REQUEST, by=by, role="maintain", action="a", at=at)


def fill(records, counts_by_day, *, lineage="triage", digest="d" * 64, model="m-1", first=0):
    """Stores decisions of days, in the hour of noon."""
    with records._database.writing() as session:
        for number, counts in enumerate(counts_by_day, first):
            for decision, calls in counts.items():
                session.add(
                    ProductionHours(
                        repository_id=REPO.repository_id, lineage=lineage, hour=at_day(number, 12), digest=digest,
                        model=model, decision=decision, deferred="", error="", calls=calls, input_tokens=0,
                        output_tokens=0, cost_usd=Decimal(0), priced=0, confidence=0, confident=0, latency_ms=0,
                        latencies="[]",
                    )
                )  # fmt: skip


QUIET = {"refund": 120, "billing": 75, "delivery": 60, "other": 45}
SHIFTED = {"refund": 75, "billing": 120, "delivery": 60, "other": 45}
