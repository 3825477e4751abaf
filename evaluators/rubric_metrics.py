"""The metrics of judges that apply a rubric, whichever way they judge: one for the whole, one for each dimension."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from evaluators.judging import Reading, T
from evaluators.parts import Scores
from schemas.config import ModelConfig
from schemas.outcomes import EvaluatorFailure, MetricKind, MetricSpec
from schemas.prompts import Finding
from schemas.rubrics import Rubric
from schemas.testsets import TestCase
from schemas.values import digest_of


class RubricMetrics:
    """The metric ``name``, which is the weighted mean of the dimensions, then one metric for each dimension.

    ``gates`` says whether the metrics can decide, which only those of a judge that agrees with people should.
    """

    asks: ClassVar = True
    ignores_case: ClassVar = False
    algorithm: ClassVar[str]
    """Name and version of the way of judging. It is part of the requests, so raising it asks every judge again."""
    kinds: ClassVar[tuple[MetricKind, MetricKind]]
    """The kind of the mean, and that of the dimensions."""

    def __init__(self, rubric: Rubric, judges: Sequence[ModelConfig], *, gates: bool, name: str) -> None:
        self._rubric = rubric
        self._judges = tuple(judges)
        self._gates = gates
        self._name = name

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """The mean, then the dimensions in the order of the rubric."""
        whole, part = self.kinds
        return (
            MetricSpec(name=self._name, kind=whole, gates=self._gates),
            *(MetricSpec(name=name, kind=part, gates=self._gates) for name in self._rubric.dimensions),
        )

    @property
    def version(self) -> str:
        """The version of the algorithm and a digest of the rubric and the judges."""
        versions = [self._version(judge) for judge in self._judges]
        return versions[0] if len(versions) == 1 else f"{self.algorithm}-{digest_of(versions)[:16]}"

    def _version(self, judge: ModelConfig) -> str:
        """Returns the version of one judge. It is part of its requests, which don't depend on the other judges."""
        asked = [judge.provider, judge.origin, judge.model, judge.parameters.model_dump(mode="json")]
        settings = [self._rubric.model_dump(mode="json"), list(self._rubric.dimensions), asked]
        return f"{self.algorithm}-{digest_of(settings)[:16]}"

    def problem(self, case: TestCase) -> Finding | None:  # noqa: ARG002 - a rubric needs nothing of a case
        """Returns ``None``: every case can be judged."""
        return None

    def failed(self, why: Reading[T]) -> Scores:
        """Returns the failure of every metric."""
        return tuple(
            EvaluatorFailure(metric=spec.name, message=why.problem, kind=why.kind, hint=why.fix)
            for spec in self.metrics
        )
