"""Chooses the evaluator of a lineage. A new one is registered in ``USE_CASES`` (schemas/use_cases.py)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from evaluators.case_assertions import CaseAssertions
from evaluators.case_checks import CaseChecks
from evaluators.checks import Checks
from evaluators.generation import RubricJudge
from evaluators.lineage_evaluator import LineageEvaluator
from evaluators.output_contract import OutputContract
from evaluators.own_scorer import SCORER, OwnScorer, own_scorer
from evaluators.pairwise import PairwiseJudge
from evaluators.parts import EvaluatorSources, MetricGroup
from schemas.config import LineageConfig, ModelConfig
from schemas.ports import CodeScorers, Evaluator, ScorerSource
from schemas.prompts import Finding, PromptFile
from schemas.rubrics import Rubric
from schemas.testsets import TestCase
from schemas.use_cases import USE_CASES, UseCase


def evaluator_for(
    lineage: LineageConfig,
    prompt: PromptFile | None,
    rubric: Rubric | None,
    judges: Sequence[ModelConfig] | None,
    *,
    cases: Sequence[TestCase] = (),
    added: Sequence[TestCase] = (),
    scorer: ScorerSource | None = None,
    scorers: CodeScorers | None = None,
    calibrated: bool | None = None,
) -> Evaluator:
    """Returns the evaluator that the lineage's configuration describes.

    Everything comes from the base commit, including ``prompt``, whose inline evaluators score a generation lineage
    without a rubric. ``cases`` are the gating ones; they name the fields of an extraction that lists none. ``added``
    are those that the pull request adds. ``scorer`` is the code of the lineage's own scorer, which ``scorers`` runs.
    Without ``scorers``, everything is checked but nothing can be scored by it. ``calibrated`` says that the judge is
    known to agree with people (evaluators/calibration.py). Only then do its metrics gate.

    Raises ConfigError if nothing can be scored.
    """
    sources = EvaluatorSources(
        lineage,
        prompt,
        rubric,
        tuple(judges or ()),
        cases,
        added,
        judge_gates=calibrated is True,
        scorer=scorer,
        scorers=scorers,
    )
    parts = list(_parts(sources))
    forbids = bool(lineage.canaries) or any(case.must_not for case in cases)
    contract = OutputContract(lineage) if lineage.output is not None else None
    return LineageEvaluator(
        parts,
        forbidden_gates=forbids and not parts[0].metrics[0].gates,
        contract=contract,
        canaries=lineage.canaries,
    )


def check_expectations(evaluator: Evaluator, cases: Iterable[TestCase]) -> tuple[Finding, ...]:
    """Returns one Finding for each case that the evaluator can't score. Fix them before anything runs."""
    return tuple(problem for case in cases if (problem := evaluator.problem(case)) is not None)


def _parts(sources: EvaluatorSources) -> Iterator[MetricGroup]:
    """Yields the part with the overall metric first."""
    module, _, function = USE_CASES[sources.lineage.use_case].builds.partition(":")
    build: Callable[[EvaluatorSources], MetricGroup] = getattr(importlib.import_module(module), function)
    overall = build(sources)
    yield overall
    if sources.rubric is not None and not isinstance(overall, RubricJudge | PairwiseJudge):
        yield RubricJudge(sources.rubric, sources.needed_judges(), gates=sources.judge_gates, name="rubric")
    if sources.scorer is not None and not isinstance(overall, OwnScorer):
        yield own_scorer(sources, name=SCORER)
    if sources.lineage.checks and not isinstance(overall, Checks):
        yield Checks(sources.lineage.checks, overall=False)
    if not isinstance(overall, CaseAssertions):
        labeled = sources.lineage.use_case != UseCase.GENERATION
        asserted = CaseAssertions(overall=False, labeled=labeled)
        if any(asserted.of(case) for case in (*sources.cases, *sources.added)):
            yield asserted
    if not isinstance(overall, CaseChecks) and any(case.must for case in (*sources.cases, *sources.added)):
        yield CaseChecks(overall=False)
