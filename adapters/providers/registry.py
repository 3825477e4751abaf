"""Which provider answers for a model, and with which key: a key goes to one origin only."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from schemas.config import ModelConfig, ProviderName
from schemas.errors import ConfigError, ProviderError
from schemas.ports import ModelProvider

KEYS = {ProviderName.OPENAI: "OPENAI_API_KEY", ProviderName.ANTHROPIC: "ANTHROPIC_API_KEY"}
"""The variables whose keys belong to the providers' own origins."""
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def provider_for(model: ModelConfig, environment: Mapping[str, str]) -> ModelProvider:
    """Opens the provider of ``model``. ``environment`` is the operator's; nothing else of it is read.

    Raises ConfigError for an origin that may not have a key, ProviderError when the key isn't set.
    """
    if model.provider is ProviderName.OFFLINE:
        from adapters.providers.offline import OfflineProvider

        return OfflineProvider()
    key_for(model, environment)
    raise ProviderError(f"the provider {model.provider.value} can't be used yet")


def key_for(model: ModelConfig, environment: Mapping[str, str]) -> str:
    """The key that may go to the model's origin. Raises ConfigError or ProviderError."""
    own = KEYS[model.provider]
    where = f"models: {model.model}"
    if model.base_url is not None:
        url = urlsplit(model.base_url)
        if url.scheme != "https" and not (url.scheme == "http" and url.hostname in LOOPBACK):
            raise ConfigError(
                f"base_url must be https, or http on loopback: {model.base_url}", where=where, mend="write an https URL"
            )
        if url.username or url.password or url.query or url.fragment:
            raise ConfigError(
                "base_url holds more than an address", where=where, mend="leave out user, password, ? and #"
            )
        if model.api_key_env in (None, own):
            raise ConfigError(
                f"{own} is sent to {model.provider.value}'s own origin only",
                where=where,
                mend="name the variable with this origin's key: api_key_env: HOUSE_LLM_KEY",
            )
    variable = model.api_key_env or own
    key = environment.get(variable, "").strip()
    if not key:
        raise ProviderError(
            f"there is no key for {model.origin}", where=where, mend=f"set the environment variable {variable}"
        )
    return key
