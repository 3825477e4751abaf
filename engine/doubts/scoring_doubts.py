"""Limits of a run's scores: reasons that keep a verdict from being approved, whatever the gate decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.doubts.form_drift import form_drift
from engine.gate.reason_text import count
from engine.gate.verdict import DECIDED
from engine.render import figures
from schemas.outcomes import Arm, Outcome, Score
from schemas.prompts import Finding
from schemas.verdicts import Reason, ReasonCode, VerdictStatus

if TYPE_CHECKING:
    from engine.planning.plan import Plan

Levels = dict[str, dict[Arm, list[float]]]
"""Scores by metric and arm."""


def scoring_doubts(
    plan: Plan, outcomes: Sequence[Outcome], labels: Sequence[str], status: VerdictStatus
) -> tuple[Reason, ...]:
    """Returns reasons: no deciding measure of the main metric, checks that never fail, and form drift.

    ``status`` is the gate's. For a block or an error, only form drift may explain it, and the others are left out.
    """
    drifted = form_drift(plan.cases, outcomes, labels) if Arm.BASELINE in plan.arms else ()
    # A blocked or failed verdict can't get stricter. Another form may still explain why it was blocked.
    if status in DECIDED:
        return drifted
    levels = _levels(outcomes)
    return (*_undecided(plan, levels), *_never_fails(plan, levels), *drifted)


def shown_only(plan: Plan, outcomes: Sequence[Outcome]) -> tuple[Finding, ...]:
    """Returns a warning with the levels of each metric that is measured but doesn't decide."""
    levels = _levels(outcomes)
    idle = [spec.name for spec in plan.evaluator.metrics if not spec.gates and spec.name in levels]
    if not idle:
        return ()
    told = "; ".join(f"{name} {_change(levels[name])}" for name in idle)
    # How a judge comes to gate is the calibration's warning to say.
    return (Finding(what=f"shown, but not used for the verdict: {told}", where=plan.lineage),)


def _undecided(plan: Plan, levels: Levels) -> tuple[Reason, ...]:
    """Returns a reason if the main metric comes from a judge that doesn't gate. If nothing gates, the gate itself says
    so."""
    main, *others = plan.evaluator.metrics
    if main.gates or not any(spec.gates for spec in others):
        return ()
    known = f" ({_change(levels[main.name])})" if main.name in levels else ""
    beside = ", ".join(f"`{spec.name}`" for spec in others if spec.gates)
    sentence = (
        f"Only {beside} decides here: `{main.name}`{known} is graded by a judge that is not known to agree with "
        "people. It needs a review."
    )
    return (Reason(code=ReasonCode.NOT_JUDGED, status=VerdictStatus.NEEDS_REVIEW, sentence=sentence),)


def _never_fails(plan: Plan, levels: Levels) -> tuple[Reason, ...]:
    """Returns a reason if checks ignore the case and every answer passes them. Answers to other questions would pass
    too.

    The answers are those of the old prompt, or of the new one if there is no old one.
    """
    main, *others = plan.evaluator.metrics
    arm = Arm.BASELINE if Arm.BASELINE in plan.arms else Arm.CANDIDATE
    scores = levels.get(main.name, {}).get(arm, [])
    # One failed answer proves that the checks can fail. Expected values depend on the case, so they can't be always
    # true.
    if not main.gates or not plan.evaluator.ignores_case or not scores or min(scores) < 1:
        return ()
    names = ", ".join(f"`{spec.name}`" for spec in others)
    whose = "baseline" if arm is Arm.BASELINE else "candidate"
    sentence = (
        f"All {count(len(scores), 'answer')} of the {whose} pass {names}, and nothing else scores this prompt: an "
        "answer to any other question would pass too. It needs a review, unless a rubric or expected values score it."
    )
    return (Reason(code=ReasonCode.NEVER_FAILS, status=VerdictStatus.NEEDS_REVIEW, sentence=sentence),)


def _levels(outcomes: Sequence[Outcome]) -> Levels:
    levels: Levels = {}
    for outcome in outcomes:
        for score in outcome.scores:
            if isinstance(score, Score):
                levels.setdefault(score.metric, {}).setdefault(outcome.cell.arm, []).append(score.value)
    return levels


def _change(of: dict[Arm, list[float]]) -> str:
    """Returns "100.0 → 25.0", or the one level of a new prompt."""
    return " → ".join(figures.points(sum(of[arm]) / len(of[arm])) for arm in Arm if arm in of)
