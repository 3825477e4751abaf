"""The main job: a pull request in, a scorecard out. Both shells call this.

prepare   detection and planning: reads commits, renders prompts, calls nothing; ``look`` and ``plan`` are its halves
measure   runs the experiments and puts the scorecard together
static    the scorecard without a single call: forks before approval, adoption
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from engine.detection.detect import detect
from engine.gate.verdict import DECIDED
from engine.readers.bounded import shown
from engine.render.figures import usd
from engine.scorecard.build_scorecard import measured_card, scorecard, unmeasured_card
from schemas.config import duration
from schemas.detection import Detection, End, Ending, LineageChange, ModelPair
from schemas.errors import ConfigError, UsageError
from schemas.ports import Clock, OutcomeStore, PriceTable, SourceTree, TemplateRenderer
from schemas.prompts import Finding, PromptFile
from schemas.pullrequests import PullRequest
from schemas.scorecard import CommitRef, LineageCard, Scorecard, Spending
from schemas.testsets import TestSet
from schemas.verdicts import Reason, ReasonCode, VerdictStatus

if TYPE_CHECKING:
    from engine.doubts.calibrate import Graded
    from engine.gate.decision import Decision
    from engine.gate.design import Design
    from engine.planning.plan import Plan
    from engine.runner.access import Access
    from engine.runner.budget import SpendingCap
    from engine.runner.experiment import Experiment, Progress
    from schemas.experiments import ExperimentRecord as Record

PLACES = 5
"""Places that a sentence names."""


NOTHING = Decimal(0)


@dataclass(frozen=True)
class World:
    """The ports that planning needs."""

    tree: SourceTree
    renderer: TemplateRenderer
    prices: PriceTable


@dataclass(frozen=True)
class PlannedLineage:
    """One lineage × one model: planned, or why it can't be."""

    change: LineageChange
    model: str
    plan: Plan | None
    reasons: tuple[Reason, ...] = ()
    """Why there is no plan."""


@dataclass(frozen=True)
class Prepared:
    """Everything that is known before the first call."""

    pull_request: PullRequest
    detection: Detection
    entries: tuple[PlannedLineage, ...]

    @property
    def runs(self) -> bool:
        """Whether anything is to be measured."""
        return any(entry.plan is not None for entry in self.entries)


def prepare(
    pull_request: PullRequest,
    world: World,
    *,
    only: Sequence[str] = (),
    on_detected: Callable[[Detection], None] | None = None,
) -> Prepared:
    """Detects what changed and plans its experiments; spends nothing. ``only``: names of lineages to look at;
    ``on_detected`` is told what will be measured while it is still being planned.

    Raises SourceError, ConfigError, and UsageError for a name in ``only`` that there is not.
    """
    detection = look(world.tree, pull_request, only=only)
    if on_detected is not None:
        on_detected(detection)
    return plan(pull_request, detection, world.renderer, world.prices, only=only)


def look(tree: SourceTree, pull_request: PullRequest, *, only: Sequence[str] = ()) -> Detection:
    """Detects what changed: all that is read of the commits. Raises as ``prepare`` does."""
    merge = tree.merge(pull_request.base_sha, pull_request.head_sha)
    detection = detect(tree, pull_request, merge)
    known = detection.names
    for name in only:
        if known is not None and name not in known:
            raise UsageError(f"there is no lineage {name!r}", hint=f"there are: {', '.join(known) or 'none'}")
    return detection


def plan(
    pull_request: PullRequest,
    detection: Detection,
    renderer: TemplateRenderer,
    prices: PriceTable,
    *,
    only: Sequence[str] = (),
) -> Prepared:
    """Plans the experiments of what was detected. Renders every prompt for every case, which may take long."""
    changes = [change for change in detection.lineages if not only or change.name in only]
    entries = [entry for change in changes for entry in _entries(change, renderer, prices)]
    return Prepared(pull_request=pull_request, detection=detection, entries=tuple(entries))


def _entries(change: LineageChange, renderer: TemplateRenderer, prices: PriceTable) -> list[PlannedLineage]:
    def without_plan(*reasons: Reason) -> list[PlannedLineage]:
        if change.measured and not any(_holds_back(reason) for reason in (*reasons, *change.reasons)):
            sentence = f"{change.name} could not be measured, so nothing was decided."
            nothing = Reason(code=ReasonCode.NOTHING_MEASURED, status=VerdictStatus.ERROR, sentence=sentence)
            reasons = (*reasons, nothing)
        names = [pair.name for pair in change.models] or [""]
        return [PlannedLineage(change=change, model=name, plan=None, reasons=reasons) for name in names]

    if change.unreadable is not None:
        sentence = f"The candidate prompt can't be read: {change.unreadable}."
        return without_plan(Reason(code=ReasonCode.UNREADABLE, status=VerdictStatus.ERROR, sentence=sentence))
    if change.candidate is None or not change.models or change.tests is None:
        return without_plan()
    if change.config.rubric and change.rubric is None:
        return without_plan()  # why it can't be read is among the change's reasons
    entries = []
    for pair in change.models:
        planned = _planned(change, change.candidate, change.tests, pair, renderer=renderer, prices=prices)
        if isinstance(planned, Reason):
            entries.append(PlannedLineage(change=change, model=pair.name, plan=None, reasons=(planned,)))
        else:
            entries.append(PlannedLineage(change=_settled(change, planned), model=pair.name, plan=planned))
    return entries


def _planned(
    change: LineageChange,
    candidate: PromptFile,
    tests: TestSet,
    pair: ModelPair,
    *,
    renderer: TemplateRenderer,
    prices: PriceTable,
) -> Plan | Reason:
    """Plans the experiment of one model, or says why it can't be measured."""
    from engine.planning.plan import ArmSource, plan_experiment
    from evaluators.registry import check_expectations, evaluator_for

    try:
        evaluator = evaluator_for(change.config, change.judged_by, change.rubric, change.judge, cases=tests.cases)
        findings = check_expectations(evaluator, (*tests.cases, *change.added_cases))
        if findings:
            line = (findings[0].where or "").removeprefix("line ")
            where = f"{tests.path}:{line}" if line else tests.path
            raise ConfigError(findings[0].what, where=where, hint=findings[0].hint)
        before = change.baseline or change.reference
        return plan_experiment(
            lineage=change.name,
            model=pair.name,
            config=change.config,
            gate=change.gate,
            baseline=ArmSource(before, pair.baseline or pair.candidate) if before else None,
            candidate=ArmSource(candidate, pair.candidate),
            tests=tests.cases,
            added=change.added_cases,
            evaluator=evaluator,
            judges=[change.judge] if change.judge else [],
            renderer=renderer,
            prices=prices,
        )
    except ConfigError as error:
        sentence = f"It can't be measured: {error}."
        return Reason(code=ReasonCode.UNREADABLE, status=VerdictStatus.ERROR, sentence=sentence)


def _settled(change: LineageChange, plan: Plan) -> LineageChange:
    """Returns the change with what planning finds out: what was to be measured and reaches no request needs review."""
    path = change.candidate.path if change.candidate else change.name
    if plan.unreached:
        listed = ", ".join(plan.unreached[:PLACES]) + (", …" if len(plan.unreached) > PLACES else "")
        why = f"no case reaches {listed}"
    elif all(plan.identical) and any(_is_measured(ending) for ending in change.endings):
        why = "no request differs"
    else:
        return change
    endings = tuple(
        ending.model_copy(update={"end": End.NEEDS_REVIEW, "why": why}) if _is_measured(ending) else ending
        for ending in change.endings
    )
    sentence = f"{change.name}: {shown(path)} changed, but not all of it was measured: {why}."
    reason = Reason(code=ReasonCode.UNMEASURED, status=VerdictStatus.NEEDS_REVIEW, sentence=sentence)
    return change.model_copy(update={"endings": endings, "reasons": (*change.reasons, reason)})


def _is_measured(ending: Ending) -> bool:
    return ending.end is End.MEASURED and ending.what in ("prompt", "partial") and ending.why != "test data"


def _holds_back(reason: Reason) -> bool:
    """Returns whether a reason explains why nothing was measured. A doubt about the prompt's text doesn't: without a
    measurement it stays an error, which no review clears."""
    doubt = reason.code is ReasonCode.QUOTED_CASES
    return not doubt and reason.status in (VerdictStatus.BLOCKED, VerdictStatus.ERROR, VerdictStatus.NEEDS_REVIEW)


def static(prepared: Prepared, why: Reason | None = None) -> Scorecard:
    """The scorecard of what is known without a call; ``why`` says what it waits for."""
    cards = [
        unmeasured_card(entry.change, entry.model, (*entry.reasons, *entry.change.reasons), plan=entry.plan)
        for entry in prepared.entries
    ]
    return _scorecard(prepared, cards, [why] if why else [], budget_usd=None, dry_run=True)


def over_budget(prepared: Prepared, budget_usd: Decimal | None = None) -> tuple[Finding, ...]:
    """A warning for each budget that is expected to be too small for one run of every case, before anything is spent.

    ``budget_usd`` as in ``measure``. Stored answers cost nothing, but which there are is not known here."""
    cap = prepared.detection.budget_usd
    run_cap = cap if budget_usd is None else min(cap, budget_usd)
    plans = [entry.plan for entry in prepared.entries if entry.plan is not None and entry.change.measured]
    expected = {plan.lineage: Decimal(0) for plan in plans}
    for plan in plans:
        expected[plan.lineage] += sum((one.cost_usd for one in plan.estimates.values()), Decimal(0))
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
    on_progress: Callable[[Progress], None] | None = None,
    on_record: Callable[[Record], None] | None = None,
) -> Scorecard:
    """Runs everything that was planned and decides.

    ``budget_usd`` can only lower the configured cap; ``within`` is a budget that other runs may spend of too;
    ``on_record`` is given each experiment's record.
    Raises StoreError when evidence can't be kept.
    """
    from engine.doubts.calibrate import calibrated, probed
    from engine.planning.earlier_runs import history_of
    from engine.records.record import completed, designed
    from engine.records.replay import design_of
    from engine.runner.run import run

    started = clock.monotonic()
    detection = prepared.detection
    cap = detection.budget_usd if budget_usd is None else min(detection.budget_usd, budget_usd)
    left = cap
    lineages = {entry.change.name: entry.change.budget.per_run_usd for entry in prepared.entries}
    planned: list[tuple[PlannedLineage, Graded]] = []
    cards: list[LineageCard] = []
    for entry in prepared.entries:
        if entry.plan is not None and entry.change.measured:
            name = entry.change.name
            graded = await calibrated(
                entry.plan, entry.change, access=access, store=store, clock=clock,
                budget_usd=min(left, lineages[name]), within=within,
            )  # fmt: skip
            left -= graded.cost_usd
            lineages[name] -= graded.cost_usd
            if graded.stopped is None:
                planned.append((entry, graded))
            else:
                reasons = (graded.stopped, *entry.change.reasons)
                spent = Spending(judge_cost_usd=graded.cost_usd)
                cards.append(unmeasured_card(entry.change, entry.model, reasons, plan=graded.plan, spending=spent))
    experiments: list[Experiment[Decision]] = []
    records: list[Record] = []
    for entry, graded in planned:
        age = duration(entry.change.run.max_age)
        history = await history_of(graded.plan, store, now=clock.utc(), max_age=age)
        records.append(designed(graded.plan, history, lineages=len(planned), new=entry.change.baseline is None))
        own = lineages[entry.change.name]
        experiments.append(_experiment(graded.plan, design_of(records[-1]), entry.change, own))
    results = await run(
        experiments,
        access=access,
        store=store,
        clock=clock,
        settings=detection.config.run if detection.config else None,
        budget_usd=left,
        within=within,
        on_progress=on_progress,
    )
    if on_record is not None:
        for record, result in zip(records, results, strict=True):
            on_record(completed(record, result.outcomes))
    left -= sum((one.spending.cost_usd + one.spending.judge_cost_usd for one in results), NOTHING)
    for (entry, graded), result in zip(planned, results, strict=True):
        seen = graded
        if result.decision is not None and result.decision.status not in DECIDED:
            seen = await probed(
                graded,
                entry.change,
                result.outcomes,
                access=access,
                store=store,
                clock=clock,
                budget_usd=max(left, NOTHING),
            )
            left -= seen.cost_usd - graded.cost_usd
        cards.append(measured_card(entry.change, seen, result))
    cards += [
        unmeasured_card(entry.change, entry.model, (*entry.reasons, *entry.change.reasons), plan=entry.plan)
        for entry in prepared.entries
        if entry.plan is None or not entry.change.measured
    ]
    short = over_budget(prepared, budget_usd)
    return _scorecard(prepared, cards, [], budget_usd=cap, seconds=clock.monotonic() - started, warnings=short)


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
        settings=change.run,
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
