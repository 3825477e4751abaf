"""Compares the answers to cases with those to the same cases plus noise (``same_as``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.readers.bounded import shown
from engine.render import figures
from evaluators.class_figures import wilson
from evaluators.text import one_line
from schemas.outcomes import Arm, Completion, MetricSpec, Outcome, Score
from schemas.testsets import TestCase
from schemas.use_cases import UseCase

COMPARED = (UseCase.CLASSIFICATION, UseCase.EXTRACTION)
"""Use cases whose answers are read as values. Two generated texts always differ."""
MOST_LISTED = 5
Pair = tuple[int, int]
"""Two cases of the plan: without and with noise."""


def disturbed_notes(
    outcomes: Sequence[Outcome], cases: Sequence[TestCase], metrics: Sequence[MetricSpec], use_case: str
) -> tuple[str, ...]:
    """Returns how many read answers changed when a case was disturbed, by arm; none without pairs that both ran.

    Only first runs count: a case runs again because of what was seen. Pairs that differ in the candidate but not in the
    baseline are named.
    """
    places = {case.id: index for index, case in enumerate(cases)}
    pairs = [(places[case.same_as], index) for index, case in enumerate(cases) if case.same_as in places]
    if not pairs or use_case not in COMPARED:
        return ()
    fields = [spec.name for spec in metrics if spec.kind == "field"]
    read = _first_reads(outcomes, fields or [metrics[0].name])
    return tuple(_sentences(_differ(pairs, read, Arm.BASELINE), _differ(pairs, read, Arm.CANDIDATE), cases))


def _first_reads(outcomes: Sequence[Outcome], named: Sequence[str]) -> dict[tuple[Arm, int], tuple[str, ...]]:
    return {
        (one.cell.arm, one.cell.case): _read(one, named)
        for one in outcomes
        if one.cell.repetition == 0 and isinstance(one.result, Completion)
    }


def _differ(pairs: Sequence[Pair], read: Mapping[tuple[Arm, int], tuple[str, ...]], arm: Arm) -> dict[Pair, bool]:
    """Returns, for the pairs whose cases both ran, whether their answers differ."""
    both = [pair for pair in pairs if all((arm, case) in read for case in pair)]
    return {pair: read[arm, pair[0]] != read[arm, pair[1]] for pair in both}


def _sentences(before: Mapping[Pair, bool], after: Mapping[Pair, bool], cases: Sequence[TestCase]) -> list[str]:
    changed, bounds = sum(after.values()), wilson(sum(after.values()), len(after))
    if bounds is None:
        return []
    low, high = (figures.percent(bound) for bound in bounds)
    earlier = f", before {sum(before.values()):,} of {len(before):,}" if before else ""
    counted = f"{changed:,} of {figures.plural(len(after), 'answer')} changed when the case was disturbed"
    said = [f"{counted} ({figures.percent(changed / len(after))}, 95% interval {low} to {high}){earlier}."]
    news = [pair for pair, differs in after.items() if differs and before.get(pair) is False]
    if news:
        listed = ", ".join(
            f"`{shown(cases[b].id, 40)}` (same as `{shown(cases[a].id, 40)}`)" for a, b in news[:MOST_LISTED]
        )
        more = f" and {len(news) - MOST_LISTED} more" if len(news) > MOST_LISTED else ""
        said.append(f"Only the new prompt answers these differently: {listed}{more}.")
    return said


def _read(outcome: Outcome, named: Sequence[str]) -> tuple[str, ...]:
    """Returns what was read from an answer: the label, or the value of each field."""
    answers = {score.metric: score.answer for score in outcome.scores if isinstance(score, Score)}
    return tuple(one_line(answers.get(name) or "") for name in named)
