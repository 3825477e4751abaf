"""The line that says what a run measures and what that may cost, before its first call."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from engine.render.figures import plural, usd
from schemas.config import duration

if TYPE_CHECKING:
    from engine.planning.plan import Plan
    from engine.planning.prepared import Prepared
    from engine.runner.experiment import ArmPlan
    from schemas.ports import OutcomeStore

NAMED = 5
"""Most prompts that are named; the others are counted."""


async def what_runs(prepared: Prepared, store: OutcomeStore, now: datetime) -> str | None:
    """Returns the prompts, the calls for one run of every case, and the cost of those whose answers aren't stored.

    ``None`` if nothing is called. Raises StoreError.
    """
    calls, stored, cost = 0, 0, Decimal(0)
    for entry, plan in prepared.measured:
        for arm, estimate in plan.estimates.items():
            found = await _stored(plan, plan.arms[arm], store, now - duration(entry.change.run.max_age))
            found = min(found, estimate.calls)
            calls, stored = calls + estimate.calls, stored + found
            cost += estimate.cost_usd * (estimate.calls - found) / max(estimate.calls, 1)
    if not calls:
        return None
    names = list(dict.fromkeys(plan.lineage for _, plan in prepared.measured))
    others = [f"{len(names) - NAMED:,} others"] if len(names) > NAMED + 1 else []
    listed = ", ".join([*(names[:NAMED] if others else names), *others])
    if stored == calls:
        return f"measuring {listed}: one run of every case is stored already"
    known = f", {stored:,} of them stored" if stored else ""
    return f"measuring {listed}: up to {plural(calls, 'call')} for one run of every case{known}, about {usd(cost)}"


async def _stored(plan: Plan, arm: ArmPlan, store: OutcomeStore, oldest: datetime) -> int:
    """Returns how many requests of one run have an answer that is recent enough.

    None of an agent's count: only the first step of its conversations is known.
    """
    if plan.max_steps is not None:
        return 0
    keys = [
        (request.digest, arm.stored_as(case, 0))
        for case, request in enumerate(arm.requests)
        if request is not None and not plan.identical[case]
    ]
    rows = await store.get(keys)
    return sum(datetime.fromisoformat(row.created_at) >= oldest for row in rows.values())
