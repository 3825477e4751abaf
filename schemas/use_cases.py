"""The use cases of lineages. A new one is an entry here and the module that ``builds`` names."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class UseCase(StrEnum):
    """The use cases with their own settings, findings or charts."""

    CLASSIFICATION = "classification"
    EXTRACTION = "extraction"
    GENERATION = "generation"
    AGENT = "agent"


@dataclass(frozen=True, kw_only=True)
class UseCaseSpec:
    """How to score outputs of a lineage."""

    builds: str
    """``module:function``, which takes ``EvaluatorSources`` and returns the ``MetricGroup`` with the overall metric."""


USE_CASES: dict[str, UseCaseSpec] = {
    UseCase.CLASSIFICATION.value: UseCaseSpec(builds="evaluators.classification:part"),
    UseCase.EXTRACTION.value: UseCaseSpec(builds="evaluators.extraction:part"),
    UseCase.GENERATION.value: UseCaseSpec(builds="evaluators.generated_text:part"),
    UseCase.AGENT.value: UseCaseSpec(builds="evaluators.trajectory:part"),
}
