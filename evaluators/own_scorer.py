"""Scores an output by a team's own code: the function ``handler`` of a file at the base commit.

The code runs elsewhere (the port ``CodeScorers``). What it returns is untrusted: anything but a score is a missing
value, which names the case, the file and the fix.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from pydantic import JsonValue

from evaluators.parts import EvaluatorSources, Scores
from evaluators.text import shown
from schemas.config import ScorerKind
from schemas.errors import ConfigError
from schemas.outcomes import EvaluatorFailure, MetricKind, MetricSpec, Score
from schemas.ports import Ask, CodeScorers, ScorerCase, ScorerJob, ScorerProblem, ScorerSource
from schemas.prompts import Finding
from schemas.testsets import TestCase

RETURN = "return a number from 0 to 1, True, False, or a dict with a score"
CHECK = "return True or False, or a dict with passed"
SCORER = "scorer"
"""The name of a scorer's metric beside others."""
REASON = 300
"""Most characters of a reason."""


def own_scorer(sources: EvaluatorSources, *, name: str) -> OwnScorer:
    """Returns the lineage's own scorer as a metric or check of this name. Raises ConfigError if it can't run here."""
    assert sources.scorer is not None
    return OwnScorer(sources.scorer, sources.scorers, _kind(sources), name=name)


def is_metric(sources: EvaluatorSources) -> bool:
    """Returns whether the own scorer gives a score, and not only a pass or a failure."""
    return _kind(sources) is ScorerKind.METRIC


def _kind(sources: EvaluatorSources) -> ScorerKind:
    config = sources.lineage.own_scorer
    return config.kind if config is not None else ScorerKind.METRIC


class Returned(NamedTuple):
    """A value of the handler, as read."""

    value: float
    reason: str


class OwnScorer:
    """One metric, or one check: what the handler returns. Raises ConfigError if the code can't run here.

    ``scorers`` is ``None`` where nothing will be scored, such as in the pull request that adds the file.
    """

    asks: ClassVar = False
    ignores_case: ClassVar = False

    def __init__(self, source: ScorerSource, scorers: CodeScorers | None, kind: ScorerKind, *, name: str) -> None:
        self._source = source
        self._scorers = scorers
        self._kind = kind
        self._name = name
        if scorers is not None and (problem := scorers.problem(source)) is not None:
            raise ConfigError(problem.what, where=_place(source, problem), hint=problem.hint)

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """The only metric."""
        kind: MetricKind = "check" if self._kind is ScorerKind.CHECK else "metric"
        return (MetricSpec(name=self._name, kind=kind),)

    @property
    def version(self) -> str:
        """The version of the algorithm and the digest of the code."""
        return f"own-scorer-1-{self._kind.value}-{self._source.digest[:32]}"

    def problem(self, case: TestCase) -> Finding | None:  # noqa: ARG002 - the code decides what it needs
        """Returns ``None``: only the code knows what it needs of a case."""
        return None

    async def score(self, case: TestCase, output: str, ask: Ask) -> Scores:  # noqa: ARG002 - needs no judge
        """Returns the handler's score, or why there is none."""
        assert self._scorers is not None
        known = ScorerCase(id=case.id, inputs=case.inputs, slices=case.slices, tags=case.tags, notes=case.notes)
        job = ScorerJob(output=output, expected=case.expected, case=known)
        returned = await self._scorers.value(self._source, job)
        found = returned if isinstance(returned, ScorerProblem) else read_returned(returned, self._kind)
        if isinstance(found, ScorerProblem):
            what = f"{_place(self._source, found)}: {found.what}"
            return (EvaluatorFailure(metric=self._name, message=what, hint=found.hint, case=case.id),)
        return (Score(metric=self._name, value=found.value, reason=found.reason, answer=shown(output, 400)),)


def read_returned(value: JsonValue, kind: ScorerKind) -> Returned | ScorerProblem:
    """Returns what the handler's value says. ``passed`` (or ``pass``) of a dict decides a check, and as false, it
    makes any score 0."""
    told: Mapping[str, JsonValue] = value if isinstance(value, dict) else {"score": value}
    reason, passed = told.get("reason"), told.get("passed", told.get("pass"))
    score = passed if kind is ScorerKind.CHECK and passed is not None else told.get("score")
    if what := _mistake(told, score, passed, kind):
        return ScorerProblem(what=f"handler returned {what}", hint=CHECK if kind is ScorerKind.CHECK else RETURN)
    assert isinstance(score, bool | int | float)
    text = shown(reason, REASON) if isinstance(reason, str) else ""
    if passed is False and score:
        return Returned(0, text or "the scorer returned passed: False")
    return Returned(float(score), text if text or score == 1 else f"the scorer returned {score:g}")


def _mistake(told: Mapping[str, JsonValue], score: JsonValue, passed: JsonValue, kind: ScorerKind) -> str:
    """Returns what is wrong with a returned value; empty if nothing is."""
    if score is None:
        return "None, which is not a score" if "score" in told else "a dict without a score"
    if not isinstance(score, bool | int | float):
        return f"a {type(score).__name__} as score"
    if not 0 <= score <= 1:  # NaN too
        return f"the score {shown(str(score), 40)}"
    if kind is ScorerKind.CHECK and score not in (0, 1):
        return f"the score {score:g} for a check"
    if not isinstance(told.get("reason"), str | None):
        return "a reason that is not a text"
    return "" if isinstance(passed, bool | None) else "a `passed` that is not a bool"


def _place(source: ScorerSource, problem: ScorerProblem) -> str:
    path = shown(source.path, 200)
    return path if problem.line is None else f"{path}:{problem.line}"
