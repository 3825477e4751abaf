"""Doctor's look at the model providers: one token for each key."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from urllib.parse import urlsplit

from adapters.providers.open_provider import provider_for
from bot.operations.doctor.report import Area, DoctorFinding, Level, Spot
from bot.settings import Settings
from bot.variables import KEY_ORIGINS
from schemas.config import ModelConfig
from schemas.outcomes import CompletionError, ErrorKind
from schemas.prompts import Message, Parameters, Request, Role
from schemas.providers import PROVIDERS, keys

CALL_S = 30.0
NO_MODEL = "prompt-verdict-doctor"
"""A model name for servers whose models we don't know. They check the key before the name."""


def examine_providers(settings: Settings) -> Iterator[DoctorFinding]:
    """Asks for one token with each key."""
    own = {name: provider for provider, name in keys().items()}
    if not settings.keys:
        yield Spot(Area.PROVIDER, "the environment").warning(
            "there is no key of any model provider",
            f"set {', '.join(own)}, or name others in {KEY_ORIGINS.name}; without one nothing can be measured",
        )
    for name in settings.keys:
        provider = own.get(name, "openai")
        cheap = PROVIDERS[provider].cheap_model if name in own else None
        model = ModelConfig(
            provider=provider, model=cheap or NO_MODEL, parameters=Parameters(max_tokens=1),
            base_url=None if name in own else settings.origins[name], api_key_env=None if name in own else name,
        )  # fmt: skip
        yield from Spot(Area.PROVIDER, name).guard(partial(_asked, settings, model, name))


def _asked(settings: Settings, model: ModelConfig, key: str) -> Iterator[DoctorFinding]:
    answer = asyncio.run(_one_token(settings, model))
    kind = answer.kind if isinstance(answer, CompletionError) else None
    host = urlsplit(model.origin).hostname
    spot = Spot(Area.PROVIDER, f"{key} at {model.origin}")
    if kind in (None, ErrorKind.BAD_REQUEST, ErrorKind.MALFORMED):
        yield spot.ok(f"{host} answers" if kind is None else f"{host} is reachable and accepts the key")
        return
    hints = {
        ErrorKind.AUTHENTICATION: f"put a valid key into {key}",
        ErrorKind.QUOTA: "raise the account's quota, or pay its bill",
        ErrorKind.RATE_LIMITED: "nothing to do if it passes: the bot waits and slows down by itself",
    }
    hint = hints.get(kind, "check that it is up, and that a proxy or firewall lets the bot reach it")
    message = answer.message if isinstance(answer, CompletionError) else ""
    finding = spot.problem(f"{host} refuses ({kind}): {message}", hint)
    yield finding.model_copy(update={"level": Level.WARNING}) if kind is ErrorKind.RATE_LIMITED else finding


async def _one_token(settings: Settings, model: ModelConfig) -> object:
    provider = provider_for(model, settings.variables_for(model))
    request = Request(
        provider=model.provider, origin=model.origin, model=model.model, parameters=model.parameters,
        messages=(Message(role=Role.USER, content="hi"),),
    )  # fmt: skip
    try:
        return await provider.complete(request, repetition=0, timeout_s=CALL_S)
    finally:
        await provider.aclose()
