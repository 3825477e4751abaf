"""The line before the first call: which prompts are measured, and what it costs beside what is stored."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

from action.cli.what_runs import what_runs
from adapters.loop import run_async
from adapters.store import open_store
from engine.planning.call_cost import Estimate
from engine.runner.experiment import ArmPlan
from schemas.outcomes import Arm, Completion, Finish, StoredCompletion

NOW = datetime(2026, 12, 1, tzinfo=UTC)
COST = Estimate(calls=2, input_tokens=1, output_tokens=1, cost_usd=Decimal(1), worst_usd=Decimal(2))


def planned(name, max_steps=None):
    requests = [SimpleNamespace(digest=f"{number:064x}") for number in range(2)]
    plan = SimpleNamespace(
        lineage=name,
        arms={Arm.CANDIDATE: ArmPlan(None, requests)},
        identical=(False, False),
        estimates={Arm.CANDIDATE: COST},
        max_steps=max_steps,
    )
    return SimpleNamespace(change=SimpleNamespace(run=SimpleNamespace(max_age="72h"))), plan


def line(store, *plans, at=NOW):
    return run_async(what_runs(SimpleNamespace(measured=plans), store, at))


def kept(number):
    answer = Completion(text="a", finish=Finish.STOP, usage=None, model="m", latency_s=1)
    return StoredCompletion(
        request_digest=f"{number:064x}", repetition=0, completion=answer, cost_usd=Decimal(1),
        neutral_cost_usd=Decimal(1), provider="p", model="m", created_at=NOW.isoformat(),
    )  # fmt: skip


def test_the_line_names_a_few_prompts_and_leaves_out_what_is_stored(tmp_path):
    store = open_store(str(tmp_path / "store.sqlite"))
    assert line(store) is None
    assert line(store, planned("a")) == "measuring a: up to 2 calls for one run of every case, about $1.00"
    assert line(store, *(planned(f"p{n:04}") for n in range(1_000))).startswith(
        "measuring p0000, p0001, p0002, p0003, p0004, 995 others: up to 2,000 calls"
    )
    run_async(store.put([kept(0)]))
    half = "measuring a: up to 2 calls for one run of every case, 1 of them stored, about $0.50"
    assert line(store, planned("a")) == half
    run_async(store.put([kept(1)]))
    assert line(store, planned("a")) == "measuring a: one run of every case is stored already"
    assert "stored" not in line(store, planned("a", max_steps=8)), "only an agent's first step is known"
    assert "stored" not in line(store, planned("a"), at=NOW + timedelta(hours=73))
    run_async(store.aclose())
