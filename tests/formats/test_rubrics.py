"""Rubrics."""

import pytest

from engine.readers.rubrics import read_rubric
from schemas.errors import ConfigError

GOOD = """dimensions:
  tone:
    description: Sounds like a person
    anchors: {1: cold, 5: warm}
    weight: 2
  brevity: {description: Under 120 words}
"""


def test_a_rubric():
    rubric = read_rubric("r.yaml", GOOD.encode())
    assert rubric.dimensions["tone"].anchors == {1: "cold", 5: "warm"}
    assert (rubric.dimensions["tone"].weight, rubric.dimensions["brevity"].weight) == (2, 1)


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("anchors: {1: cold", "anchors: {6: cold", "r.yaml:4:15: 6 can't be a name (it should be less than or equal to 5)"),
        ("weight: 2", "weight: 0", "r.yaml:5:13: dimensions.tone.weight can't be 0 (it should be greater than 0)"),
        ("weight: 2", "wieght: 2", "r.yaml:5:5: unknown key wieght in dimensions.tone (did you mean weight?)"),
        ("{description: Under 120 words}", "Under 120 words", "r.yaml:6:12: dimensions.brevity can't be Under 120 words (it should be a map of keys)"),
        (GOOD, "[]", "r.yaml:1:1: the rubric is a list (the rubric is a map of keys)"),
        (GOOD, "dimensions: {}", "r.yaml:1:13: dimensions can't be a map (it should not be empty)"),
        (GOOD, "{}", "r.yaml:1:1: the rubric has no dimensions (add dimensions:)"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_rubric(right, wrong, said):
    with pytest.raises(ConfigError) as caught:
        read_rubric("r.yaml", GOOD.replace(right, wrong).encode())
    assert str(caught.value) == said
