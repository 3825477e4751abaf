"""The texts of one case of an experiment: inputs, answers, grades and the judge's reasons, for the bot's pages."""

from __future__ import annotations

from schemas.outcomes import Arm
from schemas.values import Fraction, Value


class Grade(Value):
    """One metric of one answer."""

    metric: str
    value: Fraction | None
    """``None``: it could not be computed. ``reason`` then says why."""
    answer: str | None = None
    """What the evaluator read: the label or the field's value."""
    reason: str = ""


class GradedAnswer(Value):
    """One answer of one arm, with its grades."""

    arm: Arm
    text: str
    trouble: str = ""
    """How the answer ended if not ordinarily: the finish, or the kind of error."""
    grades: tuple[Grade, ...] = ()


class CaseTexts(Value):
    """The texts of one case that ran."""

    id: str
    inputs: tuple[tuple[str, str], ...]
    answers: tuple[GradedAnswer, ...]
    """The baseline's first."""
    omitted: int = 0
    """Answers that were left out."""

    def said(self, arm: Arm) -> str | None:
        """Returns what the first metric read most often in an arm's answers, such as the label."""
        read = [one.grades[0].answer for one in self.answers if one.arm is arm and one.grades]
        known = [text for text in read if text is not None]
        return max(known, key=known.count) if known else None
