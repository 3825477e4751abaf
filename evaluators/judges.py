"""The judge that a lineage configures: it grades each answer, or compares those of both versions."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.generation import RubricJudge
from evaluators.pairwise import PairwiseJudge
from schemas.config import JudgeConfig, JudgeMode, ModelConfig
from schemas.rubrics import Rubric


def is_pairwise(config: JudgeConfig | None) -> bool:
    """Returns whether the judge compares the answers of both versions."""
    return config is not None and config.mode is JudgeMode.PAIRWISE


def judge_of(
    config: JudgeConfig | None, rubric: Rubric, judges: Sequence[ModelConfig], *, gates: bool
) -> RubricJudge | PairwiseJudge:
    """Returns the judge of generated text. ``gates`` says whether its metrics can decide."""
    if is_pairwise(config):
        return PairwiseJudge(rubric, judges, gates=gates)
    return RubricJudge(rubric, judges, gates=gates)
