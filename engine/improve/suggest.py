"""The whole search: plan it, let an optimizer edit the prompt, and let the gate judge the best edits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.doubts.calibrate import calibrated
from engine.improve.judgment import JUDGED, better_p, is_short, of_cases, refusal
from engine.improve.measuring import measured
from engine.improve.ports import Planning, Ports, planned
from engine.improve.search import Search
from engine.improve.search_report import Judged, Numbers, SearchReport
from engine.improve.split import Split, split
from engine.improve.target import Target, target_of, unmeasurable
from engine.improve.texts import Texts
from engine.planning.plan import ArmSource, Plan
from engine.planning.prepared import Prepared
from engine.render.figures import usd
from engine.runner.budget import SpendingCap
from schemas.blame import Unit
from schemas.detection import Detection, LineageChange
from schemas.errors import BudgetExceeded, ProviderError, UsageError
from schemas.gate_config import GateMode
from schemas.ports import Optimizer
from schemas.pullrequests import PullRequest
from schemas.scorecard import Scorecard
from schemas.testsets import TestCase

GOES_ON = "a repetition with a higher budget continues from there"
ROUNDS = 40
"""The most rounds of the optimizer. Each asks for one rewrite."""
SHARE = Decimal("0.5")
"""Share of the budget that the optimizer may spend. The rest is for the judgment, without which nothing is proposed."""


@dataclass(frozen=True)
class Task:
    """A search before its first call."""

    target: Target
    split: Split
    source: ArmSource
    """The prompt as it is, and the model that the optimizer runs it on."""
    plan: Plan
    """Of the shown cases."""
    alone: Prepared
    judging: Prepared
    """The prompt as it is on the shown cases, and on those of the judgment: what one run of each costs."""

    @property
    def change(self) -> LineageChange:
        """The lineage, without an earlier version."""
        return self.target.change

    @property
    def texts(self) -> Texts:
        """The messages that may be edited."""
        return self.target.texts


def prepare_search(
    today: Detection,
    pull_request: PullRequest,
    lineage: str,
    world: Planning,
    *,
    held_out: float,
    reflector: str | None,
) -> Task:
    """Plans a search; spends nothing. ``today`` is the commit of ``pull_request``, read alone.

    Raises UsageError for a prompt that can't be improved in this way, and says why.
    """
    target = target_of(today, pull_request, lineage, world, reflector=reflector)
    change = target.change
    if change.config.pairwise:
        raise UsageError(
            f"the judge of {lineage} compares two versions, and an optimizer needs a score of each answer",
            hint="use judge: {mode: grades}",
        )
    parts = split(target.cases, change.gate, held_out)
    alone = planned(pull_request, of_cases(today, change, parts.shown), world)
    judging = planned(pull_request, of_cases(today, change, parts.judged), world)
    first = alone.entries[0]
    if first.plan is None:
        raise unmeasurable(lineage, "; ".join(one.sentence for one in (*first.reasons, *first.change.reasons)))
    source = ArmSource(target.prompt, change.models[0].candidate)
    return Task(target, split=parts, source=source, plan=first.plan, alone=alone, judging=judging)


async def suggest(
    task: Task,
    world: Planning,
    optimizer: Optimizer,
    ports: Ports,
    cap: SpendingCap,
    *,
    lost: Sequence[Unit] = (),
) -> SearchReport:
    """Searches and judges. Nothing costs more than ``cap`` allows, not even by one call.

    ``lost`` are earlier changes of the prompt that lost shown cases.

    Raises ProviderError if a call has no answer, StoreError, and UsageError if no metric decides.
    """
    shown = await _calibrated(task, ports, cap)
    half = SpendingCap(
        None if cap.cap is None else cap.cap * SHARE,
        within=cap,
        where="--budget",
        hint=GOES_ON,
    )
    search = Search(
        shown,
        task.source,
        reflector=task.target.reflector,
        settings=task.change.run,
        keep=task.change.config.canaries,
        lost=lost,
        ports=ports,
        cap=half,
    )
    unfinished = None
    try:
        await optimizer.search(task.texts, len(shown.cases), search, rounds=ROUNDS, seed=int(shown.digest[:8], 16))
    except BudgetExceeded as error:
        unfinished = str(error)
    judged: list[Judged] = []
    check: Scorecard | None = None
    for texts in search.better(task.texts)[:JUDGED] if search.started else ():
        ports.on_line(f"judging edit {len(judged) + 1} on {len(task.split.judged)} cases that the optimizer never saw")
        # Every case runs: an early end would save the calls that prove an improvement.
        cards = await measured(task.target, texts, task.split.judged, world, ports, cap=cap, mode=GateMode.FIXED)
        judged.append(_judged(task, search, texts, cards))
        if is_short(cards):
            unfinished = f"the budget of {usd(cap.cap)} ended the judgment; {GOES_ON}"
            break
        if judged[-1].proposed:
            check = await _check(task, judged[-1], world, ports, cap)
            if is_short(check):
                check, unfinished = None, f"the budget of {usd(cap.cap)} ended the check of the edit; {GOES_ON}"
            elif (why := next((card.headline for card in check.lineages if not card.passes), None)) is not None:
                judged[-1] = judged[-1].model_copy(update={"proposed": False, "why": f"On all cases: {why}"})
                continue
            break
    parts = task.split
    return SearchReport(
        lineage=task.change.name,
        model=task.plan.model,
        reflector=task.target.reflector.model.model,
        prompt=task.source.prompt.path,
        shown=_ids(parts.shown),
        held_out=_ids(parts.held_out),
        never_shown=_ids(parts.never_shown),
        edits=search.rewrites,
        judged=tuple(judged),
        check=check if judged and judged[-1].proposed else None,
        patterns=search.patterns if search.started else (),
        calls=cap.made,
        cost_usd=cap.spent,
        budget_usd=cap.cap,
        unfinished=unfinished,
    )


def _ids(cases: Sequence[TestCase]) -> tuple[str, ...]:
    return tuple(case.id for case in cases)


async def _calibrated(task: Task, ports: Ports, cap: SpendingCap) -> Plan:
    """Returns the plan of the shown cases, with an evaluator that knows whether its judge decides."""
    graded = await calibrated(
        task.plan, task.change, access=ports.access, store=ports.store, clock=ports.clock, budget_usd=None, within=cap
    )
    if graded.stopped is not None:
        raise ProviderError(graded.stopped.sentence, hint=graded.stopped.fix or None)
    if not any(spec.gates for spec in graded.plan.evaluator.metrics):
        raise UsageError(
            f"no metric of {task.change.name} decides, so no edit could be proven better",
            hint="calibrate its judge, or add checks",
        )
    return graded.plan


async def _check(task: Task, judged: Judged, world: Planning, ports: Ports, cap: SpendingCap) -> Scorecard:
    """Returns the scorecard of a pull request with the edit. Most of its answers are stored already."""
    ports.on_line(f"measuring the edit on all {len(task.target.cases)} cases, as the check of a pull request will")
    return await measured(task.target, judged.texts, task.target.cases, world, ports, cap=cap)


def _judged(task: Task, search: Search, texts: Texts, cards: Scorecard) -> Judged:
    # Worst verdict first in the scorecard; the optimizer's own model decides whether an edit is better.
    order = sorted(cards.lineages, key=lambda card: card.model != task.plan.model)
    own = Numbers(cases=len(task.split.shown), before=search.mean(task.texts), after=search.mean(texts))
    p = better_p(order[0].cases, task.split.judged)
    why = refusal(order, p)
    edits = {name: text for name, text in texts.items() if text != task.texts[name]}
    failing, fixed = search.fixed(texts)
    return Judged(own=own, failing=failing, fixed=fixed, texts=edits, card=order[0], p=p, proposed=not why, why=why)
