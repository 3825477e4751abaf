"""Everything known before the first call: each changed lineage and model with its plan, or why it has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.readers.bounded import shown
from schemas.detection import Detection, End, Ending, LineageChange, ModelPair
from schemas.errors import ConfigError
from schemas.ports import CodeScorers, PriceTable, TemplateRenderer
from schemas.prompts import PromptFile
from schemas.pullrequests import PullRequest
from schemas.testsets import TestSet
from schemas.verdicts import Reason, ReasonCode, VerdictStatus

if TYPE_CHECKING:
    from engine.planning.plan import Plan

PLACES = 5
"""Most places that a sentence names."""


@dataclass(frozen=True)
class PlannedLineage:
    """One lineage and one model, with its plan or the reason why it has none."""

    change: LineageChange
    model: str
    plan: Plan | None
    reasons: tuple[Reason, ...] = ()
    """Reasons why there is no plan."""

    @property
    def is_measured(self) -> bool:
        """Whether it is paid for."""
        return self.plan is not None and self.change.measured


@dataclass(frozen=True)
class Prepared:
    """Everything known before the first call."""

    pull_request: PullRequest
    detection: Detection
    entries: tuple[PlannedLineage, ...]

    @property
    def runs(self) -> bool:
        """Whether there is anything to measure."""
        return any(entry.plan is not None for entry in self.entries)

    def close(self) -> None:
        """Ends the processes of own scorers. Another measurement starts them again."""
        for entry in self.entries:
            if entry.plan is not None:
                entry.plan.scorers.close()

    @property
    def measured(self) -> tuple[tuple[PlannedLineage, Plan], ...]:
        """What is paid for, with its plan."""
        return tuple((entry, entry.plan) for entry in self.entries if entry.plan is not None and entry.is_measured)


def plan(
    pull_request: PullRequest,
    detection: Detection,
    renderer: TemplateRenderer,
    prices: PriceTable,
    scorers: CodeScorers,
    *,
    only: Sequence[str] = (),
) -> Prepared:
    """Plans the experiments of the detected changes. Renders every prompt for every case, which may take long."""
    changes = [change for change in detection.lineages if not only or change.name in only]
    entries = [entry for change in changes for entry in _entries(change, renderer, prices, scorers)]
    return Prepared(pull_request=pull_request, detection=detection, entries=tuple(entries))


def _entries(
    change: LineageChange, renderer: TemplateRenderer, prices: PriceTable, scorers: CodeScorers
) -> list[PlannedLineage]:
    def without_plan(*reasons: Reason) -> list[PlannedLineage]:
        if change.measured and not any(_holds_back(reason) for reason in (*reasons, *change.reasons)):
            sentence = f"{change.name} could not be measured, so there is no verdict."
            nothing = Reason(code=ReasonCode.NOTHING_MEASURED, status=VerdictStatus.ERROR, sentence=sentence)
            reasons = (*reasons, nothing)
        names = [pair.name for pair in change.models] or [""]
        return [PlannedLineage(change=change, model=name, plan=None, reasons=reasons) for name in names]

    if change.unreadable is not None and not _says_unreadable(change):
        sentence = f"The candidate prompt can't be read: {change.unreadable}."
        return without_plan(Reason(code=ReasonCode.UNREADABLE, status=VerdictStatus.ERROR, sentence=sentence))
    if change.candidate is None or not change.models or change.tests is None:
        return without_plan()
    if _lacks_grading(change):
        return without_plan()  # the change's reasons already say why it can't be read
    entries = []
    for pair in change.models:
        planned = _planned(
            change, change.candidate, change.tests, pair, renderer=renderer, prices=prices, scorers=scorers
        )
        if isinstance(planned, Reason):
            entries.append(PlannedLineage(change=change, model=pair.name, plan=None, reasons=(planned,)))
        else:
            entries.append(PlannedLineage(change=_settled(change, planned), model=pair.name, plan=planned))
    return entries


def _says_unreadable(change: LineageChange) -> bool:
    return any((one.code, one.status) == (ReasonCode.UNREADABLE, VerdictStatus.ERROR) for one in change.reasons)


def _lacks_grading(change: LineageChange) -> bool:
    return bool(change.config.rubric and change.rubric is None) or bool(change.config.scorer and change.scorer is None)


def _planned(
    change: LineageChange,
    candidate: PromptFile,
    tests: TestSet,
    pair: ModelPair,
    *,
    renderer: TemplateRenderer,
    prices: PriceTable,
    scorers: CodeScorers,
) -> Plan | Reason:
    """Plans the experiment of one model, or returns the reason why it can't be measured."""
    from engine.planning.canaries import check_canaries
    from engine.planning.plan import ArmSource, Plan, plan_experiment
    from evaluators.registry import check_expectations, evaluator_for

    try:
        evaluator = evaluator_for(
            change.config,
            change.judged_by,
            change.rubric,
            change.judges,
            cases=tests.cases,
            added=change.added_cases,
            scorer=change.scorer,
            # What isn't measured runs no code: its scorer may be the pull request's own.
            scorers=scorers if change.measured else None,
        )
        findings = check_expectations(evaluator, (*tests.cases, *change.added_cases))
        if findings:
            raise ConfigError(findings[0].what, where=findings[0].where or tests.path, hint=findings[0].hint)
        before = change.baseline or change.reference
        stale = check_canaries(change.config.canaries, [prompt for prompt in (before, candidate) if prompt])
        planned = plan_experiment(
            lineage=change.name,
            model=pair.name,
            config=change.config,
            gate=change.gate,
            baseline=ArmSource(before, pair.baseline or pair.candidate) if before else None,
            candidate=ArmSource(candidate, pair.candidate),
            tests=tests.cases,
            added=change.added_cases,
            evaluator=evaluator,
            judges=change.judges,
            renderer=renderer,
            prices=prices,
            scorers=scorers,
        )
        return replace(planned, warnings=(*planned.warnings, *stale)) if isinstance(planned, Plan) else planned
    except ConfigError as error:
        sentence = f"It can't be measured: {error}."
        return Reason(code=ReasonCode.UNREADABLE, status=VerdictStatus.ERROR, sentence=sentence)


def _settled(change: LineageChange, plan: Plan) -> LineageChange:
    """Returns the change with the results of planning: a difference that should be measured but reaches no request
    needs review."""
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
    sentence = f"{change.name}: {shown(path)} changed, but was not measured completely: {why}."
    reason = Reason(code=ReasonCode.UNMEASURED, status=VerdictStatus.NEEDS_REVIEW, sentence=sentence)
    return change.model_copy(update={"endings": endings, "reasons": (*change.reasons, reason)})


def _is_measured(ending: Ending) -> bool:
    return ending.end is End.MEASURED and ending.what in ("prompt", "partial") and ending.why != "test data"


def _holds_back(reason: Reason) -> bool:
    """Returns whether a reason explains why nothing was measured.

    A doubt about the prompt's text doesn't: without a measurement it is an error, which a review can't clear.
    """
    doubt = reason.code is ReasonCode.QUOTED_CASES
    return not doubt and reason.status in (VerdictStatus.BLOCKED, VerdictStatus.ERROR, VerdictStatus.NEEDS_REVIEW)
