"""Builds the scorecard from decisions and measurements."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from engine.doubts.model_drift import drift
from engine.doubts.scoring_doubts import scoring_doubts, shown_only
from engine.gate.verdict import SEVERITY, combine, passes
from engine.planning.call_cost import decompose
from engine.runner.failures import findings, fix_for, host_of, lost
from engine.runner.retry import HOPELESS
from engine.scorecard.case_effects import case_effects, finishes
from engine.scorecard.disturbed import disturbed_notes
from engine.scorecard.field_errors import field_errors
from engine.scorecard.headline import explained, summary, title, with_cause
from engine.scorecard.injections import injection_notes, leak_notes
from engine.scorecard.judge_notes import judge_notes
from engine.scorecard.model_swap import model_swap
from engine.scorecard.repairs import repaired
from engine.scorecard.truncation import cut_off
from schemas.blame import Pattern
from schemas.config import CommentPolicy, LineageConfig, Mode
from schemas.diffs import PromptDiff
from schemas.effects import CaseEffect, CaseOutcome, CostEffect, Effect, EffectResult
from schemas.outcomes import Arm, Completion, Outcome, Usage
from schemas.prompts import Finding
from schemas.scorecard import CommitRef, Confidence, LineageCard, ModelSwap, Scorecard, Spending
from schemas.use_cases import UseCase
from schemas.values import digest_of
from schemas.verdicts import Reason, ReasonCode, VerdictStatus

if TYPE_CHECKING:
    from engine.doubts.calibrate import Graded
    from engine.gate.decision import Decision
    from engine.planning.plan import Plan
    from engine.runner.experiment import ExperimentResult
    from schemas.detection import LineageChange


def measured_card(change: LineageChange, graded: Graded, result: ExperimentResult[Decision]) -> LineageCard:
    """Returns the card of an experiment that ran, with or without a decision."""
    plan, decision = graded.plan, result.decision
    spending = result.spending
    spending = spending.model_copy(update={"judge_cost_usd": spending.judge_cost_usd + graded.cost_usd})
    # Both arms of an unchanged case would have been called.
    shared = 2 * sum(plan.identical)
    spending = spending.model_copy(update={"identical": shared})
    if decision is None:
        reasons = (_stopped(result), *change.reasons)
        return unmeasured_card(change, plan.model, reasons, plan=plan, spending=spending)
    doubts = (*graded.doubts, *scoring_doubts(plan, result.outcomes, change.config.labels, decision.status))
    status = combine([decision.status, *(reason.status for reason in (*change.reasons, *doubts))])
    baseline, candidate = _paired_usages(result.outcomes)
    cost = _cost(decision, plan, baseline, candidate)
    # An early end leaves questions open on purpose. They must not read as missing cases.
    early = decision.status in (VerdictStatus.BLOCKED, VerdictStatus.APPROVED) and any(
        case.result is CaseOutcome.NOT_RUN for case in decision.case_results
    )
    cases = case_effects(
        plan.cases,
        decision.case_results,
        result.outcomes,
        metric=decision.overall.metric if decision.overall else None,
        metrics=plan.evaluator.metrics,
        added=plan.added,
        use_case=change.config.use_case,
        tests=_tests_path(change),
    )
    failed = lost(result.outcomes, _origins(plan), _judge_hosts(plan))
    found = explained(decision.reasons, cost, cases, change.config.labels or ())
    found = tuple(with_cause(reason, failed, change.run) for reason in found)
    reasons = tuple(sorted((*found, *change.reasons, *doubts), key=lambda reason: SEVERITY.index(reason.status)))
    card = LineageCard(
        lineage=change.name,
        model=plan.model,
        baseline_model=_baseline_model(plan),
        use_case=change.config.use_case,
        prompt=_prompt_path(change),
        tests=_tests_path(change),
        swap=_swap(change, plan, result.outcomes),
        status=status,
        passes=passes(status, change.gate.inconclusive),
        headline=reasons[0].sentence if reasons else "",
        reasons=reasons,
        overall=decision.overall and _without_open_question(decision.overall, early=early),
        slices=tuple(_without_open_question(effect, early=early) for effect in decision.slices),
        metrics=tuple(_without_open_question(effect, early=early) for effect in decision.metrics),
        cost=cost,
        latency=decision.latency,
        cases=cases,
        patterns=_patterns(change, plan, cases, result.outcomes),
        diff=_with_tokens(change, baseline, candidate),
        changes=change.changes,
        confidence=_confidence(decision, plan, change.config, result.outcomes).model_copy(update=graded.judged),
        spending=spending.model_copy(
            update={
                "planned": max(decision.planned, spending.planned) + shared,
                "not_needed": max(0, decision.planned - decision.cells) if decision.cells else 0,
            }
        ),
        finishes=finishes(result.outcomes),
        warnings=(
            *change.warnings,
            *plan.warnings,
            *findings(failed, change.run),
            *cut_off(result.outcomes, plan),
            *repaired(result.outcomes, change.config),
            *field_errors(result.outcomes, plan.evaluator.metrics),
            # An error shows no figures, so there is nothing to explain about them.
            *(() if status is VerdictStatus.ERROR else shown_only(plan, result.outcomes)),
            *drift(result),
        ),
        content_digest=plan.digest,
    )
    card = card.model_copy(update=_classes(change, plan, cases, result.outcomes))
    # People read numbers as results, even next to the word "error".
    return _without_figures(card) if status is VerdictStatus.ERROR else card


def _confidence(decision: Decision, plan: Plan, config: LineageConfig, outcomes: Sequence[Outcome]) -> Confidence:
    notes = (
        *judge_notes(outcomes, plan.evaluator.metrics, [judge.model.model for judge in plan.judges]),
        *injection_notes(outcomes, plan.cases),
        *leak_notes(outcomes, config.canaries),
        *disturbed_notes(outcomes, plan.cases, plan.evaluator.metrics, config.use_case),
    )
    return decision.confidence.model_copy(update={"notes": (*notes, *decision.confidence.notes)})


def _cost(decision: Decision, plan: Plan, baseline: Sequence[Usage], candidate: Sequence[Usage]) -> CostEffect:
    """Returns the decision's cost, with the causes of its change where both arms answered."""
    if not baseline:
        return decision.cost
    prices = {arm: arm_plan.endpoint.price for arm, arm_plan in plan.arms.items()}
    parts = decompose(
        baseline, candidate, prices[Arm.BASELINE], prices[Arm.CANDIDATE], conversations=bool(plan.max_steps)
    )
    return decision.cost.model_copy(update={"parts": parts})


def _judge_hosts(plan: Plan) -> str:
    return " or ".join(dict.fromkeys(host_of(judge.model.origin) for judge in plan.judges))


def _without_figures(card: LineageCard) -> LineageCard:
    """Returns the card of an error, without scores, changes or costs that could be read as a result.

    The cases without an answer stay.
    """
    nothing: dict[str, None] = dict.fromkeys(("overall", "confusion", "cost", "latency", "confidence", "swap"))
    without = tuple(case for case in card.cases if case.result in (CaseOutcome.MISSING, CaseOutcome.NOT_RUN))
    empty: dict[str, tuple[()]] = dict.fromkeys(("slices", "metrics", "classes", "class_figures", "patterns"), ())
    return card.model_copy(update=nothing | empty | {"cases": without})


def _paired_usages(outcomes: Sequence[Outcome]) -> tuple[list[Usage], list[Usage]]:
    """Returns usage by arm, of the runs that both arms answered. Others can't be compared."""
    answered: dict[Arm, dict[tuple[int, int], Usage]] = {arm: {} for arm in Arm}
    # Most answers of a classification have one of a few lengths.
    same: dict[Usage, Usage] = {}
    for one in outcomes:
        if isinstance(one.result, Completion) and one.result.usage is not None:
            usage = same.setdefault(one.result.usage, one.result.usage)
            answered[one.cell.arm][one.cell.case, one.cell.repetition] = usage
    before, after = answered[Arm.BASELINE], answered[Arm.CANDIDATE]
    both = [run for run in before if run in after]
    return [before[run] for run in both], [after[run] for run in both]


def _classes(
    change: LineageChange, plan: Plan, cases: Sequence[CaseEffect], outcomes: Sequence[Outcome]
) -> dict[str, object]:
    """Returns the card's fields about classes."""
    if change.config.use_case != UseCase.CLASSIFICATION or Arm.BASELINE not in plan.arms:
        return {}
    # Only classifications need this import.
    from evaluators.classification_report import classification_report
    from evaluators.label_rules import LabelRules

    # The same cases as in the scores, so that the confusion matrix adds up to them.
    compared = {place for place, case in enumerate(cases) if case.change is not None and not case.added}
    report = classification_report(plan.cases, outcomes, LabelRules.of(change.config), compared=compared)
    return {"classes": report.classes, "confusion": report.confusion, "class_figures": report.figures}


def _patterns(
    change: LineageChange, plan: Plan, cases: Sequence[CaseEffect], outcomes: Sequence[Outcome]
) -> tuple[Pattern, ...]:
    if not any(case.result is CaseOutcome.REGRESSED for case in cases):
        return ()
    from engine.patterns.patterns import patterns
    from engine.planning.clusters import clusters_of

    one_label = change.config.use_case == UseCase.CLASSIFICATION and not change.config.multi_label
    return patterns(
        plan.cases,
        cases,
        outcomes,
        metrics=plan.evaluator.metrics,
        clusters=clusters_of(plan),
        labels=change.config.labels if one_label else (),
        seed=int(plan.digest[:8], 16),
    )


def unmeasured_card(
    change: LineageChange,
    model: str,
    reasons: Sequence[Reason],
    *,
    plan: Plan | None = None,
    spending: Spending | None = None,
) -> LineageCard:
    """Returns the card of a lineage that was not or could not be measured. ``reasons`` say why."""
    ordered = tuple(sorted(reasons, key=lambda reason: SEVERITY.index(reason.status)))
    status = combine([reason.status for reason in ordered])
    return LineageCard(
        lineage=change.name,
        model=model,
        use_case=change.config.use_case,
        prompt=_prompt_path(change),
        status=status,
        passes=passes(status, change.gate.inconclusive),
        headline=ordered[0].sentence if ordered else "",
        reasons=ordered,
        diff=change.diff,
        changes=change.changes,
        spending=spending or Spending(),
        warnings=(*change.warnings, *(plan.warnings if plan else ())),
        content_digest=plan.digest if plan else None,
    )


def _prompt_path(change: LineageChange) -> str:
    prompt = change.candidate or change.baseline
    return prompt.path if prompt else str(change.config.prompt)


def _stopped(result: ExperimentResult[Decision]) -> Reason:
    error = result.stopped
    # The type's name is compared so that this pure module needs no import of the runner's errors.
    code = ReasonCode.BUDGET if type(error).__name__ == "BudgetExceeded" else ReasonCode.MISSING_CELLS
    done = sum(isinstance(outcome.result, Completion) for outcome in result.outcomes)
    kept = f"; {done} of {result.spending.planned} planned answers are kept" if done else ""
    cause = next(iter(result.tries.causes()), None)
    if cause is None:
        why = ""
    elif cause.error.kind in HOPELESS:
        why = f"; {cause.count} {'call' if cause.count == 1 else 'calls'} failed this way"
    else:
        why = result.tries.said(result.experiment.settings)
    fix = (error.hint if error else None) or (fix_for(cause.error, result.experiment.settings) if cause else "")
    return Reason(code=code, status=VerdictStatus.ERROR, sentence=f"No verdict: {error}{why}{kept}.", fix=fix)


def _origins(plan: Plan) -> dict[Arm, str]:
    return {arm: arm_plan.endpoint.model.origin for arm, arm_plan in plan.arms.items()}


def _without_open_question(effect: Effect, *, early: bool) -> Effect:
    """Marks effects that an early end left open as not needed. They don't lack cases."""
    return (
        effect.model_copy(update={"result": EffectResult.NOT_RUN})
        if early and effect.result is EffectResult.TOO_FEW_CASES
        else effect
    )


def _baseline_model(plan: Plan) -> str | None:
    before, after = plan.arms.get(Arm.BASELINE), plan.arms[Arm.CANDIDATE]
    if before is None or before.endpoint.model.model == after.endpoint.model.model:
        return None
    return before.endpoint.model.model


def _tests_path(change: LineageChange) -> str | None:
    """Returns the file with the cases; ``None`` if they are in the prompt's file, where their lines are unknown."""
    return change.tests.path if change.tests is not None and change.config.tests else None


def _swap(change: LineageChange, plan: Plan, outcomes: Sequence[Outcome]) -> ModelSwap | None:
    return model_swap(outcomes, change.config.labels or ()) if _baseline_model(plan) else None


def _with_tokens(change: LineageChange, baseline: Sequence[Usage], candidate: Sequence[Usage]) -> PromptDiff | None:
    """Adds the mean tokens of the whole request to a diff, as the provider counted them."""
    diff = change.diff
    # A conversation's input counts every step, so it says nothing about the prompt's length.
    if diff is None or not baseline or not candidate or change.config.use_case == UseCase.AGENT:
        return diff
    return diff.model_copy(
        update={
            "tokens_before": sum(usage.input for usage in baseline) / len(baseline),
            "tokens_after": sum(usage.input for usage in candidate) / len(candidate),
        }
    )


def scorecard(
    *,
    base: CommitRef,
    merge_base: str | None,
    head: CommitRef,
    mode: Mode,
    comment: CommentPolicy,
    cards: Sequence[LineageCard],
    reasons: Sequence[Reason],
    warnings: Sequence[Finding],
    budget_usd: Decimal | None,
    seconds: float | None = None,
    dry_run: bool = False,
) -> Scorecard:
    """Returns the scorecard of the pull request. The worst verdict counts, and every reason is listed."""
    ordered = tuple(sorted(cards, key=lambda card: (SEVERITY.index(card.status), card.lineage, card.model)))
    status = combine([*(card.status for card in ordered), *(reason.status for reason in reasons)])
    # A reason about the pull request as a whole, such as a changed workflow, holds it even if every prompt passes.
    lets_through = all(card.passes for card in ordered) and all(
        reason.status in (VerdictStatus.APPROVED, VerdictStatus.NOT_APPLICABLE) for reason in reasons
    )
    return Scorecard(
        status=status,
        passes=lets_through or mode is Mode.INFORM,
        title=title(status, ordered, reasons),
        summary=summary(ordered, reasons),
        mode=mode,
        comment=comment,
        base=base,
        merge_base=merge_base,
        head=head,
        reasons=tuple(reasons),
        lineages=ordered,
        spending=_together([card.spending for card in ordered], budget_usd),
        warnings=tuple(warnings),
        plan_digest=digest_of([card.content_digest for card in ordered]) if ordered else None,
        seconds=seconds,
        dry_run=dry_run,
    )


def _together(parts: Sequence[Spending], budget_usd: Decimal | None) -> Spending:
    return Spending(
        planned=sum(part.planned for part in parts),
        made=sum(part.made for part in parts),
        stored=sum(part.stored for part in parts),
        identical=sum(part.identical for part in parts),
        not_needed=sum(part.not_needed for part in parts),
        cost_usd=sum((part.cost_usd for part in parts), Decimal(0)),
        judge_cost_usd=sum((part.judge_cost_usd for part in parts), Decimal(0)),
        budget_usd=budget_usd,
    )
