"""The state of a person who grades answers key by key: 1 to 5, back, skip, quit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.calibration import GRADES
from schemas.errors import ConfigError
from schemas.rubrics import LabeledAnswer, Rubric, SampleAnswer

BACK, SKIP, QUIT = "b", "s", "q"
KEYS = "1-5 grade, b back, s skip, q quit"


@dataclass(frozen=True)
class Question:
    """What is asked next."""

    place: int
    """Index of the answer."""
    answer: SampleAnswer
    dimension: str
    grade: int | None
    """The grade that was given before, if the person went back."""


class Labeling:
    """Asks for the grade of each dimension of each answer. ``grades`` are those that exist already, by id."""

    def __init__(
        self, answers: Sequence[SampleAnswer], rubric: Rubric, grades: Mapping[str, Mapping[str, int]]
    ) -> None:
        self._answers = tuple(answers)
        self._dimensions = tuple(rubric.dimensions)
        self._grades = {answer.id: dict(grades.get(answer.id, {})) for answer in answers}
        self._steps = [(place, name) for place, answer in enumerate(answers) for name in self._dimensions]
        self._step = 0
        self._quit = False
        self._pass_graded()

    @property
    def question(self) -> Question | None:
        """The next question; ``None`` at the end."""
        if self._quit or self._step >= len(self._steps):
            return None
        place, name = self._steps[self._step]
        answer = self._answers[place]
        return Question(place, answer, name, self._grades[answer.id].get(name))

    @property
    def complete(self) -> int:
        """Number of answers with a grade on every dimension."""
        return sum(len(given) == len(self._dimensions) for given in self._grades.values())

    @property
    def begun(self) -> int:
        """Number of answers with grades on some dimensions."""
        return sum(0 < len(given) < len(self._dimensions) for given in self._grades.values())

    def press(self, key: str) -> LabeledAnswer | None:
        """Takes a key; returns the answer with its grades so far if one was given. Other keys do nothing."""
        question = self.question
        if question is None:
            return None
        size = len(self._dimensions)
        if key == QUIT:
            self._quit = True
        elif key == BACK:
            self._step = max(0, self._step - 1)
        elif key == SKIP:
            self._step = (question.place + 1) * size
            self._pass_graded()
        elif key.isdecimal() and int(key) in GRADES:
            given = self._grades[question.answer.id]
            given[question.dimension] = int(key)
            self._step += 1
            if self._step % size == 0:
                self._pass_graded()
            ordered = {name: given[name] for name in self._dimensions if name in given}
            return labeled(question.answer, ordered)
        return None

    def _pass_graded(self) -> None:
        """Goes to the first dimension without a grade, over answers that an earlier session finished."""
        while (question := self.question) is not None and question.grade is not None:
            self._step += 1


def labeled(answer: SampleAnswer, grades: Mapping[str, int]) -> LabeledAnswer:
    """Returns the answer with grades."""
    return LabeledAnswer(**answer.model_dump(), grades=dict(grades))


def merged(
    mine: Sequence[LabeledAnswer], imported: Sequence[LabeledAnswer], where: str
) -> tuple[list[LabeledAnswer], int]:
    """Returns the answers of the file ``where`` that add a grade to ``mine``, with all their grades, and the number of
    those that add none.

    Raises ConfigError if a grade differs: the person has to decide which one holds.
    """
    known = {answer.id: answer for answer in mine}
    news: list[LabeledAnswer] = []
    for answer in imported:
        old = known.get(answer.id)
        if old is None:
            news.append(answer)
            continue
        if old.model_copy(update={"grades": answer.grades}) != answer:
            raise ConfigError(
                f"the answer {answer.id} differs from the one in the label file", where=where, hint="give it another id"
            )
        for name, grade in answer.grades.items():
            if old.grades.get(name, grade) != grade:
                raise ConfigError(
                    f"{answer.id} has {grade} for {name}, but {old.grades[name]} in the label file",
                    where=where,
                    hint="delete the line in one of the two files; nothing was imported",
                )
        if not answer.grades.keys() <= old.grades.keys():
            news.append(old.model_copy(update={"grades": old.grades | answer.grades}))
    return news, len(imported) - len(news)
