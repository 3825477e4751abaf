"""The pull-request comment, state by state."""

import pytest

from engine.render.limits import COMMENT
from engine.render.markdown import MARKER, Links, markdown
from tests.render.golden import check_golden
from tests.render.scorecards import STATES, blocked

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
