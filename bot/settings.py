"""The operator's settings: environment variables, and files for secrets. Read once, then passed on."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr

from adapters.providers.registry import CA_BUNDLE, KEYS, PROXY, RECORDINGS
from bot.setting_readers import (
    POSTGRES,
    data_folder,
    database_url,
    https_url,
    key_origins,
    money,
    number,
    parsable_url,
    private_key,
    required_secret,
    secret_of,
    server_of,
    slot_name,
    text_of,
    unknown_variables,
    webhook_secrets,
)
from bot.variables import (
    API_URL,
    APP_ID,
    CERTIFICATES,
    DATABASE_URL,
    DAY_USD,
    HOST,
    KEEP_DELIVERIES,
    KEEP_TEXTS,
    KEY_ORIGINS,
    PORT,
    PRIVATE_KEY,
    PROXY_URL,
    PUBLIC_API,
    RECORDED,
    REPOSITORY_USD,
    RUN_USD,
    RUNS,
    SERVER_URL,
    SLOT_NAME,
    STORE,
)
from schemas.config import ModelConfig
from schemas.errors import ProviderError
from schemas.values import Value

if TYPE_CHECKING:
    from bot.store.retention import Retention


class Caps(Value):
    """The operator's spending caps, in USD."""

    run: Decimal
    """For one run."""
    repository: Decimal
    """For all runs of one repository in a day (UTC)."""
    day: Decimal
    """For all runs in a day (UTC)."""


class Settings(Value):
    """The settings of one process. Values that are secret, or may hold a password, are never shown."""

    app_id: int
    private_key: SecretStr
    webhook_secrets: tuple[SecretStr, ...]
    database_url: str = Field(repr=False)
    outcomes_url: str = Field(repr=False)
    """For ``adapters.store.open_store``: a file's path or a ``postgresql://`` URL."""
    data: Path
    host: str
    port: int
    api_url: str
    server_url: str
    slot: str
    concurrency: int
    """Runs at once in this worker."""
    caps: Caps
    keep_deliveries_days: int
    keep_texts_days: int
    proxy: str | None = Field(repr=False)
    ca_bundle: str | None
    recordings: str | None
    keys: dict[str, SecretStr] = Field(repr=False)
    """The provider keys by their variables."""
    origins: dict[str, str]
    """The one address that each key may be sent to."""
    unknown: tuple[str, ...]
    """Variables that look like ours but are not: perhaps a typo."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that must never be shown."""
        hidden = [self.private_key, *self.webhook_secrets, *self.keys.values()]
        typed = [urlsplit(url).password or "" for url in (self.database_url, self.outcomes_url, self.proxy or "")]
        values = [*(secret.get_secret_value() for secret in hidden), *typed, *map(unquote, typed)]
        return tuple(dict.fromkeys(filter(None, values)))

    @property
    def workflows_url(self) -> str:
        """Where DBOS keeps its tables: beside ours in Postgres, else in a file of its own."""
        if self.database_url.startswith(POSTGRES):
            return self.database_url.replace("postgres://", "postgresql://", 1)
        return f"sqlite:///{self.data / 'workflows.sqlite3'}"

    @property
    def retention(self) -> Retention:
        """How long records are kept."""
        from bot.store.retention import Retention

        return Retention(deliveries_days=self.keep_deliveries_days, texts_days=self.keep_texts_days)

    def variables_for(self, model: ModelConfig) -> dict[str, str]:
        """Returns the variables that ``provider_for`` may read for ``model``, which a repository's configuration
        names.

        The maintainers of a repository are not the operator. A key is only available for the address that the
        operator bound it to, and nothing else of the environment is. Raises ProviderError.
        """
        shared = {PROXY: self.proxy, CA_BUNDLE: self.ca_bundle, RECORDINGS: self.recordings}
        variables = {name: value for name, value in shared.items() if value}
        name = model.api_key_env or KEYS.get(model.provider)
        if name is None:
            return variables
        if self.origins.get(name) != model.origin:
            raise ProviderError(
                f"the operator of this bot has not bound a key {name} to {model.origin}",
                where=f"models: {model.model}",
                mend=f"the operator sets {name} and adds {name}={model.origin} to {KEY_ORIGINS.name}",
            )
        if name in self.keys:
            variables[name] = self.keys[name].get_secret_value()
        return variables


def read_settings(variables: Mapping[str, str]) -> Settings:
    """Reads the settings from the environment ``variables``.

    Raises UsageError, which says what is missing or wrong and how to fix it.
    """
    app_id = number(variables, APP_ID, None, 1, 2**63 - 1)
    pem = private_key(required_secret(variables, PRIVATE_KEY, "the .pem file from the App's settings page"))
    secrets = webhook_secrets(variables)
    data = data_folder(variables)
    database = database_url(secret_of(variables, DATABASE_URL.name) or f"sqlite:///{data / 'bot.sqlite3'}")
    store = parsable_url(secret_of(variables, STORE.name), STORE)
    outcomes = database if database.startswith(POSTGRES) else str(data / "outcomes.sqlite3")
    api_url = https_url(text_of(variables, API_URL) or PUBLIC_API, API_URL)
    origins = key_origins(text_of(variables, KEY_ORIGINS) or "")
    keys = {name: SecretStr(key) for name in origins if (key := secret_of(variables, name))}
    return Settings(
        app_id=app_id,
        private_key=SecretStr(pem),
        webhook_secrets=secrets,
        database_url=database,
        outcomes_url=store or outcomes,
        data=data,
        host=text_of(variables, HOST) or "0.0.0.0",  # noqa: S104 - a webhook that only hears itself hears nothing
        port=number(variables, PORT, 8080, 0, 65_535),
        api_url=api_url,
        server_url=https_url(text_of(variables, SERVER_URL) or server_of(api_url), SERVER_URL),
        slot=slot_name(text_of(variables, SLOT_NAME) or socket.gethostname()),
        concurrency=number(variables, RUNS, 4, 1, 64),
        caps=Caps(
            run=money(variables, RUN_USD, "25"),
            repository=money(variables, REPOSITORY_USD, "100"),
            day=money(variables, DAY_USD, "500"),
        ),
        keep_deliveries_days=number(variables, KEEP_DELIVERIES, 30, 7, 36_500),
        keep_texts_days=number(variables, KEEP_TEXTS, 365, 30, 36_500),
        proxy=parsable_url(secret_of(variables, PROXY_URL.name), PROXY_URL),
        ca_bundle=text_of(variables, CERTIFICATES),
        recordings=text_of(variables, RECORDED),
        keys=keys,
        origins=origins,
        unknown=unknown_variables(variables),
    )
