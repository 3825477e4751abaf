"""What is said about one case when people ask for it: its result in words, and the score of every run."""

from __future__ import annotations

from collections.abc import Sequence

from engine.render import figures
from schemas.effects import CaseEffect, CaseOutcome
from schemas.experiments import ExperimentRecord
from schemas.scorecard import LineageCard

MOST_RUNS = 12
"""Runs of one case that are listed."""
CASE_RESULTS = {
    CaseOutcome.IMPROVED: "got better",
    CaseOutcome.REGRESSED: "got worse",
    CaseOutcome.FLAKY: "changed, but not reliably",
    CaseOutcome.NO_CHANGE: "no change",
    CaseOutcome.MISSING: "could not be measured in both versions",
    CaseOutcome.NOT_RUN: "did not have to run",
}


def runs_sentence(card: LineageCard, case: CaseEffect, records: Sequence[ExperimentRecord]) -> str:
    """Returns the score of every run of a case in points, from its experiment's record. Empty without one."""
    for record in records:
        index = next((n for n, known in enumerate(record.cases) if known.id == case.id), None)
        if (record.lineage, record.model) != (card.lineage, card.model) or index is None or not record.metrics:
            continue
        arms = []
        for arm, name in ((0, "baseline"), (1, "candidate")):
            scores = [
                figures.NONE if cell.scores is None or cell.scores[0] is None else figures.points(cell.scores[0])
                for cell in sorted(record.outcomes, key=lambda cell: cell.repetition)
                if (cell.case, cell.arm) == (index, arm)
            ]
            more = f" … (+{len(scores) - MOST_RUNS})" if len(scores) > MOST_RUNS else ""
            if scores:
                arms.append(f"{name} {', '.join(scores[:MOST_RUNS])}{more}")
        if arms:
            return f"{record.metrics[0].name}, run by run (points): {'; '.join(arms)}."
    return ""
