"""A change far behind the beginning of a long line is seen on every surface."""

import re
from html import unescape

import pytest

from engine.detection.prompt_diff import diff_prompts
from engine.render.html import html_report
from engine.render.markdown import markdown
from engine.render.terminal import terminal
from schemas.prompts import Dialect, Message, PromptFile, Role
from schemas.verdicts import VerdictStatus
from tests.render.scorecards import lineage, scorecard

SURFACES = {"comment": markdown, "terminal": lambda card: terminal(card, color=False), "report": html_report}


def prompt(text):
    return PromptFile(path="p.md", format="plain", dialect=Dialect.GITHUB, messages=(Message(role=Role.USER, content=text),))  # fmt: skip


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(("before", "after"), [("yes or no", "no"), ("no", "yes or no"), ("yes", "no")])
def test_both_sides_of_a_change_behind_thousands_of_characters_are_shown(surface, before, after):
    start = "Consider what the text says about people. " * 60
    diff = diff_prompts(prompt(f"{start}Answer {before}."), prompt(f"{start}Answer {after}."))
    card = lineage(diff=diff, status=VerdictStatus.BLOCKED)
    shown = SURFACES[surface](scorecard(lineages=(card,)))
    plain = " ".join(unescape(re.sub(r"</?(?:ins|del|mark)>", "", shown)).split())
    assert f"Answer {before}." in plain
    assert f"Answer {after}." in plain
