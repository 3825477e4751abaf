"""The use cases that a lineage can have. A new one is an entry here and the module that ``builds`` names."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class UseCase(StrEnum):
    """Those that ship with settings, findings or charts of their own."""

    CLASSIFICATION = "classification"
    EXTRACTION = "extraction"
    GENERATION = "generation"


@dataclass(frozen=True, kw_only=True)
class UseCaseSpec:
    """How outputs of a lineage are scored."""

    builds: str
    """``module:function``, which takes ``Sources`` and returns the ``Part`` with the overall metric."""


USE_CASES: dict[str, UseCaseSpec] = {
    UseCase.CLASSIFICATION.value: UseCaseSpec(builds="evaluators.classification:part"),
    UseCase.EXTRACTION.value: UseCaseSpec(builds="evaluators.extraction:part"),
    UseCase.GENERATION.value: UseCaseSpec(builds="evaluators.generated_text:part"),
}
