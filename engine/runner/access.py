"""Providers and limiters by key. All runs of a process share one Access."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from engine.runner.limiter import Limiter
from schemas.config import ModelConfig
from schemas.detection import Detection
from schemas.errors import PromptVerdictError
from schemas.ports import Clock, ModelProvider

ProviderFor = Callable[[ModelConfig], ModelProvider]
"""Opens a provider. Raises ProviderError if its key is missing."""


class Access:
    """Opens each provider once, and keeps one limiter for each key."""

    def __init__(self, provider_for: ProviderFor, clock: Clock, *, max_concurrency: int = 1024) -> None:
        self._provider_for = provider_for
        self._clock = clock
        self._most = max_concurrency
        self._providers: dict[tuple[str, str, str | None, str | None, str | None], ModelProvider] = {}
        self._limiters: dict[tuple[str, str | None], Limiter] = {}

    def provider(self, model: ModelConfig) -> ModelProvider:
        """Returns the provider of ``model``; opens it on first use."""
        # Everything that decides where a request goes and with which key. The model's id isn't part of the
        # connection.
        key = (model.provider, model.origin, model.api_key_env, model.api, model.recording)
        if key not in self._providers:
            self._providers[key] = self._provider_for(model)
        return self._providers[key]

    def expect(self, detection: Detection) -> None:
        """Opens the providers of all planned measurements before the first call.

        Errors are raised later, by the first call that needs the provider.
        """
        for change in detection.lineages:
            for model in (pair.candidate for pair in change.models if change.measured):
                # Opening early overlaps the import of an SDK with planning. It must not fail a run that needs no call.
                with suppress(PromptVerdictError):
                    self.provider(model)

    def limiter(self, model: ModelConfig) -> Limiter:
        """Returns the limiter of the key that pays for ``model``."""
        # Fewer parts than a provider's key: a 429 is about the key, whichever API the call used.
        key = (model.origin, model.api_key_env)
        if key not in self._limiters:
            self._limiters[key] = Limiter(self._clock, self._most)
        return self._limiters[key]

    async def aclose(self) -> None:
        """Closes every provider."""
        while self._providers:
            # Taken out first, so that no later call gets a closed provider.
            _, provider = self._providers.popitem()
            await provider.aclose()
