"""Which provider answers for a model, and with which key: a key goes to one origin only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from schemas.config import ModelConfig, ProviderName
from schemas.errors import ConfigError, ProviderError
from schemas.ports import ModelProvider

KEYS = {ProviderName.OPENAI: "OPENAI_API_KEY", ProviderName.ANTHROPIC: "ANTHROPIC_API_KEY"}
"""The variables whose keys belong to the providers' own origins."""
PROXY = "PROMPTVERDICT_PROXY"
CA_BUNDLE = "PROMPTVERDICT_CA_BUNDLE"
RECORDINGS = "PROMPTVERDICT_RECORDINGS"
"""The operator's settings: a proxy's URL, a file of certificates that are trusted too, a folder of recordings."""
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def provider_for(model: ModelConfig, environment: Mapping[str, str]) -> ModelProvider:
    """Opens the provider of ``model``. ``environment`` is the operator's: the key's variable and the settings above are
    all that is read of it.

    Raises ConfigError for an origin that may not have a key, ProviderError when the key isn't set.
    """
    match model.provider:
        case ProviderName.OFFLINE:
            from adapters.providers.offline import OfflineProvider

            return OfflineProvider()
        case ProviderName.REPLAY:
            from adapters.providers.replay import ReplayProvider

            return ReplayProvider(recording_of(model, environment), model)
    key = key_for(model, environment)
    proxy, ca_bundle = environment.get(PROXY) or None, environment.get(CA_BUNDLE) or None
    if model.provider is ProviderName.ANTHROPIC:
        from adapters.providers.anthropic import AnthropicProvider

        return AnthropicProvider(model.origin, key, proxy=proxy, ca_bundle=ca_bundle)
    from adapters.providers.openai import OpenAiProvider

    responses = model.api == "responses"
    return OpenAiProvider(model.origin, key, responses=responses, proxy=proxy, ca_bundle=ca_bundle)


def recording_of(model: ModelConfig, environment: Mapping[str, str]) -> Path:
    """The file of a replayed model, in the operator's folder: a recording in a repository would let a pull request
    answer for itself. Raises ConfigError."""
    name, folder = model.recording or "", environment.get(RECORDINGS, "")
    if not folder:
        raise ConfigError("recordings have no folder", where=f"models: {model.model}", mend=f"set {RECORDINGS}")
    if name in ("", "..") or name != Path(name).name:
        raise ConfigError(
            f"recording must be the bare name of a file in {RECORDINGS}: {name!r}", where=f"models: {model.model}"
        )
    return Path(folder) / name


def key_name(model: ModelConfig) -> str:
    """The variable that holds the key of a model that needs one."""
    return model.api_key_env or KEYS[model.provider]


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
        if model.api_key_env in (None, *KEYS.values()):
            raise ConfigError(
                f"{model.api_key_env or own} is sent to its provider's own origin only",
                where=where,
                mend="name the variable with this origin's key: api_key_env: HOUSE_LLM_KEY",
            )
    variable = key_name(model)
    key = environment.get(variable, "").strip()
    if not key:
        raise ProviderError(
            f"there is no key for {model.origin}", where=where, mend=f"set the environment variable {variable}"
        )
    if not re.fullmatch("[!-~]+", key):
        raise ProviderError(
            f"the key for {model.origin} holds a blank, a line break or a letter that no header takes",
            where=where,
            mend=f"paste it again, alone, into the environment variable {variable}",
        )
    return key
