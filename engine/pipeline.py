"""The main job: turns a pull request into a scorecard. Both shells call it.

- ``prepare`` detects and plans: reads commits and renders prompts, but makes no call. ``look`` and ``plan`` are its
  halves.
- ``measure`` runs the experiments and builds the scorecard.
- ``static`` builds the scorecard without any call, for unapproved forks and for the installation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from engine.detection.current import current
from engine.detection.detect import detect
from engine.gate.verdict import DECIDED
from engine.planning.prepared import PlannedLineage, Prepared, plan
from engine.render.figures import usd
from engine.scorecard.build_scorecard import measured_card, scorecard, unmeasured_card
from schemas.case_texts import CaseTexts
from schemas.config import Config, duration
from schemas.detection import Detection, LineageChange
from schemas.errors import UsageError
from schemas.ports import Clock, CodeScorers, OutcomeStore, PriceTable, SourceTree, TemplateRenderer
from schemas.prompts import Finding
from schemas.pullrequests import PullRequest
from schemas.scorecard import CommitRef, LineageCard, Scorecard, Spending
from schemas.testsets import TestCase
from schemas.verdicts import Reason, ReasonCode, VerdictStatus

if TYPE_CHECKING:
    from engine.blame.explain import Decided, Explainer
    from engine.doubts.calibrate import Graded
    from engine.gate.decision import Decision
    from engine.gate.design import Design
    from engine.planning.plan import Plan
    from engine.runner.access import Access
    from engine.runner.budget import SpendingCap
    from engine.runner.experiment import Experiment, Progress
    from schemas.experiments import ExperimentRecord as Record
    from schemas.outcomes import Outcome


NOTHING = Decimal(0)
OnOutcome = Callable[[str, str, TestCase, "Outcome"], None]
"""Receives lineage, model, the case, and an outcome as soon as it is scored."""
OnTexts = Callable[[str, str, Iterator[CaseTexts]], None]
"""Receives lineage, model, and the texts of each case that ran."""


@dataclass(frozen=True)
class World:
    """The ports that planning needs."""

    tree: SourceTree
    renderer: TemplateRenderer
    prices: PriceTable
    scorers: CodeScorers


def prepare(
    pull_request: PullRequest,
    world: World,
    *,
    only: Sequence[str] = (),
    on_detected: Callable[[Detection], None] | None = None,
    alone: bool = False,
    proposed: Config | None = None,
) -> Prepared:
    """Detects what changed and plans its experiments; spends nothing.

    ``only``: names of lineages to look at. ``on_detected`` receives what will be measured while it is still being
    planned. ``alone``: the head's lineages as they are, compared with nothing, and ``proposed`` is the configuration of
    a head that has none. Raises SourceError, ConfigError, and UsageError for a name in ``only`` that there is not.
    """
    detection = look(world.tree, pull_request, only=only, alone=alone, proposed=proposed)
    if on_detected is not None:
        on_detected(detection)
    return plan(pull_request, detection, world.renderer, world.prices, world.scorers, only=only)


def look(
    tree: SourceTree,
    pull_request: PullRequest,
    *,
    only: Sequence[str] = (),
    alone: bool = False,
    proposed: Config | None = None,
) -> Detection:
    """Detects what changed: all that is read of the commits. Parameters and errors are those of ``prepare``."""
    if alone:
        detection = current(tree, pull_request, proposed)
    else:
        detection = detect(tree, pull_request, tree.merge(pull_request.base_sha, pull_request.head_sha))
    known = detection.names
    for name in only:
        if known is not None and name not in known:
            raise UsageError(f"unknown lineage {name!r}", hint=f"there are: {', '.join(known) or 'none'}")
    return detection


def static(prepared: Prepared, why: Reason | None = None) -> Scorecard:
    """The scorecard of what is known without a call; ``why`` says what it waits for."""
    cards = [_unmeasured(entry) for entry in prepared.entries]
    return _scorecard(prepared, cards, [why] if why else [], budget_usd=None, dry_run=True)


def over_budget(prepared: Prepared, budget_usd: Decimal | None = None) -> tuple[Finding, ...]:
    """Returns a warning for each budget that is probably too small for one run of every case.

    ``budget_usd`` is as in ``measure``. Stored answers cost nothing, but it is not known yet which exist.
    """
    cap = prepared.detection.budget_usd
    run_cap = cap if budget_usd is None else min(cap, budget_usd)
    plans = [plan for _, plan in prepared.measured]
    expected = {planned.lineage: Decimal(0) for planned in plans}
    for planned in plans:
        expected[planned.lineage] += sum((one.cost_usd for one in planned.estimates.values()), Decimal(0))
    budgets = [("budget.per_run_usd", run_cap, sum(expected.values(), Decimal(0)))]
    for change in (entry.change for entry in prepared.entries):
        own = change.budget.per_run_usd
        if change.name in expected and own < run_cap:
            budgets.append((f"lineages.{change.name}.budget.per_run_usd", own, expected[change.name]))
    return tuple(
        Finding(
            what=f"one run of every case is expected to cost {usd(cost)}, more than the budget of {usd(limit)}",
            where=where,
            hint="raise it, set a lower max_tokens, or take fewer cases; stored answers cost nothing",
        )
        for where, limit, cost in dict.fromkeys(budgets)
        if cost > limit
    )


def waiting(prepared: Prepared, sentence: str) -> Scorecard:
    """Returns the scorecard of a fork without approval; ``sentence`` says how a maintainer starts the run."""
    return static(prepared, Reason(code=ReasonCode.UNTRUSTED, status=VerdictStatus.NEEDS_REVIEW, sentence=sentence))


async def measure(
    prepared: Prepared,
    *,
    access: Access,
    store: OutcomeStore,
    clock: Clock,
    budget_usd: Decimal | None = None,
    within: SpendingCap | None = None,
    explainer: Explainer | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_record: Callable[[Record], None] | None = None,
    on_texts: OnTexts | None = None,
    on_outcome: OnOutcome | None = None,
) -> Scorecard:
    """Runs all planned experiments and decides.

    ``budget_usd`` can only lower the configured cap. ``within`` is a budget that other runs share. ``explainer`` names
    the guilty parts of changes that are not approved. ``on_record`` receives the record of each experiment, and
    ``on_texts`` its texts. ``on_outcome`` receives each outcome of the gate as it comes. Raises StoreError if answers
    can't be stored.
    """
    from engine.doubts.calibrate import calibrated, probed
    from engine.planning.earlier_runs import history_of
    from engine.records.record import designed
    from engine.records.replay import design_of
    from engine.runner.outcome_log import opened
    from engine.runner.run import run

    started = clock.monotonic()
    detection = prepared.detection
    cap = detection.budget_usd if budget_usd is None else min(detection.budget_usd, budget_usd)
    left = cap
    lineages = {entry.change.name: entry.change.budget.per_run_usd for entry in prepared.entries}
    planned: list[tuple[PlannedLineage, Graded]] = []
    cards: list[LineageCard] = []
    for entry, experiment in prepared.measured:
        name = entry.change.name
        graded = await calibrated(
            experiment, entry.change, access=access, store=store, clock=clock,
            budget_usd=min(left, lineages[name]), within=within,
        )  # fmt: skip
        # Calibration is paid from the same budgets, so the run gets what remains.
        left -= graded.cost_usd
        lineages[name] -= graded.cost_usd
        if graded.stopped is None:
            planned.append((entry, graded))
        else:
            reasons = (graded.stopped, *entry.change.reasons)
            spent = Spending(judge_cost_usd=graded.cost_usd)
            cards.append(unmeasured_card(entry.change, entry.model, reasons, plan=graded.plan, spending=spent))
    experiments: list[Experiment[Decision]] = []
    before_calls: list[Callable[[], Record]] = []
    for entry, graded in planned:
        age = duration(entry.change.run.max_age)
        history = await history_of(graded.plan, store, now=clock.utc(), max_age=age)
        # Made twice, because the records of all experiments together would take as much memory as their test sets.
        before_calls.append(
            partial(designed, graded.plan, history, lineages=len(planned), new=entry.change.baseline is None)
        )
        own = lineages[entry.change.name]
        # The design is derived from the record, so that a later replay decides on the same one.
        experiments.append(_experiment(graded.plan, design_of(before_calls[-1]()), entry.change, own))
    results = await run(
        experiments,
        access=access,
        store=store,
        clock=clock,
        settings=detection.config.run if detection.config else None,
        budget_usd=left,
        within=within,
        on_progress=on_progress,
        on_outcome=on_outcome
        and (lambda one, outcome: on_outcome(one.lineage, one.name, one.cases[outcome.cell.case], outcome)),
    )
    left -= sum((one.spending.cost_usd + one.spending.judge_cost_usd for one in results), NOTHING)
    decided: list[Decided] = []
    ended = deque(zip(before_calls, planned, results, strict=True))
    del results
    while ended:
        # One experiment at a time, so that the answers of all are never in memory as objects.
        before_call, (entry, graded), packed = ended.popleft()
        result = replace(packed, outcomes=opened(packed.outcomes))
        _report(before_call(), graded.plan, result.outcomes, on_record, on_texts)
        seen = graded
        # Probes can only raise doubts, which change nothing about a block or an error.
        if result.decision is not None and result.decision.status not in DECIDED:
            seen = await probed(
                graded,
                entry.change,
                result.outcomes,
                access=access,
                store=store,
                clock=clock,
                # A call may cost more than its bound, so nothing may be left.
                budget_usd=max(left, NOTHING),
            )
            left -= seen.cost_usd - graded.cost_usd
        decided.append((entry.change, seen.plan, measured_card(entry.change, seen, result)))
    # After all verdicts, which it never changes.
    cards += await _explained(
        decided,
        explainer,
        access=access,
        store=store,
        clock=clock,
        budget_usd=max(min(left, detection.explain_usd), NOTHING),
        within=within,
        on_progress=on_progress,
    )
    cards += [_unmeasured(entry) for entry in prepared.entries if not entry.is_measured]
    short = over_budget(prepared, budget_usd)
    return _scorecard(prepared, cards, [], budget_usd=cap, seconds=clock.monotonic() - started, warnings=short)


def _report(
    record: Record,
    plan: Plan,
    outcomes: Sequence[Outcome],
    on_record: Callable[[Record], None] | None,
    on_texts: OnTexts | None,
) -> None:
    """Passes the results of one experiment on."""
    from engine.records.case_texts import case_texts
    from engine.records.record import completed

    if on_record is not None:
        on_record(completed(record, outcomes))
    if on_texts is not None:
        on_texts(plan.lineage, plan.model, case_texts(plan, outcomes))


async def _explained(
    decided: Sequence[Decided],
    explainer: Explainer | None,
    *,
    access: Access,
    store: OutcomeStore,
    clock: Clock,
    budget_usd: Decimal,
    within: SpendingCap | None,
    on_progress: Callable[[Progress], None] | None,
) -> list[LineageCard]:
    """Returns the cards, with the guilty parts of changes that are not approved."""
    if explainer is None:
        return [card for _, _, card in decided]
    from engine.blame.explain import explained

    found = await explained(
        decided,
        explainer,
        access=access,
        store=store,
        clock=clock,
        budget_usd=budget_usd,
        within=within,
        on_progress=on_progress,
    )
    return [card for _, _, card in found]


def _unmeasured(entry: PlannedLineage) -> LineageCard:
    reasons = (*entry.reasons, *entry.change.reasons)
    return unmeasured_card(entry.change, entry.model, reasons, plan=entry.plan)


def _experiment(plan: Plan, design: Design, change: LineageChange, budget_usd: Decimal) -> Experiment[Decision]:
    from engine.gate.protocol import protocol
    from engine.runner.experiment import Experiment

    return Experiment(
        lineage=plan.lineage,
        name=plan.model,
        cases=plan.cases,
        arms=plan.arms,
        evaluator=plan.evaluator,
        protocol=lambda: protocol(design),
        judges=plan.judges,
        compares=plan.evaluator.compares,
        settings=change.run,
        max_steps=plan.max_steps,
        budget_usd=budget_usd,
    )


def _scorecard(
    prepared: Prepared,
    cards: Sequence[LineageCard],
    reasons: Sequence[Reason],
    *,
    budget_usd: Decimal | None,
    seconds: float | None = None,
    dry_run: bool = False,
    warnings: Sequence[Finding] = (),
) -> Scorecard:
    detection, pull_request = prepared.detection, prepared.pull_request
    return scorecard(
        base=CommitRef(ref=pull_request.base_ref, sha=pull_request.base_sha),
        merge_base=prepared.detection.merge.base,
        head=CommitRef(ref=pull_request.head_ref, sha=pull_request.head_sha),
        mode=detection.mode,
        comment=detection.comment,
        cards=cards,
        reasons=(*detection.reasons, *reasons),
        warnings=(*detection.warnings, *warnings),
        budget_usd=budget_usd,
        seconds=seconds,
        dry_run=dry_run,
    )
