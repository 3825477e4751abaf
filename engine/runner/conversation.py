"""The conversation of an agent: what follows each answer of the model, and the sum of all of them.

Every answer is a call of its own, with the conversation so far in its request. So each is stored by itself, and a
resumed run pays for none twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.scripted_tools import arguments_of, result_text, script_for
from evaluators.text import shown
from evaluators.tool_calls import MAX_CALLS
from schemas.conversations import Step, Trajectory
from schemas.outcomes import Completion, Usage
from schemas.prompts import Request
from schemas.testsets import TestCase

MOST_CHARACTERS = 200_000
"""Most characters of a conversation."""


def follow_up(request: Request, completion: Completion, case: TestCase, max_steps: int) -> Request | Trajectory:
    """Returns the next request of a conversation after an answer to ``request``, or the whole one if it is over.

    Tools that the model calls return what the case scripts, then the case's next user message follows each answer
    without calls. A call that no program could make, and reaching ``max_steps``, end the conversation with a problem.
    """
    said = Step(text=completion.text, calls=completion.tool_calls)
    steps = (*request.steps, said)
    # A truncated, refused or filtered answer scores 0, so nothing that follows could change the result.
    if completion.finish.scores_zero:
        return Trajectory(steps=steps)
    if problem := _unusable(said):
        return Trajectory(steps=steps, problem=f"step {len(steps)}: {problem}")
    if not said.calls and (turn := sum(step.user is not None for step in request.steps)) < len(case.turns):
        said = said.model_copy(update={"user": case.turns[turn]})
    elif said.calls:
        said = said.model_copy(update={"results": tuple(result_text(script_for(case, call)) for call in said.calls)})
    else:
        return Trajectory(steps=steps)
    # Only now: a conversation that ends by itself with its last allowed step has not reached the limit.
    if len(steps) >= max_steps:
        taken = "1 step" if max_steps == 1 else f"{max_steps} steps"
        return Trajectory(steps=steps, problem=f"stopped after {taken} without being done")
    if sum(map(_size, (*request.steps, said))) > MOST_CHARACTERS:
        return Trajectory(steps=steps, problem=f"stopped at {MOST_CHARACTERS:,} characters")
    return request.model_copy(update={"steps": (*request.steps, said)})


def _unusable(step: Step) -> str:
    """Returns why nothing can follow an answer: it is empty, or its calls can't be made. Empty if something can."""
    if not step.calls and not step.text.strip():
        return "says nothing"
    if len(step.calls) > MAX_CALLS:
        return f"{len(step.calls)} calls at once, more than {MAX_CALLS}"
    wrong = next((call for call in step.calls if arguments_of(call) is None), None)
    if wrong is None:
        return ""
    return f"the arguments of {shown(wrong.name, 60)} are not a JSON object: {shown(wrong.arguments, 60)}"


def _size(step: Step) -> int:
    called = sum(len(call.name) + len(call.arguments) for call in step.calls)
    return len(step.text) + called + sum(map(len, step.results)) + len(step.user or "")


def summed(answers: Sequence[Completion], trajectory: Trajectory) -> Completion:
    """Returns the answers of a conversation as one: the last one with all usage and latency.

    The usage is unknown if that of any answer is.
    """
    usages = [answer.usage for answer in answers if answer.usage is not None]
    complete = len(usages) == len(answers)
    return answers[-1].model_copy(
        update={
            "usage": _total(usages) if complete else None,
            "usage_problem": next((answer.usage_problem for answer in answers if answer.usage_problem), ""),
            "latency_s": sum(answer.latency_s for answer in answers),
            "attempts": sum(answer.attempts for answer in answers),
            "trajectory": trajectory,
        }
    )


def _total(usages: Sequence[Usage]) -> Usage:
    counts = (name for name in Usage.model_fields if name != "rate")
    return Usage(rate=usages[-1].rate, **{name: sum(getattr(usage, name) for usage in usages) for name in counts})
