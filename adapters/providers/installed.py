"""Checks which SDKs are installed. They are extras."""

from __future__ import annotations

from importlib.util import find_spec

from schemas.config import ModelConfig
from schemas.errors import ProviderError


def check_sdk(model: ModelConfig) -> None:
    """Raises ProviderError if the provider's SDK, an optional dependency, is not installed."""
    if any(name is not None and find_spec(name) is None for name in (model.spec.sdk, "aiohttp")):
        raise ProviderError(
            f"the SDK of {model.provider} is not installed",
            where=f"models: {model.model}",
            hint=f"install it: prompt-verdict[{model.provider}]",
        )
