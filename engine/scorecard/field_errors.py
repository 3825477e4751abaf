"""Counts what is wrong with extracted fields: missing, wrong and hallucinated values, and keys that no case expects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from schemas.outcomes import Arm, MetricSpec, Outcome, Score
from schemas.prompts import Finding

KINDS = ("missing", "wrong", "hallucinated")


def field_errors(outcomes: Iterable[Outcome], metrics: Sequence[MetricSpec]) -> tuple[Finding, ...]:
    """Returns a warning if the candidate has a larger share of any kind of mistake than the baseline.

    The kind is the first word of a field's reason, which is ours.
    """
    fields = {spec.name for spec in metrics if spec.kind == "field"}
    counts: dict[Arm, Counter[str]] = {arm: Counter() for arm in Arm}
    values: Counter[Arm] = Counter()
    for outcome in outcomes:
        for score in outcome.scores:
            if isinstance(score, Score) and score.metric in fields:
                values[outcome.cell.arm] += 1
                counts[outcome.cell.arm][score.reason.partition(":")[0]] += 1
    before, after = counts[Arm.BASELINE], counts[Arm.CANDIDATE]
    grew = [
        kind
        for kind in KINDS
        if values[Arm.BASELINE] and after[kind] * values[Arm.BASELINE] > before[kind] * values[Arm.CANDIDATE]
    ]
    if not grew:
        return ()
    said = ", ".join(f"{kind} {before[kind]:,} → {after[kind]:,}" for kind in KINDS if before[kind] or after[kind])
    return (Finding(what=f"mistakes in the fields, before → now: {said}"),)
