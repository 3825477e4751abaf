"""The output of ``promptverdict plan``: what would run and why, with calls, tokens and USD by arm."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from engine.doubts.calibrate import grading_requests, labels_of
from engine.doubts.judge_probes import PROBES
from engine.planning.call_cost import BYTES_PER_TOKEN, UNLIMITED_OUTPUT, estimate, worst_case
from engine.readers.bounded import shown
from engine.readers.dialects import variables_of, written
from engine.runner.experiment import by_judge
from evaluators.generation import RubricJudge
from evaluators.judges import judge_of
from evaluators.pairwise import PairwiseJudge
from schemas.errors import ConfigError
from schemas.outcomes import Arm
from schemas.pricing import Usd
from schemas.prompts import Finding
from schemas.scorecard import Change
from schemas.values import Value
from schemas.verdicts import Reason

if TYPE_CHECKING:
    from engine.planning.plan import Plan
    from engine.planning.prepared import PlannedLineage, Prepared
    from schemas.detection import LineageChange
    from schemas.prompts import PromptFile, Request

NAMED = 8
"""Variables that a sentence names."""


class ArmReport(Value):
    """One run of every case whose request differs between the arms."""

    arm: Arm
    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: Usd
    """Expected."""
    worst_usd: Usd
    """Cost if every answer were as long as its limit."""


class JudgeReport(Value):
    """Judge calls: one grading of each answer of both arms, or one comparison of each case's two, of the sample answers
    that people graded, and of the probes."""

    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: Usd
    """Expected."""
    worst_usd: Usd
    """Cost if every answer and every grade were as long as its limit."""


class ExperimentReport(Value):
    """The plan of one lineage and one model."""

    lineage: str
    model: str
    cases: int
    identical: int
    """Cases with the same request in both arms, which need no call."""
    slices: dict[str, int]
    files: dict[str, int]
    """Cases in each file of the test set. Empty if it has only one."""
    columns: dict[str, tuple[str, ...]]
    """By the key of a case: the test set's own names for it. Empty where it uses ours."""
    reading: str | None
    """How the prompt is filled in; ``None``: it can't be read."""
    changes: tuple[Change, ...]
    arms: tuple[ArmReport, ...]
    judge: JudgeReport | None
    """``None``: no rubric is used."""
    scorer: str | None
    """The lineage's own scorer with its digest; ``None``: it has none."""
    reasons: tuple[Reason, ...]
    """Reasons that are already known, or why nothing can be measured."""
    warnings: tuple[Finding, ...]


class PlanReport(Value):
    """The whole plan. Making it costs nothing."""

    base: str
    merge_base: str | None
    head: str
    experiments: tuple[ExperimentReport, ...]
    unaffected: int
    cost_usd: Usd
    worst_usd: Usd
    budget_usd: Usd
    reasons: tuple[Reason, ...]
    warnings: tuple[Finding, ...]


def plan_report(prepared: Prepared) -> PlanReport:
    """Summarizes a prepared pull request."""
    experiments = tuple(map(_experiment, prepared.entries))
    paid: list[ArmReport | JudgeReport] = [arm for each in experiments for arm in each.arms]
    paid += [each.judge for each in experiments if each.judge is not None]
    detection = prepared.detection
    return PlanReport(
        base=prepared.pull_request.base_sha,
        merge_base=prepared.detection.merge.base,
        head=prepared.pull_request.head_sha,
        experiments=experiments,
        unaffected=detection.unaffected,
        cost_usd=sum((part.cost_usd for part in paid), Decimal(0)),
        worst_usd=sum((part.worst_usd for part in paid), Decimal(0)),
        budget_usd=detection.budget_usd,
        reasons=detection.reasons,
        warnings=detection.warnings,
    )


def _experiment(entry: PlannedLineage) -> ExperimentReport:
    plan = entry.plan
    slices: dict[str, int] = {}
    for case in plan.cases if plan else ():
        for name in case.slices:
            slices[name] = slices.get(name, 0) + 1
    return ExperimentReport(
        lineage=entry.change.name,
        model=entry.model,
        cases=len(plan.cases) if plan else 0,
        identical=sum(plan.identical) if plan else 0,
        slices=slices,
        files=entry.change.tests.counts if entry.change.tests else {},
        columns=entry.change.tests.mapping if entry.change.tests else {},
        reading=_reading(entry.change.candidate),
        changes=entry.change.changes,
        arms=tuple(
            ArmReport(
                arm=arm,
                model=arm_plan.endpoint.model.model,
                calls=plan.estimates[arm].calls,
                input_tokens=plan.estimates[arm].input_tokens,
                output_tokens=plan.estimates[arm].output_tokens,
                cost_usd=plan.estimates[arm].cost_usd,
                worst_usd=plan.estimates[arm].worst_usd,
            )
            for arm, arm_plan in plan.arms.items()
        )
        if plan
        else (),
        judge=_judge(entry, plan) if plan else None,
        scorer=_scorer(entry.change),
        reasons=(*entry.reasons, *entry.change.reasons),
        warnings=(*entry.change.warnings, *(plan.warnings if plan else ())),
    )


def _calibration(change: LineageChange) -> list[list[Request]]:
    """Returns the requests about each answer that people graded."""
    try:
        return [[request for request, _ in each] for each in grading_requests(change, labels_of(change))]
    except ConfigError:  # said by the run, which then doesn't ask about any of them
        return []


def _places(prompt: PromptFile) -> list[str]:
    """Returns the places of a prompt's messages, each once."""
    return list(dict.fromkeys(map(str, prompt.origins)))


def _reading(prompt: PromptFile | None) -> str | None:
    """Returns the format of a prompt, how its variables are written, and what is sent in addition to it."""
    if prompt is None:
        return None
    names = sorted(variables_of(prompt))
    said = f"read from {', '.join(map(shown, _places(prompt)))}" if prompt.origins else f"read as {prompt.format}"
    if prompt.asks is not None:
        said += f"; the case's {shown(prompt.asks)} is sent as the user's message"
        names.remove(prompt.asks)
    if names:
        listed = ", ".join(shown(name) for name in names[:NAMED]) + (", …" if len(names) > NAMED else "")
        said += f"; {prompt.dialect} variables: {listed}, written {written(prompt.dialect, shown(names[0]))}"
    return said if names or prompt.asks else f"{said}; it has no variables"


def _scorer(change: LineageChange) -> str | None:
    """Returns the path, the digest and the kind of the own scorer that counts."""
    source, config = change.scorer, change.config.own_scorer
    if source is None or config is None:
        return None
    return f"{shown(source.path)} from the base (sha256 {source.digest[:16]}), {config.kind}"


def _judge(entry: PlannedLineage, plan: Plan) -> JudgeReport | None:
    """Returns the expected judge calls. An answer is assumed to have its estimated length, a reply a quarter of its
    limit."""
    change = entry.change
    if change.rubric is None or not change.judges:
        return None
    judge = judge_of(change.config, change.rubric, change.judges, gates=False)
    expected, longest = (_judged(judge, entry, plan, longest=at_most) for at_most in (False, True))
    found = [estimate(own, one.price) for one, own in by_judge(plan.judges, expected)]
    worst = (worst_case(each, one.price) for one, own in by_judge(plan.judges, longest) for each in own)
    return JudgeReport(
        model=", ".join(model.model for model in change.judges),
        calls=sum(one.calls for one in found),
        input_tokens=sum(one.input_tokens for one in found),
        output_tokens=sum(one.output_tokens for one in found),
        cost_usd=sum((one.cost_usd for one in found), Decimal(0)),
        worst_usd=sum(worst, Decimal(0)),
    )


def _judged(judge: RubricJudge | PairwiseJudge, entry: PlannedLineage, plan: Plan, *, longest: bool) -> list[Request]:
    """Returns every request to the judges, those of the calibration and the probes included."""
    found = [asked for at in range(len(plan.cases)) for asked in _about(judge, plan, at, longest=longest)]
    for number, graded in enumerate(_calibration(entry.change)):
        found += graded * (2 if number < PROBES else 1)
    return found


def _about(judge: RubricJudge | PairwiseJudge, plan: Plan, at: int, *, longest: bool) -> list[Request]:
    """Returns the judges' requests about a case; none if both versions send the same request."""
    lengths = [] if plan.identical[at] else _lengths(plan, at, longest=longest)
    # Other letters, because equal answers are not compared.
    answers = [letter * (length * BYTES_PER_TOKEN) for letter, length in zip("xy", lengths, strict=False)]
    case = plan.cases[at]
    if isinstance(judge, RubricJudge):
        return [asked for answer in answers for asked, _ in judge.requests(case, answer)]
    return [asked for asked, _ in judge.requests(case, *answers)] if len(answers) > 1 else []


def _lengths(plan: Plan, at: int, *, longest: bool) -> list[int]:
    """Returns the tokens of each arm's answer to a case: expected, or at most."""
    found = []
    for arm, arm_plan in plan.arms.items():
        request, estimated = arm_plan.requests[at], plan.estimates[arm]
        if request is not None:
            usual = estimated.output_tokens // max(1, estimated.calls)
            found.append((request.parameters.max_tokens or UNLIMITED_OUTPUT) if longest else usual)
    return found
