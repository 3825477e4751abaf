"""The whole search: plan it, let an optimizer edit the prompt, and let the gate judge the best edits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.detection.models import model_of
from engine.doubts.calibrate import calibrated
from engine.improve.judgment import JUDGED, better_p, edit_detection, of_cases, refusal
from engine.improve.search import Ports, Search
from engine.improve.search_report import Judged, Numbers, SearchReport
from engine.improve.split import Split, split
from engine.improve.texts import Texts, editable, with_texts
from engine.pipeline import World, measure, static
from engine.planning.plan import ArmSource, Plan
from engine.planning.prepared import Prepared, plan
from engine.render.figures import usd
from engine.runner.budget import SpendingCap
from engine.runner.experiment import Endpoint
from schemas.config import ModelConfig
from schemas.detection import Detection, LineageChange
from schemas.errors import BudgetExceeded, ProviderError, UsageError
from schemas.ports import Optimizer
from schemas.pullrequests import PullRequest
from schemas.scorecard import Scorecard
from schemas.testsets import TestCase
from schemas.verdicts import ReasonCode

ROUNDS = 40
"""The most rounds of the optimizer. Each asks for one rewrite."""
SHARE = Decimal("0.5")
"""Share of the budget that the optimizer may spend. The rest is for the judgment, without which nothing is proposed."""


@dataclass(frozen=True)
class Task:
    """A search before its first call."""

    detection: Detection
    """The commit, read alone."""
    change: LineageChange
    pull_request: PullRequest
    split: Split
    source: ArmSource
    """The prompt as it is, and the model that the optimizer runs it on."""
    texts: Texts
    """The messages that may be edited."""
    plan: Plan
    """Of the shown cases."""
    reflector: Endpoint
    alone: Prepared
    judging: Prepared
    """The prompt as it is on the shown cases, and on those of the judgment: what one run of each costs."""


def prepare_search(
    today: Detection, pull_request: PullRequest, lineage: str, world: World, *, held_out: float, reflector: str | None
) -> Task:
    """Plans a search; spends nothing. ``today`` is the commit of ``pull_request``, read alone.

    Raises UsageError for a prompt that can't be improved in this way, and says why.
    """
    change = next(one for one in today.lineages if one.name == lineage)
    prompt = change.candidate
    if prompt is None or change.tests is None or not change.models:
        why = change.unreadable or "it has no prompt, no test cases or no model"
        raise UsageError(f"{lineage} can't be measured: {why}", hint="promptverdict score shows what is missing")
    if change.config.pairwise:
        raise UsageError(
            f"the judge of {lineage} compares two versions, and an optimizer needs a score of each answer",
            hint="use judge: {mode: grades}",
        )
    texts = editable(prompt)
    if not texts:
        raise UsageError(f"the prompt of {lineage} has no text to edit", hint="its messages only pass inputs on")
    parts = split(change.tests.cases, change.gate, held_out)
    alone = plan(pull_request, of_cases(today, change, parts.shown), world.renderer, world.prices, world.scorers)
    judging = plan(pull_request, of_cases(today, change, parts.judged), world.renderer, world.prices, world.scorers)
    first = alone.entries[0]
    if first.plan is None:
        why = "; ".join(reason.sentence for reason in (*first.reasons, *first.change.reasons))
        raise UsageError(f"{lineage} can't be measured: {why}", hint="promptverdict score shows what is missing")
    model = _reflector(today, change, reflector)
    return Task(
        detection=today,
        change=change,
        pull_request=pull_request,
        split=parts,
        source=ArmSource(prompt, change.models[0].candidate),
        texts=texts,
        plan=first.plan,
        reflector=Endpoint(model=model, price=world.prices.price(model)),
        alone=alone,
        judging=judging,
    )


def _reflector(today: Detection, change: LineageChange, name: str | None) -> ModelConfig:
    known = today.config.models if today.config else {}
    if name is None and change.judges:
        return change.judges[0]
    found = model_of(name, today.config) if name is not None and today.config is not None else None
    if found is None:
        raise UsageError(
            f"{change.name} has no judge to rewrite its prompt" if name is None else f"there is no model {name!r}",
            hint=f"--reflector NAME: {', '.join(known) or 'add one under models:'}",
        )
    return found


async def suggest(task: Task, world: World, optimizer: Optimizer, ports: Ports, cap: SpendingCap) -> SearchReport:
    """Searches and judges. Nothing costs more than ``cap`` allows, not even by one call.

    Raises ProviderError if a call has no answer, StoreError, and UsageError if no metric decides.
    """
    shown = await _calibrated(task, ports, cap)
    half = SpendingCap(
        None if cap.cap is None else cap.cap * SHARE,
        within=cap,
        where="--budget",
        hint="the same command with a higher --budget goes on from there",
    )
    search = Search(
        shown,
        task.source,
        reflector=task.reflector,
        settings=task.change.run,
        keep=task.change.config.canaries,
        ports=ports,
        cap=half,
    )
    unfinished = None
    try:
        await optimizer.search(task.texts, len(shown.cases), search, rounds=ROUNDS, seed=int(shown.digest[:8], 16))
    except BudgetExceeded as error:
        unfinished = str(error)
    judged: list[Judged] = []
    for texts in search.better(task.texts)[:JUDGED] if search.started else ():
        ports.on_line(f"judging edit {len(judged) + 1} on {len(task.split.judged)} cases that the optimizer never saw")
        cards = await _judge(task, texts, world, ports, cap)
        judged.append(_judged(task, search, texts, cards))
        if _short(cards):
            unfinished = f"the budget of {usd(cap.cap)} ended the judgment; the same command with a higher one goes on"
            break
        if judged[-1].proposed:
            break
    parts = task.split
    return SearchReport(
        lineage=task.change.name,
        model=task.plan.model,
        reflector=task.reflector.model.model,
        prompt=task.source.prompt.path,
        shown=_ids(parts.shown),
        held_out=_ids(parts.held_out),
        never_shown=_ids(parts.never_shown),
        edits=search.rewrites,
        judged=tuple(judged),
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


def _short(cards: Scorecard) -> bool:
    """Returns whether the budget ended the judgment."""
    return any(reason.code is ReasonCode.BUDGET for card in cards.lineages for reason in card.reasons)


async def _judge(task: Task, texts: Texts, world: World, ports: Ports, cap: SpendingCap) -> Scorecard:
    edited = with_texts(task.source.prompt, texts)
    detection = edit_detection(task.detection, task.change, edited, task.split)
    prepared = plan(task.pull_request, detection, world.renderer, world.prices, world.scorers)
    if not prepared.runs:
        return static(prepared)
    return await measure(
        prepared,
        access=ports.access,
        store=ports.store,
        clock=ports.clock,
        within=cap,
        on_progress=ports.on_progress,
    )


def _judged(task: Task, search: Search, texts: Texts, cards: Scorecard) -> Judged:
    # Worst verdict first in the scorecard; the optimizer's own model decides whether an edit is better.
    order = sorted(cards.lineages, key=lambda card: card.model != task.plan.model)
    own = Numbers(cases=len(task.split.shown), before=search.mean(task.texts), after=search.mean(texts))
    p = better_p(order[0].cases, task.split.judged)
    why = refusal(order, p)
    edits = {name: text for name, text in texts.items() if text != task.texts[name]}
    return Judged(own=own, texts=edits, card=order[0], p=p, proposed=not why, why=why)
