"""Runs the evaluators of a GitHub prompt file: ``string``, ``llm`` and ``uses: github/…``.

They work as in github/gh-models (cmd/eval), with these differences. A judge's choice must be the only one in its reply,
as a whole word ("1" is not in "10"). A reply without a choice gives no score instead of 0. A variable that no case has
is an error; one that only some cases lack stays in the text. The completion is between tags that it can't close.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from pydantic import JsonValue

from evaluators.generation import RubricJudge
from evaluators.judging import Fence, Reading, ask_judge, judge_request
from evaluators.label_keys import label_key
from evaluators.labels import LabelReader
from evaluators.parts import Scores, finding
from evaluators.text import shown
from schemas.config import ModelConfig
from schemas.errors import ConfigError
from schemas.outcomes import EvaluatorFailure, MetricSpec, Score
from schemas.ports import Ask
from schemas.prompts import Finding, InlineEvaluator
from schemas.rubrics import Dimension, Rubric
from schemas.testsets import TestCase
from schemas.values import digest_of

METRIC = "overall"

_VARIABLE = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")
_STRING_KINDS = ("equals", "contains", "starts_with", "ends_with")
"""Rules of a string evaluator. The first one that is set counts."""
_GRADES = ("of no use", "poor", "middling, or right in parts only", "good, with small flaws", "as good as it can be")
_BUILT_IN = {
    "similarity": "Does the answer say the same as the reference? Facts count, wording doesn't; what the answer adds "
    "and what it leaves out both count against it.",
    "relevance": "Does the answer deal with what the task asks, all of it and nothing else?",
    "coherence": "Do the parts of the answer follow from each other, in an order that a reader can go along with?",
    "fluency": "Is the language right and natural: grammar, choice of words, rhythm? What is said doesn't count here.",
    "groundedness": "Is everything that the answer claims borne out by the task's own text? A claim that the text does "
    "not support counts against it, even if it is true.",
}


class _Single(Protocol):
    """One inline evaluator."""

    asks: bool
    ignores_case: bool

    def problem(self, case: TestCase) -> Finding | None: ...

    async def score(self, case: TestCase, output: str, ask: Ask) -> Score | EvaluatorFailure: ...


class InlineEvaluators:
    """The metric ``overall``, which is the mean over the evaluators, then one metric for each.

    The mean is missing if one of them is. ``gates`` applies to those that ask a judge, and to a mean with one of them.
    ``cases`` are the gating ones: a variable that one of them has may be missing in others.
    Raises ConfigError for an evaluator that can't run.
    """

    def __init__(
        self,
        evaluators: Sequence[InlineEvaluator],
        judge: ModelConfig | None,
        *,
        gates: bool,
        cases: Sequence[TestCase] = (),
    ) -> None:
        offered = frozenset(name for case in cases for name in _variables(case))
        self._singles: list[tuple[str, _Single]] = [(one.name, _single(one, judge, offered)) for one in evaluators]
        self._gates = gates
        asked = None if judge is None else [judge.provider, judge.origin, judge.model]
        settings = [[one.model_dump(mode="json") for one in evaluators], asked if self.asks else None]
        self._version = f"inline-4-{digest_of(settings)[:16]}"

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """The mean, then the evaluators in the order of the file."""
        singles = (MetricSpec(name=name, gates=self._gates or not single.asks) for name, single in self._singles)
        return (MetricSpec(name=METRIC, gates=self._gates or not self.asks), *singles)

    @property
    def version(self) -> str:
        """The version of the algorithm and a digest of the evaluators, and of the judge if there is one."""
        return self._version

    @property
    def asks(self) -> bool:
        """Whether any of them asks a judge."""
        return any(single.asks for _, single in self._singles)

    @property
    def ignores_case(self) -> bool:
        """Whether all of them compare with a text that is the same for every case."""
        return all(single.ignores_case for _, single in self._singles)

    def problem(self, case: TestCase) -> Finding | None:
        """Returns a finding if an evaluator needs what neither this case nor another has."""
        return next((found for _, single in self._singles if (found := single.problem(case)) is not None), None)

    async def score(self, case: TestCase, output: str, ask: Ask) -> Scores:
        """Returns the mean and every evaluator's score."""
        scores = [await single.score(case, output.strip(), ask) for _, single in self._singles]
        failed = next((score for score in scores if isinstance(score, EvaluatorFailure)), None)
        if failed is not None:
            why = f"{failed.metric}: {failed.message}"
            return (EvaluatorFailure(metric=METRIC, message=why, kind=failed.kind), *scores)
        values = [score.value for score in scores if isinstance(score, Score)]
        reasons = [f"{score.metric}: {score.reason}" for score in scores if isinstance(score, Score) and score.reason]
        mean = sum(values) / len(values)
        return (Score(metric=METRIC, value=mean, reason="; ".join(reasons), answer=shown(output, 400)), *scores)


def _single(one: InlineEvaluator, judge: ModelConfig | None, offered: frozenset[str]) -> _Single:
    where = f"evaluator “{one.name}”"
    if any(getattr(one, kind) for kind in _STRING_KINDS):
        return _String(one, offered)
    if one.uses is None and one.judge_prompt is None:
        raise ConfigError(f"{where} has no rule", hint="give it `string:`, `llm:` or `uses:`")
    if judge is None:
        raise ConfigError(
            f"{where} asks a judge, but none is configured", hint="name one under `judge:` of the lineage"
        )
    return _BuiltIn(one, judge) if one.uses is not None else _Chooser(one, judge, where, offered)


class _String:
    """String rules: ``equals`` (exact), ``contains``, ``startsWith``, ``endsWith`` (ignoring case), without outer
    blanks."""

    asks = False

    def __init__(self, one: InlineEvaluator, offered: frozenset[str]) -> None:
        self._name = one.name
        self._offered = offered
        self._kind = next(kind for kind in _STRING_KINDS if getattr(one, kind))
        self._template: str = getattr(one, self._kind)
        self.ignores_case = _VARIABLE.search(self._template) is None

    def problem(self, case: TestCase) -> Finding | None:
        return _missing_variable(self._template, case, self._name, self._offered)

    async def score(self, case: TestCase, output: str, ask: Ask) -> Score | EvaluatorFailure:  # noqa: ARG002
        if (found := self.problem(case)) is not None:
            return EvaluatorFailure(metric=self._name, message=found.what)
        wanted = _filled(self._template, _variables(case))
        loud, quiet = output.lower(), wanted.lower()
        right = {
            "equals": output == wanted,
            "contains": quiet in loud,
            "starts_with": loud.startswith(quiet),
            "ends_with": loud.endswith(quiet),
        }[self._kind]
        reason = "" if right else f"the answer does not {_VERBS[self._kind]} “{shown(wanted, 60)}”"
        return Score(metric=self._name, value=float(right), reason=reason)


_VERBS = {"equals": "equal", "contains": "contain", "starts_with": "start with", "ends_with": "end with"}


class _BuiltIn:
    """Built-in evaluators such as ``github/similarity``: one dimension, graded from 1 to 5."""

    asks = True
    ignores_case = False

    def __init__(self, one: InlineEvaluator, judge: ModelConfig) -> None:
        self._name = one.name
        self._aspect = (one.uses or "").removeprefix("github/")
        anchors = dict(enumerate(_GRADES, start=1))
        rubric = Rubric(dimensions={self._aspect: Dimension(description=_BUILT_IN[self._aspect], anchors=anchors)})
        self._judge = RubricJudge(rubric, (judge,), gates=False)

    def problem(self, case: TestCase) -> Finding | None:
        if self._aspect == "similarity" and case.expected is None:
            return finding(case, f"the evaluator “{self._name}” needs an expected text", "give the case `expected`")
        return None

    async def score(self, case: TestCase, output: str, ask: Ask) -> Score | EvaluatorFailure:
        _, graded = await self._judge.score(case, output, ask)
        return graded.model_copy(update={"metric": self._name})


class _Chooser:
    """``llm``: the user's own prompt, whose reply is one of the choices."""

    asks = True
    ignores_case = False

    def __init__(self, one: InlineEvaluator, judge: ModelConfig, where: str, offered: frozenset[str]) -> None:
        self._name = one.name
        self._offered = {*offered, "completion"}
        self._template = one.judge_prompt or ""
        self._system = one.judge_system_prompt or ""
        self._judge = judge
        self._scores = {choice.choice: choice.score for choice in one.choices}
        if not self._scores or len({label_key(choice) for choice in self._scores} - {""}) < len(one.choices):
            raise ConfigError(
                f"{where} has no choices, or two that can't be told apart", hint="give each its own words"
            )
        if not all(0 <= score <= 1 for score in self._scores.values()):
            raise ConfigError(f"{where} has a score outside 0 to 1", hint="scale the scores of its choices")
        self._choices = LabelReader(tuple(self._scores))

    def problem(self, case: TestCase) -> Finding | None:
        return _missing_variable(self._template, case, self._name, self._offered)

    async def score(self, case: TestCase, output: str, ask: Ask) -> Score | EvaluatorFailure:
        if (found := self.problem(case)) is not None:
            return EvaluatorFailure(metric=self._name, message=found.what)
        fence = Fence(self._system, self._template, case.inputs, case.expected, output)
        variables = {**_variables(case), "completion": fence.around("completion", output)}
        system = "\n\n".join(part for part in (self._system, fence.rule) if part)
        request = judge_request(self._judge, system, _filled(self._template, variables))
        reading = await ask_judge(request, ask, self._read, call=0)
        if reading.value is None:
            return EvaluatorFailure(metric=self._name, message=reading.problem, kind=reading.kind, hint=reading.fix)
        return Score(metric=self._name, value=self._scores[reading.value], reason=f"the judge chose {reading.value}")

    def _read(self, text: str) -> Reading[str]:
        choice = self._choices.read_one(text)
        if choice.labels is None:
            return Reading(None, "the judge's reply names no choice, or several")
        return Reading(choice.labels[0])


def _variables(case: TestCase) -> dict[str, str]:
    """Returns the case's inputs and expectation as texts. Values that aren't texts become JSON."""
    values: Mapping[str, JsonValue] = {"expected": case.expected, **case.inputs}
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in values.items()
        if value is not None
    }


def _filled(template: str, variables: Mapping[str, str]) -> str:
    """Returns ``template`` with its variables filled in, in one pass: values are not searched for variables.

    What the case lacks stays as it is written.
    """
    return _VARIABLE.sub(lambda match: variables.get(match[1], match[0]), template)


def _missing_variable(template: str, case: TestCase, name: str, offered: Iterable[str]) -> Finding | None:
    there = {*_variables(case), *offered}
    missing = next((match[1] for match in _VARIABLE.finditer(template) if match[1] not in there), None)
    if missing is None:
        return None
    what = f"the evaluator “{name}” uses {{{{{missing}}}}}, which the case doesn't have"
    return finding(case, what, f"give the case a value for `{missing}`")
