"""From prompts and cases to the messages that are sent."""

from __future__ import annotations

from collections.abc import Sequence

from engine.readers.prompts.role_marks import shielded, split
from schemas.ports import RenderFailure, RenderJob, TemplateRenderer
from schemas.prompts import Message, PromptFile, RoleSyntax
from schemas.testsets import TestCase

_GIVEN = set(RenderJob.model_fields)


def job_of(prompt: PromptFile, case: TestCase) -> RenderJob:
    """Returns the prompt to be filled in with a case's inputs, and with its own defaults for what the case lacks."""
    variables = {**prompt.defaults, **case.inputs}
    if prompt.roles is not None:
        roles = prompt.roles
        variables = {name: shielded(value, roles) for name, value in variables.items()}
    fields = {
        "dialect": prompt.dialect,
        "messages": prompt.messages,
        "variables": variables,
        "partials": prompt.included,
        "roles": prompt.roles,
    }
    return RenderJob.of_checked(fields, _GIVEN)


def render(renderer: TemplateRenderer, jobs: Sequence[RenderJob]) -> list[tuple[Message, ...] | RenderFailure]:
    """Returns the messages of every job, in order."""
    return [_messages(result, job.roles) for job, result in zip(jobs, renderer.render(jobs), strict=True)]


def _messages(
    result: tuple[Message, ...] | RenderFailure, roles: RoleSyntax | None
) -> tuple[Message, ...] | RenderFailure:
    if roles is None or isinstance(result, RenderFailure):
        return result
    return split("".join(message.content for message in result), roles)
