"""The pull-request comment, state by state."""

import html

import pytest

from engine.render.html import html_report
from engine.render.limits import COMMENT
from engine.render.links import Links
from engine.render.markdown import MARKER, markdown
from evaluators.agreement import agreement
from schemas.calibration import Calibration
from schemas.effects import Confusion
from schemas.scorecard import Confidence
from tests.render.golden import check_golden
from tests.render.scorecards import STATES, blocked, lineage, scorecard

LINKS = Links(
    report="https://github.com/o/r/actions/runs/1", rerun="https://github.com/o/r/actions/workflows/prompts.yml"
)


@pytest.mark.parametrize("state", STATES)
def test_the_comment_of_every_state(state):
    check_golden(f"{state}.md", markdown(STATES[state](), COMMENT, LINKS))


def test_the_marker_is_on_the_first_line_and_nowhere_else():
    lines = markdown(blocked()).splitlines()
    assert lines[0] == f"{MARKER} {blocked().head.sha} -->"
    assert not any("<!--" in line for line in lines[1:])


def test_many_classes_are_listed_by_what_moved():
    labels = tuple(f"label-{n}" for n in range(30))
    still = tuple(tuple(9.0 if row == column else 0.0 for column in range(30)) for row in range(30))
    moved = (tuple(7.0 if column == 0 else 2.0 if column == 3 else 0.0 for column in range(30)), *still[1:])
    confusion = Confusion(labels=labels, columns=labels, baseline=still, candidate=moved)
    text = markdown(scorecard(lineages=(lineage(confusion=confusion),)))
    assert "- label-0 answered as label-0: 9 → 7\n- label-0 answered as label-3: 0 → 2\n" in text
    same = confusion.model_copy(update={"candidate": still})
    assert "Nothing moved between classes." in markdown(scorecard(lineages=(lineage(confusion=same),)))


def test_a_class_has_its_interval_on_every_surface():
    one = blocked().lineages[0].classes[0].model_copy(update={"candidate_f1_interval": (0.612, 0.934)})
    card = scorecard(lineages=(lineage(classes=(one,)),))
    assert "(61.2–93.4)" in markdown(card)
    assert "<small>(61.2–93.4)</small>" in html_report(card)


def test_a_judge_says_how_far_it_agrees_with_people():
    grades = [1, 2, 3, 4, 5] * 8
    strict = agreement([max(1, grade - 1) for grade in grades], grades)
    dimensions = {f"d{n}": agreement(grades, grades) for n in range(9)} | {"tone": strict}
    confidence = Confidence(
        looks=1, repetitions=2.0, judge_agreement=0.87, judge=Calibration(dimensions=dimensions, missing=1)
    )
    text = html.unescape(markdown(scorecard(lineages=(lineage(confidence=confidence),))))
    assert "- The judge agrees with people in 87% of the labeled answers." in text
    assert "- The judge doesn't gate: its grades are only shown." in text
    told = next(line for line in text.splitlines() if "people on tone" in line)
    assert "the judge is 0.80 grades stricter (−0.93 … −0.67); a bias of more than half a grade." in told
    assert text.index("people on tone") < text.index("people on d0")  # what keeps it from gating comes first
    assert "2 more dimensions not listed" in text


def test_a_link_that_is_not_a_web_address_is_bare_text():
    assert "· full report</sub>" in markdown(blocked(), links=Links(report="javascript:alert(1)"))
