"""What the evaluators' tests share: outputs, cases, and judges that must not, or do, answer."""

import asyncio

import pytest

from schemas.outcomes import Completion, Finish, ToolCall, Usage
from schemas.testsets import TestCase


@pytest.fixture
def case():
    def build(expected=None, **fields):
        return TestCase(**{"id": "c1", "inputs": {"input": "hello"}, "expected": expected} | fields)

    return build


@pytest.fixture
def output():
    def build(text, finish=Finish.STOP, tools=()):
        return Completion(
            text=text,
            finish=finish,
            usage=Usage(input=1, output=1),
            model="m",
            latency_s=0.1,
            tool_calls=tuple(ToolCall(name="t", arguments=arguments) for arguments in tools),
        )

    return build


@pytest.fixture
def scores(output):
    """Scores one output: ``scores(evaluator, case, text)`` gives {metric: Score}; nobody may be asked."""

    async def nobody(request, repetition):
        raise AssertionError("no judge may be asked")

    def run(evaluator, case, completion, ask=nobody):
        if isinstance(completion, str):
            completion = output(completion)
        found = asyncio.run(evaluator.score(case, completion, ask=ask, repetition=0))
        assert [score.metric for score in found] == [spec.name for spec in evaluator.metrics]
        return {score.metric: score for score in found}

    return run
