"""Which evaluator scores a lineage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

from evaluators.checks import Checks
from evaluators.classification import Classification
from evaluators.extraction import Extraction, rules_by_example, unexpected
from evaluators.generation import RubricJudge
from evaluators.inline import InlineEvaluators
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
    prompt: PromptFile | None,
    rubric: Rubric | None,
    judge: ModelConfig | None,
    *,
    cases: Sequence[TestCase] = (),
    calibrated: bool | None = None,
) -> Evaluator:
    """The evaluator that the lineage's configuration describes.

    Everything comes from the base commit: ``prompt`` too, whose inline evaluators score a generation lineage that has
    no rubric. ``cases`` are the gating ones: they tell the fields of an extraction that doesn't list them.
    ``calibrated``: the judge is known to agree with people (evaluators/calibration.py). Only then do its metrics gate.

    Raises ConfigError for what can't be scored.
    """
    parts = list(_parts(lineage, prompt, rubric, judge, cases, gates=calibrated is True))
    forbids = any(case.must_not for case in cases)
    return LineageEvaluator(parts, forbidden_gates=forbids and not parts[0].metrics[0].gates)


def check_expectations(evaluator: Evaluator, cases: Iterable[TestCase]) -> tuple[Finding, ...]:
    """One Finding for each case that the evaluator can't score; nothing may be run before they are mended."""
    return tuple(problem for case in cases if (problem := evaluator.problem(case)) is not None)


def _parts(
    lineage: LineageConfig,
    prompt: PromptFile | None,
    rubric: Rubric | None,
    judge: ModelConfig | None,
    cases: Sequence[TestCase],
    *,
    gates: bool,
) -> Iterator[Part]:
    """The part with the overall metric first."""
    inline = prompt.evaluators if prompt is not None else ()
    checks = lineage.checks
    if lineage.use_case is UseCase.CLASSIFICATION:
        yield Classification(lineage.labels, several=lineage.multi_label)
    elif lineage.use_case is UseCase.EXTRACTION:
        yield _extraction(lineage, cases)
    elif rubric is None and inline:
        yield InlineEvaluators(inline, judge, gates=gates)
    elif rubric is None:
        if not checks:
            raise ConfigError(
                "there is nothing to score generated text by", mend="add `rubric:` or `checks:` to the lineage"
            )
        yield Checks(checks, overall=True)
        return
    if rubric is not None:
        if judge is None:
            raise ConfigError("a rubric needs a judge", mend="add `judge: {model: …}` to the lineage")
        name = "overall" if lineage.use_case is UseCase.GENERATION else "rubric"
        yield RubricJudge(rubric, judge, gates=gates, name=name)
    if checks:
        yield Checks(checks, overall=False)


def _extraction(lineage: LineageConfig, cases: Sequence[TestCase]) -> Part:
    fields = lineage.fields or rules_by_example(case.expected for case in cases)
    if not fields:
        raise ConfigError(
            "an extraction needs fields", mend="list them under `fields:`, or let `expected` be a map of fields"
        )
    if cases and (idle := unexpected(fields, (case.expected for case in cases))):
        known = sorted({name for case in cases if isinstance(case.expected, dict) for name in case.expected})
        near = get_close_matches(idle[0], known, 1)
        raise ConfigError(
            f"no case says what the field «{idle[0]}» should be, so every answer would be right about it",
            mend=f"did you mean {near[0]}?" if near else "add it to `expected` (`a.b` is b inside a), or drop its rule",
        )
    return Extraction(fields)
