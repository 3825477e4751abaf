"""The answers of both arms to each case, as the scorecard shows them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pydantic import JsonValue

from engine.runner.outcome_log import by_case
from engine.scorecard.answer_pair import most_different
from engine.scorecard.passages import around, terms_of
from evaluators.classification import METRIC as LABEL
from evaluators.expected_trajectory import expected_in_words
from evaluators.extraction import lookup
from evaluators.label_forms import bare
from evaluators.text import answer_text, output_text
from schemas.effects import Answer, CaseEffect, CaseMetric, CaseOutcome
from schemas.outcomes import Arm, Completion, CompletionError, Finish, MetricSpec, Outcome, Score
from schemas.testsets import TestCase
from schemas.use_cases import UseCase

if TYPE_CHECKING:
    from engine.gate.decision import CaseResult

EXCERPT = 4_000
"""Most characters of each of the two answers that differ most. Renderers shorten them further."""
SHORT = 400
"""Most characters of the other answers, and of the value of a field."""
READ_IN = 160
"""Most characters of an answer that are shown beside the label that was read in it."""
INPUT = 2_000
"""Most characters of a case's inputs together."""
MOST_INPUTS = 20
MOST_METRICS = 20
REASON = 600
_MOVED = (CaseOutcome.REGRESSED, CaseOutcome.FLAKY, CaseOutcome.IMPROVED)
_WORSE = (CaseOutcome.REGRESSED, CaseOutcome.FLAKY)
_STEADY = (CaseOutcome.NO_CHANGE, CaseOutcome.ALONE)
_Pair = tuple[Answer | None, Answer | None]


def case_effects(
    cases: Sequence[TestCase],
    case_results: Sequence[CaseResult],
    outcomes: Iterable[Outcome],
    *,
    metric: str | None,
    metrics: Sequence[MetricSpec],
    added: Sequence[bool],
    use_case: str,
    tests: str | None,
) -> tuple[CaseEffect, ...]:
    """Returns one entry for each case, in the test set's order. ``outcomes`` are ordered by case.

    ``metric`` is the overall score. ``added`` marks cases that only the head has. ``tests`` is the test set's file.
    """
    reading = _Reading(metric, metrics, tests, use_case)
    return tuple(
        reading.effect(case, found, [[one for one in ran if one.cell.arm is arm] for arm in Arm], added=new)
        for case, found, ran, new in zip(cases, case_results, by_case(outcomes, len(cases)), added, strict=True)
    )


class _Reading:
    """Reads the answers of one lineage."""

    def __init__(self, metric: str | None, metrics: Sequence[MetricSpec], tests: str | None, use_case: str) -> None:
        self._metric = metric
        self._tests = tests
        self._metrics = [spec for spec in metrics if spec.name != metric]
        self._said: dict[Answer, Answer] = {}
        # Generated texts are read in full, unlike labels and fields.
        self._whole = use_case == UseCase.GENERATION
        self._agent = use_case == UseCase.AGENT

    def effect(
        self, case: TestCase, found: CaseResult, outcomes: Sequence[Sequence[Outcome]], *, added: bool
    ) -> CaseEffect:
        """Returns what both arms said to a case. ``outcomes`` are the baseline's and the candidate's."""
        moved = found.result in _MOVED
        baseline, candidate = (self._answers(of_arm) for of_arm in outcomes)
        pair = most_different(baseline, candidate, found.change)
        said = [self._outcome_of(*each) for each in zip(pair, outcomes, strict=True)] if moved else [None, None]
        return CaseEffect(
            id=case.id,
            slices=case.slices,
            protected=case.protected,
            path=None if self._tests in (None, case.path) else case.path,
            line=case.line,
            inputs=() if found.result is CaseOutcome.NOT_RUN else _inputs(case, pair),
            expected=expected_in_words(case) if self._agent else case.expected,
            baseline=_bounded(baseline, pair[0] if moved else None),
            candidate=_bounded(candidate, pair[1] if moved else None),
            change=found.change,
            result=found.result,
            added=added,
            confirmed=found.confirmed,
            reason=self._reason(found.result, said[1], candidate, outcomes[1]),
            metrics=self._case_metrics(case.expected, said) if moved else (),
        )

    def _answers(self, outcomes: Sequence[Outcome]) -> tuple[Answer, ...]:
        """Groups equal answers with equal scores, the most frequent first. Their mean is the case's score."""
        # Many cases get the same label with the same score, which are kept once.
        return tuple(self._said.setdefault(answer, answer) for answer, _ in self._groups(outcomes))

    def _groups(self, outcomes: Sequence[Outcome]) -> list[tuple[Answer, Outcome]]:
        """Returns each distinct answer with the first outcome that gave it."""
        # With the score, because a judge may grade equal answers differently.
        given: dict[tuple[str, float | None], list[Outcome]] = defaultdict(list)
        for outcome in outcomes:
            given[self._text(outcome), _score(outcome, self._metric)].append(outcome)
        return [
            (Answer(text=_beside(text, score, same[0]), count=len(same), of=len(outcomes), score=score), same[0])
            for (text, score), same in sorted(given.items(), key=lambda group: -len(group[1]))
        ]

    def _text(self, outcome: Outcome) -> str:
        if isinstance(outcome.result, CompletionError):
            return f"(no answer: {outcome.result.kind})"
        first = outcome.scores[0] if outcome.scores else None
        if not self._whole and isinstance(first, Score) and first.answer is not None:
            return first.answer[:EXCERPT]
        return output_text(outcome.result)[:EXCERPT] or f"({_NAMES.get(outcome.result.finish, 'no text')})"

    def _outcome_of(self, answer: Answer | None, outcomes: Sequence[Outcome]) -> Outcome | None:
        """Returns the first outcome that gave this answer with this score."""
        return next((first for same, first in self._groups(outcomes) if same == answer), None)

    def _reason(
        self, result: CaseOutcome, said: Outcome | None, answers: Sequence[Answer], outcomes: Sequence[Outcome]
    ) -> str:
        """Returns why the shown answer lost points if the case got worse; why the lowest did if nothing moved."""
        if result in _STEADY:
            lost = [(one.score, one) for one in answers if one.score is not None and one.score < 1]
            lowest = min(lost, key=lambda pair: pair[0], default=(1.0, None))[1]
            return self._why(self._outcome_of(lowest, outcomes))
        return self._why(said) if result in _WORSE else ""

    def _why(self, outcome: Outcome | None) -> str:
        """Returns why an answer lost points: the overall score's reason, else that of its lowest score."""
        scores = [] if outcome is None else [score for score in outcome.scores if isinstance(score, Score)]
        known = [score for score in scores if score.reason]
        if not known:
            return ""
        overall = [score for score in known if score.metric == self._metric]
        return (overall or sorted(known, key=lambda score: score.value))[0].reason[:REASON]

    def _case_metrics(self, expected: JsonValue, said: Sequence[Outcome | None]) -> tuple[CaseMetric, ...]:
        """Returns the metrics beside the overall score in which the two answers differ, and all dimensions."""
        before, after = ({} if one is None else _scores(one) for one in said)
        found = []
        for spec in self._metrics:
            was, now = before.get(spec.name), after.get(spec.name)
            values = [None if score is None else score.value for score in (was, now)]
            if spec.kind not in ("dimension", "preference") and values[0] == values[1]:
                continue
            texts = ["" if score is None else (score.answer or "")[:SHORT] for score in (was, now)]
            found.append(
                CaseMetric(
                    name=spec.name,
                    kind=spec.kind,
                    expected=_expected(expected, spec),
                    baseline=texts[0],
                    candidate=texts[1],
                    baseline_score=values[0],
                    candidate_score=values[1],
                )
            )
        return tuple(sorted(found, key=lambda one: (one.candidate_score or 0) - (one.baseline_score or 0)))[
            :MOST_METRICS
        ]


def _beside(text: str, score: float | None, said: Outcome) -> str:
    """Returns what was read in an answer. A label that lost points gets its line of the answer: it may be misread."""
    first = said.scores[0] if said.scores else None
    label = isinstance(first, Score) and first.metric == LABEL and first.answer is not None
    if not label or score == 1 or not isinstance(said.result, Completion):
        return text
    whole = answer_text(said.result)
    line = around(" ".join(whole[-EXCERPT:].split()), terms_of([text]), READ_IN)
    return text if bare(whole) == bare(text) else f"{text}, read in “{line}”"


def _scores(outcome: Outcome) -> dict[str, Score]:
    return {score.metric: score for score in outcome.scores if isinstance(score, Score)}


def _expected(expected: JsonValue, spec: MetricSpec) -> JsonValue:
    """Returns the expected value of a field, or a long one as a shortened text."""
    value = lookup(expected, spec.name) if spec.kind == "field" and isinstance(expected, dict) else None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return value if len(text) <= SHORT else f"{text[:SHORT]}…"


def _bounded(answers: tuple[Answer, ...], whole: Answer | None) -> tuple[Answer, ...]:
    """Returns the answers with all but ``whole`` shortened."""
    return tuple(
        answer
        if answer is whole or len(answer.text) <= SHORT
        else answer.model_copy(update={"text": f"{answer.text[: SHORT - 1]}…"})
        for answer in answers
    )


def _inputs(case: TestCase, pair: _Pair) -> tuple[tuple[str, str], ...]:
    """Returns the name and the text of each input, together at most ``INPUT`` characters and a few signs."""
    wanted = case.expected if isinstance(case.expected, str) else json.dumps(case.expected, ensure_ascii=False)
    terms = terms_of(
        [
            *(one for one in case.must_not if isinstance(one, str)),
            wanted,
            *(answer.text for answer in pair if answer is not None),
        ]
    )
    texts = [
        (name[:SHORT], value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in list(case.inputs.items())[:MOST_INPUTS]
    ]
    left, shown = INPUT, {}
    # The shortest first, so that long inputs share what the others leave.
    for number, (name, text) in enumerate(sorted(texts, key=lambda each: len(each[1]))):
        shown[name] = around(text, terms, max(80, left // (len(texts) - number)))
        left -= len(shown[name])
    return tuple((name, shown[name]) for name, _ in texts)


def finishes(outcomes: Iterable[Outcome]) -> dict[str, tuple[int, int]]:
    """Returns how many answers of (baseline, candidate) were truncated, refused, filtered, empty or missing."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for outcome in outcomes:
        result = outcome.result
        name = None
        if isinstance(result, CompletionError):
            name = "missing"
        elif result.finish.scores_zero:
            name = _NAMES[result.finish]
        if name is not None:
            counts[name][0 if outcome.cell.arm is Arm.BASELINE else 1] += 1
    return {name: (before, after) for name, (before, after) in sorted(counts.items())}


_NAMES = {
    Finish.LENGTH: "truncated",
    Finish.REFUSAL: "refused",
    Finish.FILTER: "filtered",
    Finish.EMPTY: "empty",
}


def _score(outcome: Outcome, metric: str | None) -> float | None:
    known = (score.value for score in outcome.scores if isinstance(score, Score) and score.metric == metric)
    return next(known, None)
