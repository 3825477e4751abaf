"""Plans the search for the guilty parts of a change: units, broken cases, calls and cost. Spends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from engine.blame.search import calls_of
from engine.blame.units import ChangeUnits, units_of
from engine.planning.call_cost import is_free, worst_case
from engine.planning.plan import ArmSource, Plan
from engine.planning.rendering import job_of, render
from engine.render.figures import usd
from schemas.blame import Blame, BlameResult
from schemas.detection import LineageChange
from schemas.effects import CaseEffect, CaseOutcome
from schemas.outcomes import Arm
from schemas.ports import RenderFailure, TemplateRenderer
from schemas.prompts import Finding
from schemas.scorecard import LineageCard

CASES = 12
"""The most broken cases that are run."""
FEWEST = 3
"""The fewest to which a small budget may shorten them."""
OTHERS = 40
"""The most other cases that are run."""


@dataclass(frozen=True)
class BlamePlan:
    """A search before its first call."""

    change: LineageChange
    plan: Plan
    card: LineageCard
    units: ChangeUnits
    broken: tuple[int, ...]
    others: tuple[int, ...]
    cap_usd: Decimal
    warnings: tuple[Finding, ...] = ()

    @property
    def runs(self) -> int:
        """About how often a search runs a case."""
        return calls_of(len(self.units), len(self.broken), len(self.others)) if len(self.units) > 1 else 0

    @property
    def calls(self) -> int:
        """About how many calls these runs make. Stored answers are among them."""
        return round(self.runs * _calls_of_a_run(self.plan))

    @property
    def cost_usd(self) -> Decimal:
        """About what these runs cost."""
        return self.runs * self.each_usd

    @property
    def each_usd(self) -> Decimal:
        """What a run of the candidate costs on average, its judge included."""
        cost, spending = self.card.cost, self.card.spending
        known = cost.candidate_per_1000 if cost else None
        own = _usd_of_a_run(self.plan) if known is None else known / 1000
        return own + spending.judge_cost_usd * _calls_of_a_run(self.plan) / max(spending.made, 1)


def plan_blame(
    change: LineageChange, plan: Plan, card: LineageCard, renderer: TemplateRenderer, cap_usd: Decimal
) -> BlamePlan | Blame:
    """Plans the search for a lineage's verdict; spends nothing. Returns the result if there is nothing to search."""
    units = _units(change, plan)
    if units is None:
        return _not_run("There is no baseline, so no part of the change can be reverted.")
    if plan.evaluator.compares:
        return _not_run("A pairwise judge compares whole versions, so no part of the change is tried by itself.")
    broken = _broken(card.cases)
    if not broken:
        return _not_run("No case is confirmed to break, so there is nothing to blame a part of the change for.")
    if not len(units):
        return _not_run("The prompt and its settings don't differ, so no part of them can be reverted.")
    others = _others(card.cases, plan.identical)
    units, warnings = _renderable(units, plan, (*broken[:CASES], *others), renderer)
    found = BlamePlan(change, plan, card, units, tuple(broken[:CASES]), others, cap_usd, warnings)
    return _within_budget(found)


def foreseen(change: LineageChange, plan: Plan) -> tuple[int, int, Decimal]:
    """Returns the number of units, and about the calls and the cost of a search with as many cases as it takes."""
    units = _units(change, plan)
    count = 0 if units is None else len(units)
    cases = len(plan.cases) - sum(plan.identical)
    broken = min(CASES, cases)
    runs = calls_of(count, broken, min(OTHERS, cases - broken)) if count > 1 and broken else 0
    return count, round(runs * _calls_of_a_run(plan)), runs * _usd_of_a_run(plan)


def _calls_of_a_run(plan: Plan) -> Decimal:
    """Returns the expected calls of one run of a case: 1, or the steps of an agent's conversation."""
    return Decimal(max(plan.estimates[Arm.CANDIDATE].calls, 1)) / max(len(plan.cases) - sum(plan.identical), 1)


def _usd_of_a_run(plan: Plan) -> Decimal:
    estimate = plan.estimates[Arm.CANDIDATE]
    return estimate.cost_usd * _calls_of_a_run(plan) / max(estimate.calls, 1)


def _units(change: LineageChange, plan: Plan) -> ChangeUnits | None:
    """Returns the units of a change; ``None`` without a baseline."""
    before = change.baseline or change.reference
    pair = next((pair for pair in change.models if pair.name == plan.model), None)
    if before is None or change.candidate is None or pair is None or Arm.BASELINE not in plan.arms:
        return None
    return units_of(ArmSource(before, pair.baseline or pair.candidate), ArmSource(change.candidate, pair.candidate))


def _not_run(sentence: str, warnings: tuple[Finding, ...] = ()) -> Blame:
    return Blame(result=BlameResult.NOT_RUN, sentence=sentence, warnings=warnings)


def _broken(cases: Sequence[CaseEffect]) -> list[int]:
    """Returns the cases that regressed: confirmed ones first, then by the size of their fall."""
    found = [n for n, case in enumerate(cases) if case.result is CaseOutcome.REGRESSED]
    return sorted(found, key=lambda n: (not cases[n].confirmed, cases[n].change or 0.0, n))


def _others(cases: Sequence[CaseEffect], identical: Sequence[bool]) -> tuple[int, ...]:
    """Returns cases without a break that ran in both arms, spread over the test set."""
    ran = [
        n
        for n, case in enumerate(cases)
        if case.change is not None and case.result is not CaseOutcome.REGRESSED and not identical[n] and not case.added
    ]
    count = min(OTHERS, len(ran))
    return tuple(ran[n * len(ran) // count] for n in range(count))


def _renderable(
    units: ChangeUnits, plan: Plan, cases: Sequence[int], renderer: TemplateRenderer
) -> tuple[ChangeUnits, tuple[Finding, ...]]:
    """Returns the units, with those that can't be reverted alone merged with a neighbor."""
    merged = 0
    while len(units) > 1 and (failing := _failing(units, plan, cases, renderer)) is not None:
        # Text that opens a block and text that closes it are mostly next to each other.
        units = units.merged(failing, failing + 1 if failing + 1 < len(units) else failing - 1)
        merged += 1
    if not merged:
        return units, ()
    parts = "1 part" if merged == 1 else f"{merged} parts"
    what = f"{parts} of the change can't be reverted alone: the prompt could not be filled in"
    return units, (Finding(what=what, hint="they are reverted together with their neighbors"),)


def _failing(units: ChangeUnits, plan: Plan, cases: Sequence[int], renderer: TemplateRenderer) -> int | None:
    """Returns the first unit without which the prompt can't be filled in for some case."""
    sources = [units.without({unit}) for unit in range(len(units))]
    jobs = [job_of(source.prompt, plan.cases[case]) for source in sources for case in cases]
    results = render(renderer, jobs)
    failed = (n for n, result in enumerate(results) if isinstance(result, RenderFailure))
    first = next(failed, None)
    return None if first is None else first // len(cases)


def _within_budget(found: BlamePlan) -> BlamePlan | Blame:
    """Returns the search with as many cases as the budget allows."""
    prices = [arm.endpoint.price for arm in found.plan.arms.values()]
    if len(found.units) == 1 or all(is_free(price) for price in prices):
        return found
    # One call must still fit below the cap at its worst case, when all others are paid.
    worst = max(_worst(found, arm) for arm in found.plan.arms)
    fewest = min(FEWEST, len(found.broken))
    sizes = [
        (size, others)
        for size in range(len(found.broken), fewest - 1, -1)
        for others in (found.others, found.others[::3], ())
    ]
    smaller = [replace(found, broken=found.broken[:size], others=others) for size, others in sizes]
    for each in smaller:
        if each.cost_usd + worst <= found.cap_usd:
            return each
    refused = _not_run(
        f"To find the guilty part of the change may cost {usd(smaller[-1].cost_usd + worst)}, more than the budget of "
        f"{usd(found.cap_usd)} (explain.budget_usd).",
        found.warnings,
    )
    return refused.model_copy(update={"budget_usd": found.cap_usd})


def _worst(found: BlamePlan, arm: Arm) -> Decimal:
    sent = found.plan.arms[arm]
    requests = [request for case in found.broken if (request := sent.requests[case]) is not None]
    return max((worst_case(request, sent.endpoint.price) for request in requests), default=Decimal(0))
