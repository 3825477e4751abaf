"""What planning must know of agents: the likely length of a conversation, and tools that no prompt defines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.readers.bounded import did_you_mean, shown
from engine.readers.tools import tool_name
from engine.runner.experiment import ArmPlan
from evaluators.expected_trajectory import tools_named_by
from schemas.outcomes import Arm
from schemas.testsets import TestCase


def likely_steps(case: TestCase) -> int:
    """Returns how many calls an agent's case takes if each tool with a scripted result is called once."""
    return 1 + len(case.turns) + len({script.name for script in case.tool_results})


def undefined_tools(arms: Mapping[Arm, ArmPlan], cases: Sequence[TestCase]) -> str | None:
    """Returns a sentence about the first case that names a tool which no version of the prompt defines."""
    requests = (request for plan in arms.values() for request in plan.requests[:1] if request is not None)
    tools = {tool_name(tool) for request in requests for tool in request.parameters.tools}
    defined = {name for name in tools if name is not None}
    for case in cases:
        if unknown := sorted(tools_named_by(case) - defined):
            hint = did_you_mean(unknown[0], defined) if defined else "name the file that defines it: tools: tools.json"
            case_at = f"{case.where}: case" if case.where else "The case"
            return f"{case_at} {shown(case.id)} names the tool {shown(unknown[0])}, which is not defined ({hint})."
    return None
