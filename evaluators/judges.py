"""The judge that a lineage configures: it grades each answer, or compares those of both versions."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.generation import RubricJudge
from evaluators.pairwise import PairwiseJudge
from schemas.config import LineageConfig, ModelConfig
from schemas.rubrics import Rubric


def judge_of(
    lineage: LineageConfig, rubric: Rubric, judges: Sequence[ModelConfig], *, gates: bool
) -> RubricJudge | PairwiseJudge:
    """Returns the judge of generated text. ``gates`` says whether its metrics can decide."""
    if lineage.pairwise:
        return PairwiseJudge(rubric, judges, gates=gates)
    return RubricJudge(rubric, judges, gates=gates)
