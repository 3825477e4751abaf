"""A bot with a scripted evaluation."""

import re
from functools import partial

import pytest

from bot.worker import assemble
from tests.bot.scripted import FILES, Scripted
from tests.bot.whole import Whole
from tests.fakes.github import FakeGitHub


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """One bot for all tests here, without its sweep."""
    folder = tmp_path_factory.mktemp("bot")
    with FakeGitHub(folder, writes_a_minute=10_000) as github:
        made = Whole(github, folder / "data")

        def evaluation(*given):
            made.evaluation = Scripted(*given)
            return made.evaluation

        with made.web(), made.working(partial(assemble, evaluation=evaluation), sweeping=False):
            yield made
        made.records.close()


@pytest.fixture
def bot(stage, request):
    """A repository of its own for each test."""
    stage.move_to(f"acme/{re.sub('[^a-z]', '-', request.node.name[5:])}", FILES)
    stage.evaluation.calls, stage.evaluation.call_s, stage.evaluation.trouble = 4, 0.0, None
    stage.evaluation.made.clear()
    yield stage
    assert stage.github.violations == []
