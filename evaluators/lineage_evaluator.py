"""The evaluator of one lineage: its use case, what is attached to it, and the rules that hold for all use cases.

Truncated, refused, filtered and empty answers score 0 on every metric. An answer that holds a forbidden text of its
case scores 0 on the use case's metrics, and one that fails a check 0 on the first, whatever a judge says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from evaluators.parts import MetricGroup, Scores, finding
from evaluators.text import one_line, output_text, shown, whole_text
from schemas.errors import ConfigError
from schemas.outcomes import Completion, EvaluatorFailure, Finish, MetricSpec, Score
from schemas.ports import Ask
from schemas.prompts import Finding
from schemas.testsets import TestCase
from schemas.values import digest_of

FORBIDDEN = "must_not"

_FINISHES = {
    Finish.LENGTH: "truncated: the output limit was reached",
    Finish.REFUSAL: "refused by the model",
    Finish.FILTER: "filtered by the provider",
    Finish.EMPTY: "empty answer",
}


class LineageEvaluator:
    """Implements the ``Evaluator`` port. The first part's first metric is the overall score.

    ``forbidden_gates`` adds a check, ``must_not``, for lineages whose overall score doesn't gate: a forbidden text must
    be able to block all the same. Raises ConfigError when two metrics have one name.
    """

    def __init__(self, parts: Sequence[MetricGroup], *, forbidden_gates: bool = False) -> None:
        self._parts = tuple(parts)
        self._forbidden_gates = forbidden_gates
        last = (MetricSpec(name=FORBIDDEN, kind="check"),) if forbidden_gates else ()
        self._metrics = (*(spec for part in parts for spec in part.metrics), *last)
        twice = [name for name, count in Counter(spec.name for spec in self._metrics).items() if count > 1]
        if twice:
            raise ConfigError(
                f"two metrics are called «{twice[0]}»", hint="rename the check, the dimension or the field"
            )

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """What is reported for every case; the first one is the overall score."""
        return self._metrics

    @property
    def version(self) -> str:
        """Differs whenever scores may differ; part of the digests."""
        settings = [[part.version for part in self._parts], self._forbidden_gates]
        return f"evaluator-1-{digest_of(settings)[:32]}"

    @property
    def ignores_case(self) -> bool:
        """Whether the overall score looks at the answer alone, whatever the case asks or expects."""
        return self._parts[0].ignores_case

    def problem(self, case: TestCase) -> Finding | None:
        """Returns why ``case`` can't be scored, found before any call."""
        if not all(map(one_line, case.must_not)):
            return finding(case, "a text of must_not is blank", "every answer holds it: remove it")
        return next((problem for part in self._parts if (problem := part.problem(case)) is not None), None)

    async def score(self, case: TestCase, completion: Completion, *, ask: Ask, repetition: int) -> Scores:  # noqa: ARG002
        """Returns one entry for each metric, in order. Equal outputs are graded once, whatever arm or repetition they
        are."""
        if completion.finish.scores_zero:
            why = _FINISHES[completion.finish]
            return tuple(Score(metric=spec.name, value=0, reason=why) for spec in self._metrics)
        everything = one_line(whole_text(completion)) if case.must_not else ""
        forbidden = next((text for text in case.must_not if one_line(text) in everything), None)
        if forbidden is not None:
            why = f"the answer holds «{shown(forbidden, 40)}», which this case forbids"
            return await self._score_forbidden(case, completion, why, ask)
        scored = [score for part in self._parts for score in await _scored(part, case, completion, ask)]
        if self._forbidden_gates:
            scored.append(Score(metric=FORBIDDEN, value=1))
        failed = next((score for spec, score in zip(self._metrics, scored, strict=True) if _failed(spec, score)), None)
        if isinstance(failed, Score):
            scored[0] = _zero(scored[0], f"the check «{failed.metric}» failed: {failed.reason}")
        return tuple(scored)

    async def _score_forbidden(self, case: TestCase, completion: Completion, why: str, ask: Ask) -> Scores:
        """0 on everything but the checks, which say what they find; no judge is paid for it."""
        scored: list[Score | EvaluatorFailure] = []
        for part in self._parts:
            if part.asks:
                scored += [Score(metric=spec.name, value=0, reason=why) for spec in part.metrics]
            else:
                scored += await _scored(part, case, completion, ask)
        if self._forbidden_gates:
            scored.append(Score(metric=FORBIDDEN, value=0, reason=why))
        zeroed = [
            score if spec.kind == "check" else _zero(score, why)
            for spec, score in zip(self._metrics, scored, strict=True)
        ]
        return tuple(s.model_copy(update={"forbidden": True}) if isinstance(s, Score) else s for s in zeroed)


async def _scored(part: MetricGroup, case: TestCase, completion: Completion, ask: Ask) -> Scores:
    """Returns the part's scores. An answer that it can't take is a missing value: one answer must not end a whole
    run."""
    try:
        return await part.score(case, output_text(completion), ask)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        why = f"this answer can't be scored: {type(error).__name__}: {shown(str(error), 100)}"
        return tuple(EvaluatorFailure(metric=spec.name, message=why) for spec in part.metrics)


def _zero(score: Score | EvaluatorFailure, why: str) -> Score:
    return Score(metric=score.metric, value=0, reason=why, answer=score.answer if isinstance(score, Score) else None)


def _failed(spec: MetricSpec, score: Score | EvaluatorFailure) -> bool:
    return spec.kind == "check" and isinstance(score, Score) and score.value == 0
