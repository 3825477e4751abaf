"""The prompt that is to be improved: what may be edited, and by which model."""

from __future__ import annotations

from dataclasses import dataclass

from engine.detection.models import model_of
from engine.improve.ports import Planning
from engine.improve.texts import Texts, editable
from engine.runner.experiment import Endpoint
from schemas.config import ModelConfig
from schemas.detection import Detection, LineageChange
from schemas.errors import UsageError
from schemas.prompts import PromptFile
from schemas.pullrequests import PullRequest
from schemas.testsets import TestCase


@dataclass(frozen=True)
class Target:
    """One lineage of one commit."""

    detection: Detection
    """The commit, read alone."""
    change: LineageChange
    pull_request: PullRequest
    prompt: PromptFile
    """The prompt as it is."""
    texts: Texts
    """The messages that may be edited."""
    cases: tuple[TestCase, ...]
    """The gating cases."""
    reflector: Endpoint


def target_of(
    today: Detection, pull_request: PullRequest, lineage: str, world: Planning, *, reflector: str | None
) -> Target:
    """Returns what is to be improved. ``today`` is the commit of ``pull_request``, read alone.

    Raises UsageError for a prompt that can't be measured or edited, and says why.
    """
    change = next(one for one in today.lineages if one.name == lineage)
    prompt = change.candidate
    if prompt is None or change.tests is None or not change.models:
        raise unmeasurable(lineage, str(change.unreadable or "it has no prompt, no test cases or no model"))
    texts = editable(prompt)
    if not texts:
        raise UsageError(f"the prompt of {lineage} has no text to edit", hint="its messages only pass inputs on")
    model = _reflector(today, change, reflector)
    return Target(
        detection=today,
        change=change,
        pull_request=pull_request,
        prompt=prompt,
        texts=texts,
        cases=change.tests.cases,
        reflector=Endpoint(model=model, price=world.prices.price(model)),
    )


def unmeasurable(lineage: str, why: str) -> UsageError:
    """Returns the error for a prompt that can't be measured."""
    return UsageError(f"{lineage} can't be measured: {why}", hint="promptverdict score shows what is missing")


def _reflector(today: Detection, change: LineageChange, name: str | None) -> ModelConfig:
    known = today.config.models if today.config else {}
    if name is None and change.judges:
        return change.judges[0]
    found = model_of(name, today.config) if name is not None and today.config is not None else None
    if found is None:
        raise UsageError(
            f"{change.name} has no judge to rewrite its prompt" if name is None else f"there is no model {name!r}",
            hint=f"--reflector NAME: {', '.join(known) or 'add one under models:'}",
        )
    return found
