"""The parts of a lineage's evaluator, and their sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.config import LineageConfig, ModelConfig
from schemas.errors import ConfigError
from schemas.outcomes import MetricSpec, Scores
from schemas.ports import Ask, CodeScorers, ScorerSource
from schemas.prompts import Finding, PromptFile
from schemas.rubrics import Rubric
from schemas.testsets import TestCase

__all__ = ["EvaluatorSources", "MetricGroup", "Scores", "finding"]


@dataclass(frozen=True)
class EvaluatorSources:
    """Everything from which an evaluator can be built. All of it comes from the base commit."""

    lineage: LineageConfig
    prompt: PromptFile | None
    rubric: Rubric | None
    judges: tuple[ModelConfig, ...]
    cases: Sequence[TestCase]
    """The gating cases."""
    added: Sequence[TestCase]
    """Those that the pull request adds."""
    judge_gates: bool
    """Whether the judge is known to agree with people, so that its grades can decide."""
    scorer: ScorerSource | None = None
    """The code of the lineage's own scorer."""
    scorers: CodeScorers | None = None
    """What runs it."""

    def needed_judges(self) -> tuple[ModelConfig, ...]:
        """Returns the judges of the rubric. Raises ConfigError if there is none."""
        if not self.judges:
            raise ConfigError("a rubric needs a judge", hint="add `judge: {model: …}` to the lineage")
        return self.judges


class MetricGroup(Protocol):
    """Scores one aspect of an output: the use case, the rubric, the checks. No output makes it raise."""

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """The metrics that it reports for every case."""
        ...

    @property
    def version(self) -> str:
        """The algorithm's version number and its settings. It must change whenever scores may change."""
        ...

    @property
    def asks(self) -> bool:
        """Whether it asks a judge. A judge isn't asked about an answer that has already failed."""
        ...

    @property
    def ignores_case(self) -> bool:
        """Whether its scores depend only on the answer, not on the case."""
        ...

    def problem(self, case: TestCase) -> Finding | None:
        """Returns why ``case`` can't be scored, or ``None``. Called before any call to a model."""
        ...

    async def score(self, case: TestCase, output: str, ask: Ask) -> Scores:
        """Returns one entry for each metric, in order. ``output`` is untrusted."""
        ...


def finding(case: TestCase, what: str, hint: str) -> Finding:
    """Returns a Finding about ``case``, with its place if it is known."""
    return Finding(what=f"case “{case.id}”: {what}", where=case.where, hint=hint)
