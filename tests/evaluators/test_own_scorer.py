"""A team's own scorer as a metric or a check: what its values mean, and what is no score."""

import pytest

from evaluators.registry import evaluator_for
from schemas.config import LineageConfig
from schemas.errors import ConfigError
from schemas.outcomes import EvaluatorFailure
from schemas.ports import ScorerProblem, ScorerSource

SOURCE = ScorerSource(path="evals/score.py", text="def handler(output, expected): ...")
LABELS = {"use_case": "classification", "labels": ["billing", "refunds"]}
TEXT = {"use_case": "generation"}


class Returns:
    """Runs no code: every scorer returns ``value``."""

    def __init__(self, value):
        self.returned = value
        self.jobs = []

    def problem(self, source):
        return self.returned if isinstance(self.returned, ScorerProblem) else None

    async def value(self, source, job):
        self.jobs.append(job)
        return self.returned

    def close(self):
        pass


def evaluator(scorers, lineage=TEXT, scorer="evals/score.py", source=SOURCE, **more):
    config = LineageConfig.model_validate({"prompt": "p.md", "scorer": scorer} | lineage | more)
    return evaluator_for(config, None, None, None, scorer=source, scorers=scorers)


@pytest.mark.parametrize(
    ("returned", "value", "reason"),
    [
        (1, 1, ""),
        (0.5, 0.5, "the scorer returned 0.5"),
        (True, 1, ""),
        (False, 0, "the scorer returned 0"),
        ({"score": 0.5, "reason": "half\nof it"}, 0.5, "half of it"),
        ({"score": 1, "passed": True, "reason": None}, 1, ""),
        ({"score": 0.9, "passed": False}, 0, "the scorer returned passed: False"),
        ({"score": 0.9, "pass": False, "reason": "rude"}, 0, "rude"),
    ],
)
def test_a_score(case, scores, returned, value, reason):
    (score,) = scores(evaluator(Returns(returned)), case(), "Hi!").values()
    assert (score.metric, score.value, score.reason, score.answer) == ("overall", value, reason, "Hi!")


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "None, which is not a score"),
        ({"score": None}, "None, which is not a score"),
        ({}, "a dict without a score"),
        ({"passed": True}, "a dict without a score"),
        ("1", "a str as score"),
        ([1], "a list as score"),
        (float("nan"), "the score nan"),
        (1.01, "the score 1.01"),
        (-0.0001, "the score -0.0001"),
        ({"score": 1, "reason": 5}, "a reason that is not a text"),
        ({"score": 1, "passed": "no"}, "a `passed` that is not a bool"),
    ],
)
def test_what_is_no_score_is_missing_and_says_why(case, scores, returned, message):
    (failed,) = scores(evaluator(Returns(returned)), case(), "Hi!").values()
    assert isinstance(failed, EvaluatorFailure)
    assert (failed.message, failed.case) == (f"evals/score.py: handler returned {message}", "c1")
    assert failed.hint == "return a number from 0 to 1, True, False, or a dict with a score"


def test_a_problem_names_the_line(case, scores):
    problem = ScorerProblem(what="it raised KeyError: 'x'", hint="correct it", line=7)
    running = Returns(1)
    built = evaluator(running)
    running.returned = problem
    (failed,) = scores(built, case(), "Hi!").values()
    assert (failed.message, failed.hint) == ("evals/score.py:7: it raised KeyError: 'x'", "correct it")
    with pytest.raises(ConfigError, match=r"^evals/score.py:7: it raised KeyError: 'x' \(correct it\)$"):
        evaluator(running)


@pytest.mark.parametrize(
    ("returned", "value"), [(True, 1), (0, 0), ({"score": 0.3, "passed": True}, 1), ({"score": 1, "passed": False}, 0)]
)
def test_a_check_decides_by_passed_and_zeroes_the_first_metric(case, scores, returned, value):
    found = scores(evaluator(Returns(returned), LABELS, {"file": "s.py", "kind": "check"}), case("billing"), "billing")
    assert {name: score.value for name, score in found.items()} == {"label": value, "scorer": value}


def test_a_check_is_no_grade(case, scores):
    found = scores(evaluator(Returns(0.5), LABELS, {"file": "s.py", "kind": "check"}), case("billing"), "billing")
    assert found["label"].value == 1
    assert found["scorer"].message.endswith("handler returned the score 0.5 for a check")
    assert "True or False" in found["scorer"].hint


@pytest.mark.parametrize(
    ("lineage", "scorer", "names", "kinds"),
    [
        (TEXT, "s.py", ["overall"], ["metric"]),
        (LABELS, "s.py", ["label", "scorer"], ["metric", "metric"]),
        (LABELS, {"file": "s.py", "kind": "check"}, ["label", "scorer"], ["metric", "check"]),
        (TEXT | {"checks": [{"name": "short", "max_words": 9}]}, "s.py", ["overall", "short"], ["metric", "check"]),
        (TEXT | {"checks": [{"name": "short", "max_words": 9}]}, {"file": "s.py", "kind": "check"}, ["overall", "short", "scorer"], ["metric", "check", "check"]),
    ],
)  # fmt: skip
def test_its_place_beside_other_scores(lineage, scorer, names, kinds):
    metrics = evaluator(Returns(1), lineage, scorer).metrics
    assert ([spec.name for spec in metrics], [spec.kind for spec in metrics]) == (names, kinds)
    assert all(spec.gates for spec in metrics)


def test_a_check_alone_scores_no_text():
    with pytest.raises(ConfigError, match="nothing scores the generated text"):
        evaluator(Returns(1), TEXT, {"file": "s.py", "kind": "check"})


def test_it_gets_the_answer_without_its_reasoning_and_the_case(case, scores):
    running = Returns(1)
    scores(evaluator(running), case("billing", slices=("edge",), notes="n"), "<think>hm</think>Hi!")
    (job,) = running.jobs
    assert (job.output.strip(), job.expected) == ("Hi!", "billing")
    assert job.case.model_dump() == {
        "id": "c1", "inputs": {"input": "hello"}, "slices": ("edge",), "tags": (), "notes": "n",
    }  # fmt: skip


def test_the_version_follows_the_code_and_the_kind():
    other = ScorerSource(path="evals/score.py", text=SOURCE.text + "\n")
    found = [
        evaluator(Returns(1), LABELS).version,
        evaluator(Returns(1), LABELS, source=other).version,
        evaluator(Returns(1), LABELS, {"file": "s.py", "kind": "check"}).version,
    ]
    assert len(set(found)) == 3
    assert found[0] == evaluator(Returns(0), LABELS).version
