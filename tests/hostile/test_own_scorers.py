"""Own scorers that mean harm: they read nothing, reach nothing, forge nothing, and get an error that says why."""

import asyncio
import os
import sys
from contextlib import closing

import pytest

from adapters.scorer import TRUST, client
from adapters.scorer.client import MOST_SLOW, IsolatedScorers, Limits
from schemas.ports import ScorerCase, ScorerJob, ScorerProblem, ScorerSource
from tests.hostile.scorer_attacks import ATTACKS, CANARY, HARMLESS, HONEST, SLOW, run

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="isolation needs Linux")]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return run(tmp_path_factory.mktemp("beside"), tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize(("attack", "words"), (ATTACKS | SLOW).items())
def test_an_attack_gets_an_error_and_reaches_no_other_case(found, attack, words):
    score, told, honest = found["attacks"][attack]
    assert (score, honest) == (None, HONEST)
    assert words in told
    assert told.startswith("evals/score.py:")
    assert told.endswith(") [case-1]")
    assert len(told) < 800
    assert told.isprintable()


def test_nothing_was_read_reached_or_written(found):
    assert CANARY not in str(found)
    assert (found["connections"], found["files"]) == (0, [])
    assert {name: found["attacks"][name][0] for name in HARMLESS} == HARMLESS


def source(text):
    return ScorerSource(path="evals/score.py", text=text)


def asked(scorers, text):
    case = ScorerCase(id="c1", inputs={"q": "?"})
    return asyncio.run(scorers.value(source(text), ScorerJob(output="x", expected="y", case=case)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("def handler(output, expected):\n return output == expected", False),
        ("def handler(output, expected, **case):\n return {'score': 1, 'reason': case['id'], 'more': print}", {"score": 1, "reason": "c1"}),
        ("def handler(output, expected, inputs):\n return len(inputs) / 2", 0.5),
        ("def handler(text, want, *, id, other=1):\n return {'score': other, 'reason': id}", {"score": 1, "reason": "c1"}),
        ("import random\nhandler = lambda output, expected: random.random() == 0.8444218515250481", True),
        ("import sqlite3, datetime\ndef handler(o, e):\n return datetime.datetime.strptime('3', '%d').day / 3", 1.0),
    ],
)  # fmt: skip
def test_handlers_as_teams_write_them(text, value):
    with closing(IsolatedScorers()) as scorers:
        assert (scorers.problem(source(text)), asked(scorers, text)) == (None, value)


def test_the_same_answer_gets_the_same_score_in_every_process():
    text = "import random\ndef handler(output, expected): return abs(hash('x')) % 10**6 / 10**6 * random.random()"
    found = set()
    for _ in range(2):
        with closing(IsolatedScorers()) as scorers:
            found |= {asked(scorers, text), asked(scorers, text)}
    assert len(found) == 1


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("def handler(output, expected):\n return (", "SyntaxError", None),
        ("handler = 1", "no function handler(output, expected)", None),
        ("def handler(output): return 1", "can't be called with (output, expected, **case)", None),
        ("async def handler(output, expected): return 1", "async", None),
        ("def handler(output, expected): yield 1", "generator", None),
        ("class handler:\n def __init__(self, output, expected): pass", "class", None),
        ("def handler(expected, output): return 1", "takes (expected, output)", None),
        ("def handler(output, expected, context): return 1", "missing a required argument: 'context'", None),
        ("\n1 / 0\ndef handler(output, expected): return 1", "ZeroDivisionError", 2),
        ("import numpy\ndef handler(output, expected): return 1", "No module named 'numpy'", 1),
    ],
)
def test_a_scorer_that_can_t_run_is_found_before_any_call(text, where, words):
    with closing(IsolatedScorers()) as scorers:
        problem = scorers.problem(source(text))
    assert where in problem.what
    assert problem.hint
    assert words is None or problem.line == words


HONEST_TEXT = "def handler(output, expected): return 0.5"


def without_seccomp(monkeypatch):
    """As on macOS, or where a container's own profile refuses."""
    broken = "import adapters.scorer.seccomp as s; s.AUDIT_ARCH.clear(); "
    monkeypatch.setattr(client, "PROGRAM", client.PROGRAM.replace("from adapters", f"{broken}from adapters"))


def test_without_isolation_it_is_an_error_that_names_the_operator_s_switch(monkeypatch):
    without_seccomp(monkeypatch)
    with closing(IsolatedScorers.of({})) as scorers:
        problem = scorers.problem(source(HONEST_TEXT))
        assert isinstance(asked(scorers, HONEST_TEXT), ScorerProblem)
    assert "can't be isolated here" in problem.what
    assert f"{TRUST}=1" in problem.hint
    with closing(IsolatedScorers.of({TRUST: "1"})) as scorers:
        assert (scorers.problem(source(HONEST_TEXT)), asked(scorers, HONEST_TEXT)) == (None, 0.5)


def test_the_switch_takes_no_isolation_away_where_there_is_one():
    reads = "def handler(output, expected):\n open('/etc/passwd')"
    with closing(IsolatedScorers.of({TRUST: "1"})) as scorers:
        assert "PermissionError" in asked(scorers, reads).what


def test_a_scorer_that_never_ends_is_stopped_after_a_few_answers():
    loops = "def handler(output, expected):\n while True: pass"
    with closing(IsolatedScorers(limits=Limits(seconds=0.2))) as scorers:
        told = [asked(scorers, loops).what for _ in range(MOST_SLOW + 2)]
        assert asked(scorers, HONEST_TEXT) == 0.5
    assert told[:MOST_SLOW] == ["it took longer than 0.2 s"] * MOST_SLOW
    assert set(told[MOST_SLOW:]) == {"it was stopped, because 3 answers in a row took longer than 0.2 s"}


def test_a_supervisor_that_dies_is_an_error_and_is_started_again():
    with closing(IsolatedScorers(limits=Limits(seconds=60))) as scorers:
        assert asked(scorers, HONEST_TEXT) == 0.5
        (supervisor,) = scorers._supervisors.values()
        process = supervisor._process._process.process
        os.kill(process.pid, 9)
        process.wait()
        assert "its process stopped" in asked(scorers, HONEST_TEXT).what
        assert asked(scorers, HONEST_TEXT) == 0.5
