"""Which evaluator scores a lineage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evaluators.classification import Classification
from evaluators.extraction import Extraction, rules_by_example
from evaluators.lineage_evaluator import LineageEvaluator
from evaluators.parts import Part
from schemas.config import LineageConfig, ModelConfig
from schemas.errors import ConfigError
from schemas.ports import Evaluator
from schemas.prompts import Finding, PromptFile, UseCase
from schemas.rubrics import Rubric
from schemas.testsets import TestCase


def evaluator_for(
    lineage: LineageConfig,
    prompt: PromptFile | None,  # noqa: ARG001
    rubric: Rubric | None,  # noqa: ARG001
    judge: ModelConfig | None,  # noqa: ARG001
    *,
    cases: Sequence[TestCase] = (),
    calibrated: bool | None = None,  # noqa: ARG001
) -> Evaluator:
    """The evaluator that the lineage's configuration describes.

    Everything comes from the base commit: ``prompt`` too, whose inline evaluators are used by a generation lineage
    without a rubric. ``cases`` (the gating ones) tell the fields of an extraction that doesn't list them.
    ``calibrated`` says whether the judge agrees with people (evaluators/calibration.py): only then do its metrics gate.

    Raises ConfigError for what can't be scored.
    """
    return LineageEvaluator([_use_case(lineage, cases)])


def check_expectations(evaluator: Evaluator, cases: Iterable[TestCase]) -> tuple[Finding, ...]:
    """One Finding for each case that the evaluator can't score; nothing may be run before they are mended."""
    return tuple(problem for case in cases if (problem := evaluator.problem(case)) is not None)


def _use_case(lineage: LineageConfig, cases: Sequence[TestCase]) -> Part:
    if lineage.use_case is UseCase.CLASSIFICATION:
        return Classification(lineage.labels, several=lineage.multi_label)
    if lineage.use_case is UseCase.EXTRACTION:
        return _extraction(lineage, cases)
    raise ConfigError("there is nothing to score generated text by", mend="add `rubric:` or `checks:` to the lineage")


def _extraction(lineage: LineageConfig, cases: Sequence[TestCase]) -> Part:
    fields = lineage.fields or rules_by_example(case.expected for case in cases)
    if not fields:
        raise ConfigError(
            "an extraction needs fields", mend="list them under `fields:`, or let `expected` be a map of fields"
        )
    return Extraction(fields)
