"""Counts what is wrong with extracted fields: missing, wrong and hallucinated values, and keys that no case expects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence

from evaluators.extraction import METRIC, UNASKED
from schemas.outcomes import Arm, MetricSpec, Outcome, Score
from schemas.prompts import Finding

KINDS = ("missing", "wrong", "hallucinated")
EXTRA = "answers with extra keys"


def field_errors(outcomes: Iterable[Outcome], metrics: Sequence[MetricSpec]) -> tuple[Finding, ...]:
    """Returns a warning if the candidate has a larger share of any kind of mistake than the baseline.

    The kind is the first word of a field's reason, which is ours.
    """
    fields = {spec.name for spec in metrics if spec.kind == "field"}
    counts: dict[Arm, Counter[str]] = {arm: Counter() for arm in Arm}
    values: Counter[Arm] = Counter()
    for outcome in outcomes:
        scores = [score for score in outcome.scores if isinstance(score, Score)]
        values[outcome.cell.arm] += sum(score.metric in fields for score in scores)
        counts[outcome.cell.arm].update(_mistakes(scores, fields))
    before, after = counts[Arm.BASELINE], counts[Arm.CANDIDATE]
    # Every answer has the same number of fields, so shares of values and of answers grow alike.
    grew = [
        kind
        for kind in (*KINDS, EXTRA)
        if values[Arm.BASELINE] and after[kind] * values[Arm.BASELINE] > before[kind] * values[Arm.CANDIDATE]
    ]
    if not grew:
        return ()
    there = before | after
    said = ", ".join(f"{kind} {before[kind]:,} → {after[kind]:,}" for kind in (*KINDS, EXTRA) if there[kind])
    return (Finding(what=f"mistakes in the fields, before → now: {said}"),)


def _mistakes(scores: Iterable[Score], fields: Container[str]) -> Iterator[str]:
    """Yields the kind of each mistake in one answer."""
    for score in scores:
        if score.metric in fields:
            yield score.reason.partition(":")[0]
        elif score.metric == METRIC and score.reason.rpartition("; ")[2].startswith(UNASKED):
            yield EXTRA
