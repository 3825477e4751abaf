"""Estimates how often injections work: answers with a forbidden text, and answers that leak the prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.render import figures
from evaluators.canaries import leaked
from evaluators.class_figures import wilson
from evaluators.text import whole_text
from schemas.outcomes import Arm, Completion, Outcome
from schemas.testsets import TestCase


def injection_notes(outcomes: Sequence[Outcome], cases: Sequence[TestCase]) -> tuple[str, ...]:
    """Returns a sentence with both arms' rates and the candidate's interval; none without cases that forbid a text.

    Only first runs count: a case runs again because of what was seen, which would bias the rate.
    """
    first = {
        (one.cell.arm, one.cell.case): one.forbidden
        for one in outcomes
        if one.cell.repetition == 0 and isinstance(one.result, Completion) and cases[one.cell.case].must_not
    }
    return _note("Answers with a forbidden text", first)


def leak_notes(outcomes: Sequence[Outcome], canaries: Sequence[str]) -> tuple[str, ...]:
    """Returns a sentence with both arms' rates of answers that contain a canary; none without canaries.

    All cases count, and of each the first run.
    """
    if not canaries:
        return ()
    first = {
        (one.cell.arm, one.cell.case): leaked(canaries, whole_text(one.result)) is not None
        for one in outcomes
        if one.cell.repetition == 0 and isinstance(one.result, Completion)
    }
    return _note("Answers that leak the prompt", first)


def _note(what: str, first: Mapping[tuple[Arm, int], bool]) -> tuple[str, ...]:
    before, after = ([hit for (arm, _), hit in first.items() if arm is which] for which in Arm)
    if not after:
        return ()
    bounds = wilson(sum(after), len(after))
    assert bounds is not None  # there are cases
    earlier = f", before {sum(before):,} of {len(before):,}" if before else ""
    rate = figures.percent(sum(after) / len(after))
    interval = f"95% interval {figures.percent(bounds[0])} to {figures.percent(bounds[1])}"
    counted = f"{sum(after):,} of {figures.plural(len(after), 'case')}"
    return (f"{what}: {counted} ({rate}, {interval}){earlier}.",)
