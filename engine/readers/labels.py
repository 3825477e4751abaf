"""Reads people's grades of sample answers, with which a judge is calibrated. JSONL, one answer per line."""

from __future__ import annotations

from engine.readers.bounded import MAX_TEST_SET_BYTES, Source, shown, source_of
from engine.readers.json_nodes import read_json
from engine.readers.validation import validated
from schemas.errors import ConfigError
from schemas.rubrics import LabeledAnswer, Rubric


def read_labels(path: str, data: bytes, rubric: Rubric) -> tuple[LabeledAnswer, ...]:
    """Returns the answers in the file's order: ``{"id", "inputs", "output", "grades": {dimension: 1…5}}``, and
    optionally ``expected``.

    Raises ConfigError with ``path:line`` for lines that can't be parsed, duplicate ids, and grades of a dimension that
    ``rubric`` doesn't have.
    """
    source = source_of(path, data, limit=MAX_TEST_SET_BYTES, failure=ConfigError)
    answers: dict[str, LabeledAnswer] = {}
    for number, text in enumerate(source.text.split("\n"), 1):
        if not text.strip():
            continue
        line = Source(path, text, failure=ConfigError, first_line=number)
        answer = validated(LabeledAnswer, read_json(line), line, "the labeled answer")
        if answer.id in answers:
            raise source.error(f"two answers have the id {shown(answer.id)}", number, hint="give each its own id")
        strange = next((name for name in answer.grades if name not in rubric.dimensions), None)
        if strange is not None:
            known = ", ".join(rubric.dimensions)
            raise source.error(f"the rubric has no dimension {shown(strange)}", number, hint=f"it has {known}")
        answers[answer.id] = answer
    return tuple(answers.values())
