"""Describes how the answers of two models differ beyond their scores: format, length, refusals, labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from evaluators.answer_form import FormReader
from evaluators.text import output_text, without_reasoning
from schemas.outcomes import Arm, Completion, Finish, Outcome, Score
from schemas.scorecard import AnswerProfile, ModelSwap

FEWEST = 3
"""Fewest answers of each model that are compared."""
MOST_KINDS = 8
"""Most formats and most labels that are listed."""
_REFUSED = (Finish.REFUSAL, Finish.FILTER)
_DECLINES = re.compile(
    r"\W*(?:(?:i['’]?m|i am) (?:very |really |truly )?(?:sorry|afraid)|sorry|i apologi[sz]e|unfortunately|"
    r"as an ai\b[^.]{0,40})?[\s,.;:!—–-]*(?:but )?(?:i|we) (?:can['’]?t|can ?not|am (?:not able|unable) to|"
    r"['’]m (?:not able|unable) to|won['’]?t|will not|must decline|have to decline)\b",
    re.IGNORECASE,
)
"""First words with which models decline in English."""


def model_swap(outcomes: Iterable[Outcome], labels: Sequence[str] = ()) -> ModelSwap | None:
    """Returns the profiles of both models' answers, or ``None`` if too few cases have an answer of each.

    Takes the first answer to each case, of the cases that both models answered. ``labels`` are those of a
    classification.
    """
    first: dict[Arm, dict[int, Outcome]] = {arm: {} for arm in Arm}
    for outcome in outcomes:
        if isinstance(outcome.result, Completion):
            known = first[outcome.cell.arm].get(outcome.cell.case)
            # One answer of each case: cases that ran more often would otherwise count more.
            if known is None or outcome.cell.repetition < known.cell.repetition:
                first[outcome.cell.arm][outcome.cell.case] = outcome
    both = sorted(first[Arm.BASELINE].keys() & first[Arm.CANDIDATE].keys())
    if len(both) < FEWEST:
        return None
    reader = FormReader(labels)
    baseline, candidate = (_profile([first[arm][case] for case in both], reader, labels) for arm in Arm)
    return ModelSwap(baseline=baseline, candidate=candidate)


def _profile(outcomes: Sequence[Outcome], reader: FormReader, labels: Sequence[str]) -> AnswerProfile:
    answers = [outcome.result for outcome in outcomes if isinstance(outcome.result, Completion)]
    written = [answer for answer in answers if not answer.finish.scores_zero]
    said = Counter(label for outcome in outcomes if (label := _label(outcome)) in labels)
    return AnswerProfile(
        answers=len(answers),
        formats=dict(Counter(_format(reader, answer) for answer in written).most_common(MOST_KINDS)),
        words=median(len(output_text(answer).split()) for answer in written) if written else None,
        refusals=sum(answer.finish in _REFUSED or declines(output_text(answer)) for answer in answers),
        labels=dict(said.most_common(MOST_KINDS)),
    )


def _format(reader: FormReader, answer: Completion) -> str:
    form = reader.form_of(answer)
    return ", ".join([form.kind, *sorted(form.traits)[:2]])


def _label(outcome: Outcome) -> str | None:
    first = outcome.scores[0] if outcome.scores else None
    return first.answer if isinstance(first, Score) else None


def declines(text: str) -> bool:
    """Returns whether an answer begins by declining, in English: “I'm sorry, but I can't help with that.”"""
    return _DECLINES.match(without_reasoning(text).lstrip()[:200]) is not None
