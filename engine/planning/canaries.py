"""Checks that the prompt has the canaries that its answers must not contain."""

from __future__ import annotations

from collections.abc import Sequence

from engine.readers.bounded import shown
from evaluators.canaries import letters_of
from schemas.errors import ConfigError
from schemas.prompts import Finding, PromptFile, Role


def check_canaries(canaries: Sequence[str], prompts: Sequence[PromptFile]) -> tuple[Finding, ...]:
    """Returns a warning for each canary that no version of the prompt has.

    Only what users don't write counts. One of several is enough for a version, so that a pull request can replace one.

    Raises:
        ConfigError: A version of the prompt has no canary at all.
    """
    wanted = {canary: letters_of(canary) for canary in canaries}
    texts = [letters_of(_own_text(prompt)) for prompt in prompts] if wanted else []
    for prompt, text in zip(prompts, texts, strict=False):
        if not any(letters in text for letters in wanted.values()):
            what = f"no message of {shown(prompt.path)} but the user's contains the canary {shown(canaries[0], 60)}"
            raise ConfigError(what, where="canary", hint="write it into the system message, or list the new text too")
    return tuple(
        Finding(
            what=f"no version of the prompt contains the canary {shown(canary, 60)}",
            where="canary",
            hint="remove it, or write it into the system message",
        )
        for canary, letters in wanted.items()
        if not any(letters in text for text in texts)
    )


def _own_text(prompt: PromptFile) -> str:
    own = [message.content for message in prompt.messages if message.role is not Role.USER]
    return "\n".join([*own, *prompt.included.values()])
