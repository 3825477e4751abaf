"""The answers of both arms to each case, as the scorecard shows them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from schemas.effects import Answer, CaseEffect, CaseOutcome
from schemas.outcomes import Arm, CompletionError, Finish, Outcome, Score
from schemas.testsets import TestCase

if TYPE_CHECKING:
    from engine.gate.decision import CaseResult

EXCERPT = 4_000
"""Most characters of an answer in the scorecard. Renderers shorten it further."""


def case_effects(
    cases: Sequence[TestCase],
    case_results: Sequence[CaseResult],
    outcomes: Iterable[Outcome],
    *,
    metric: str | None,
    added: Sequence[bool],
) -> tuple[CaseEffect, ...]:
    """Returns one entry for each case, in the test set's order.

    ``metric`` is the overall score. ``added`` marks cases that only the head has.
    """
    by_cell: Mapping[tuple[int, Arm], list[Outcome]] = _by_case(outcomes)
    return tuple(
        CaseEffect(
            id=case.id,
            slices=case.slices,
            protected=case.protected,
            expected=case.expected,
            baseline=_answers(by_cell.get((index, Arm.BASELINE), ()), metric),
            candidate=_answers(by_cell.get((index, Arm.CANDIDATE), ()), metric),
            change=found.change,
            result=found.result,
            added=added[index],
            confirmed=found.confirmed,
            reason=_why(by_cell.get((index, Arm.CANDIDATE), ()))
            if found.result in (CaseOutcome.REGRESSED, CaseOutcome.FLAKY)
            else "",
        )
        for index, (case, found) in enumerate(zip(cases, case_results, strict=True))
    )


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


def _by_case(outcomes: Iterable[Outcome]) -> dict[tuple[int, Arm], list[Outcome]]:
    found: dict[tuple[int, Arm], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        found[outcome.cell.case, outcome.cell.arm].append(outcome)
    return found


def _answers(outcomes: Sequence[Outcome], metric: str | None) -> tuple[Answer, ...]:
    """Groups equal answers with equal scores, the most frequent first. Their mean is the case's score."""
    # With the score, because a judge may grade equal answers differently.
    given = Counter((_text(outcome), _score(outcome, metric)) for outcome in outcomes)
    return tuple(
        Answer(text=text, count=count, of=len(outcomes), score=score) for (text, score), count in given.most_common()
    )


def _text(outcome: Outcome) -> str:
    if isinstance(outcome.result, CompletionError):
        return f"(no answer: {outcome.result.kind})"
    first = outcome.scores[0] if outcome.scores else None
    if isinstance(first, Score) and first.answer is not None:
        return first.answer[:EXCERPT]
    return outcome.result.text[:EXCERPT] or f"({_NAMES.get(outcome.result.finish, 'no text')})"


def _score(outcome: Outcome, metric: str | None) -> float | None:
    known = (score.value for score in outcome.scores if isinstance(score, Score) and score.metric == metric)
    return next(known, None)


def _why(outcomes: Sequence[Outcome]) -> str:
    """Returns the reason of the worst-scored answer."""
    scored = [score for outcome in outcomes for score in outcome.scores]
    known = [score for score in scored if isinstance(score, Score) and score.reason]
    return min(known, key=lambda score: score.value).reason if known else ""
