"""Warns of answers that were cut off or empty, and names the likely limit.

They score 0 in both arms, so a verdict on the prompt may really be one on a limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.runner.failures import host_of
from schemas.outcomes import Arm, Completion, Finish, Outcome
from schemas.prompts import Finding

if TYPE_CHECKING:
    from engine.planning.plan import Plan


def cut_off(outcomes: Iterable[Outcome], plan: Plan) -> tuple[Finding, ...]:
    """Returns a warning for each arm with truncated answers, and for each with empty ones."""
    counts: dict[Arm, Counter[Finish]] = {arm: Counter() for arm in plan.arms}
    for outcome in outcomes:
        if isinstance(outcome.result, Completion):
            counts[outcome.cell.arm][outcome.result.finish] += 1
    found = []
    for arm, finishes in counts.items():
        of = f"of {finishes.total():,} {arm.value} answers by {host_of(plan.arms[arm].endpoint.model.origin)}"
        if cut := finishes[Finish.LENGTH]:
            found.append(
                Finding(
                    what=f"{cut:,} {of} were cut off at {_limit(arm, plan)}; they score 0",
                    hint=f"set a higher max_tokens in the parameters of the model {plan.model}",
                )
            )
        if empty := finishes[Finish.EMPTY]:
            found.append(
                Finding(
                    what=f"{empty:,} {of} were empty; they score 0",
                    hint="check the prompt and the model's reasoning settings; reasoning alone is not an answer",
                )
            )
    return tuple(found)


def _limit(arm: Arm, plan: Plan) -> str:
    model = plan.arms[arm].endpoint.model
    limits = {request.parameters.max_tokens for request in plan.arms[arm].requests if request is not None}
    limit = next(iter(limits)) if len(limits) == 1 else None
    if limit is None:
        return "a limit of the provider or the model, since no max_tokens is set"
    if limit == model.default_limit and model.parameters.max_tokens is None:
        return f"max_tokens {limit:,}, our default for {model.provider}, whose API requires a limit"
    return f"max_tokens {limit:,}"
