"""Chooses the provider and the key of a model. A key goes to one origin only."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from adapters.providers.connection import Connection
from schemas.config import ModelConfig
from schemas.errors import ConfigError, ProviderError
from schemas.ports import ModelProvider
from schemas.providers import keys

PROXY = "PROMPTVERDICT_PROXY"
CA_BUNDLE = "PROMPTVERDICT_CA_BUNDLE"
RECORDINGS = "PROMPTVERDICT_RECORDINGS"
"""The operator's settings: a proxy's URL, a file of certificates that are trusted too, a folder of recordings."""
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def provider_for(model: ModelConfig, environment: Mapping[str, str]) -> ModelProvider:
    """Opens the provider of ``model``. ``environment`` is the operator's. Only the key's variable and the settings
    above are read.

    Raises ConfigError if the origin may not receive the key, ProviderError if the key isn't set.
    """
    connection = Connection(
        key="" if model.spec.key is None else key_for(model, environment),
        proxy=environment.get(PROXY) or None,
        ca_bundle=environment.get(CA_BUNDLE) or None,
        recordings=environment.get(RECORDINGS, ""),
    )
    # Imported by name, so that an SDK is loaded only if one of its models is used.
    module, _, function = model.spec.opens.partition(":")
    opened: Callable[[ModelConfig, Connection], ModelProvider] = getattr(importlib.import_module(module), function)
    return opened(model, connection)


def key_name(model: ModelConfig) -> str:
    """Returns the name of the variable that holds the model's key. The model must need one."""
    name = model.api_key_env or model.spec.key
    assert name is not None, "only a provider with a key is asked for its name"
    return name


def key_for(model: ModelConfig, environment: Mapping[str, str]) -> str:
    """Returns the key for the model's origin. Raises ConfigError or ProviderError."""
    own = model.spec.key
    where = f"models: {model.model}"
    if model.base_url is not None:
        url = urlsplit(model.base_url)
        # Over plain http, everyone on the way could read the key. Loopback doesn't leave the machine.
        if url.scheme != "https" and not (url.scheme == "http" and url.hostname in LOOPBACK):
            raise ConfigError(
                f"base_url must be https, or http on loopback: {model.base_url}", where=where, hint="write an https URL"
            )
        if url.username or url.password or url.query or url.fragment:
            raise ConfigError(
                "base_url contains more than an address", where=where, hint="remove user, password, ? and #"
            )
        # A repository chooses base_url. Without this rule, it could have a provider's key sent to any server.
        if model.api_key_env in (None, *keys().values()):
            raise ConfigError(
                f"{model.api_key_env or own} is sent to its provider's own origin only",
                where=where,
                hint="name the variable with this origin's key, such as api_key_env: HOUSE_LLM_KEY",
            )
    variable = key_name(model)
    key = environment.get(variable, "").strip()
    if not key:
        raise ProviderError(
            f"there is no key for {model.origin}", where=where, hint=f"set the environment variable {variable}"
        )
    # Header libraries would raise later, with the key in their message.
    if not re.fullmatch("[!-~]+", key):
        raise ProviderError(
            f"the key for {model.origin} contains a blank, a line break or a character that headers don't allow",
            where=where,
            hint=f"set the environment variable {variable} to the key alone",
        )
    return key
