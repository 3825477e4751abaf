"""Counts the answers that had to be repaired before they could be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from evaluators.output_contract import NAMES, OutputContract
from evaluators.text import output_text
from schemas.config import LineageConfig
from schemas.outcomes import Arm, Completion, Outcome
from schemas.output_config import Repair
from schemas.prompts import Finding


def repaired(outcomes: Iterable[Outcome], lineage: LineageConfig) -> tuple[Finding, ...]:
    """Returns a warning with the repaired answers of both arms.

    Without ``output:``, repairs are usual: then only a larger share than the baseline's is a warning.
    """
    contract = OutputContract(lineage)
    counts, answers = Counter[Arm](), Counter[Arm]()
    kinds = Counter[Repair]()
    for outcome in outcomes:
        result, arm = outcome.result, outcome.cell.arm
        if not isinstance(result, Completion) or result.finish.scores_zero:
            continue
        answers[arm] += 1
        found = contract.read(output_text(result))
        # What can't be read at all is no repaired answer: its score says so.
        if found.repairs and not found.problem:
            counts[arm] += 1
            kinds.update(found.repairs)
    now, before = ((counts[arm] / answers[arm] if answers[arm] else 0.0) for arm in (Arm.CANDIDATE, Arm.BASELINE))
    if not counts or (lineage.output is None and now <= before):
        return ()
    named = ", ".join(NAMES[kind] for kind, _ in kinds.most_common())
    earlier = f", before {counts[Arm.BASELINE]:,} of {answers[Arm.BASELINE]:,}" if answers[Arm.BASELINE] else ""
    verb = "break the output format" if contract.config.strict else "had to be repaired"
    what = f"{counts[Arm.CANDIDATE]:,} of {answers[Arm.CANDIDATE]:,} answers {verb}{earlier}: {named}"
    hint = "ask for bare answers in the prompt, or list what is expected under output.allow"
    return (Finding(what=what, hint=hint),)
