"""People's grades of sample answers."""

import json

import pytest

from engine.readers.labels import read_labels
from schemas.errors import ConfigError
from schemas.rubrics import Dimension, Rubric

RUBRIC = Rubric(dimensions={"tone": Dimension(description="?"), "form": Dimension(description="?")})
ROW = {"id": "a1", "inputs": {"name": "Ann"}, "output": "Hi", "grades": {"tone": 5, "form": 3}}


def read(*rows):
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    return read_labels("grades.jsonl", "\n".join(lines).encode(), RUBRIC)


def test_one_answer_a_line_blank_lines_aside():
    first, second = read(ROW, "", {**ROW, "id": "a2", "expected": "Hello"}, "")
    assert (first.id, first.inputs, first.output, first.grades) == ("a1", {"name": "Ann"}, "Hi", {"tone": 5, "form": 3})
    assert second.expected == "Hello"


def test_no_answers_are_no_answers():
    assert read() == ()


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (ROW, "two answers have the id a1"),
        ({**ROW, "id": "a2", "grades": {"brevity": 1}}, "the rubric has no dimension brevity (it has tone, form)"),
        ({**ROW, "id": "a2", "grades": {"tone": 6}}, "tone"),
        ({**ROW, "id": "a2", "grades": {}}, "grades"),
        ({"id": "a2"}, "output"),
        ("[]", "the labeled answer is"),
        ("{", "expected a key in quotes here"),
    ],
)
def test_a_mistake_is_said_with_its_line(row, what):
    with pytest.raises(ConfigError) as caught:
        read(ROW, row)
    assert str(caught.value).startswith("grades.jsonl:2")
    assert what in str(caught.value)
