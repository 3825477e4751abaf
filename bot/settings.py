"""The operator's settings: environment variables, and files for secrets. Read once, then passed on."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr

from adapters.providers.open_provider import CA_BUNDLE, PROXY, RECORDINGS
from bot import setting_readers as read
from bot import variables as names
from bot.setting_readers import POSTGRES
from bot.variables import PUBLIC_API
from schemas.config import ModelConfig
from schemas.errors import ProviderError, UsageError
from schemas.values import Value

if TYPE_CHECKING:
    from bot.store.retention import Retention


class Caps(Value):
    """The operator's spending caps, in USD."""

    run: Decimal
    """For one run."""
    repository: Decimal
    """For all runs of one repository in a day (UTC)."""
    person: Decimal = Decimal(20)
    """For what one person starts on pages in a day (UTC)."""
    day: Decimal
    """For all runs in a day (UTC)."""


class SiteSettings(Value):
    """What the pages need beside the bot's own settings."""

    client_id: str
    client_secret: SecretStr
    public_url: str
    """Without a slash at the end."""


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
    keep_spans_days: int
    proxy: str | None = Field(repr=False)
    ca_bundle: str | None
    recordings: str | None
    trust_scorers: bool
    """Whether own scorers run without isolation if this system has none."""
    keys: dict[str, SecretStr] = Field(repr=False)
    """The provider keys by their variables."""
    origins: dict[str, str]
    """The one address that each key may be sent to."""
    alert_urls: tuple[SecretStr, ...] = ()
    """Channels for alerts in addition to issues."""
    site: SiteSettings | None = None
    """``None``: no pages."""
    unknown: tuple[str, ...]
    """Variables that look like ours but are not: perhaps a typo."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """All values that must never be shown."""
        hidden = [self.private_key, *self.webhook_secrets, *self.keys.values(), *self.alert_urls]
        hidden += [self.site.client_secret] if self.site else []
        # Passwords in addresses are secrets too, as written and decoded.
        typed = [urlsplit(url).password or "" for url in (self.database_url, self.outcomes_url, self.proxy or "")]
        values = [*(secret.get_secret_value() for secret in hidden), *typed, *map(unquote, typed)]
        return tuple(dict.fromkeys(filter(None, values)))

    @property
    def workflows_url(self) -> str:
        """The database of DBOS: next to ours in Postgres, or a file of its own."""
        if self.database_url.startswith(POSTGRES):
            return self.database_url.replace("postgres://", "postgresql://", 1)
        return f"sqlite:///{self.data / 'workflows.sqlite3'}"

    @property
    def retention(self) -> Retention:
        """The retention periods of records."""
        from bot.store.retention import Retention

        return Retention(
            deliveries_days=self.keep_deliveries_days,
            texts_days=self.keep_texts_days,
            spans_days=self.keep_spans_days,
        )

    def variables_for(self, model: ModelConfig) -> dict[str, str]:
        """Returns the variables that ``provider_for`` may read for ``model``, which a repository's configuration
        names.

        The maintainers of a repository are not the operator. A key is only available for the address that the
        operator bound it to, and nothing else of the environment is. Raises ProviderError.
        """
        shared = {PROXY: self.proxy, CA_BUNDLE: self.ca_bundle, RECORDINGS: self.recordings}
        variables = {name: value for name, value in shared.items() if value}
        name = model.api_key_env or model.spec.key
        if name is None:
            return variables
        # Compared exactly: a repository's configuration names the address, and the key must not go anywhere else.
        if self.origins.get(name) != model.origin:
            raise ProviderError(
                f"the operator of this bot has not bound a key {name} to {model.origin}",
                where=f"models: {model.model}",
                hint=f"the operator sets {name} and adds {name}={model.origin} to {names.KEY_ORIGINS.name}",
            )
        if name in self.keys:
            variables[name] = self.keys[name].get_secret_value()
        return variables


def read_settings(variables: Mapping[str, str]) -> Settings:
    """Reads the settings from the environment ``variables``.

    Raises UsageError, which says what is missing or wrong and how to fix it.
    """
    app_id = read.number(variables, names.APP_ID, None, 1, 2**63 - 1)
    pem = read.private_key(
        read.required_secret(variables, names.PRIVATE_KEY, "the .pem file from the App's settings page")
    )
    secrets = read.webhook_secrets(variables)
    data = read.data_folder(variables)
    database = read.database_url(
        read.secret_of(variables, names.DATABASE_URL.name) or f"sqlite:///{data / 'bot.sqlite3'}"
    )
    store = read.parsable_url(read.secret_of(variables, names.STORE.name), names.STORE)
    outcomes = database if database.startswith(POSTGRES) else str(data / "outcomes.sqlite3")
    api_url = read.https_url(read.text_of(variables, names.API_URL) or PUBLIC_API, names.API_URL)
    origins = read.key_origins(read.text_of(variables, names.KEY_ORIGINS) or "")
    # Only variables that are bound to an address are read as keys.
    keys = {name: SecretStr(key) for name in origins if (key := read.secret_of(variables, name))}
    return Settings(
        app_id=app_id,
        private_key=SecretStr(pem),
        webhook_secrets=secrets,
        database_url=database,
        outcomes_url=store or outcomes,
        data=data,
        host=read.text_of(variables, names.HOST) or "0.0.0.0",  # noqa: S104 - GitHub must reach it
        port=read.number(variables, names.PORT, 8080, 0, 65_535),
        api_url=api_url,
        server_url=read.https_url(
            read.text_of(variables, names.SERVER_URL) or read.server_of(api_url), names.SERVER_URL
        ),
        slot=read.slot_name(read.text_of(variables, names.SLOT_NAME) or socket.gethostname()),
        concurrency=read.number(variables, names.RUNS, 4, 1, 64),
        caps=Caps(
            run=read.money(variables, names.RUN_USD, "25"),
            repository=read.money(variables, names.REPOSITORY_USD, "100"),
            person=read.money(variables, names.PERSON_USD, "20"),
            day=read.money(variables, names.DAY_USD, "500"),
        ),
        keep_deliveries_days=read.number(variables, names.KEEP_DELIVERIES, 30, 7, 36_500),
        keep_texts_days=read.number(variables, names.KEEP_TEXTS, 365, 30, 36_500),
        keep_spans_days=read.number(variables, names.KEEP_SPANS, 30, 1, 400),
        proxy=read.parsable_url(read.secret_of(variables, names.PROXY_URL.name), names.PROXY_URL),
        ca_bundle=read.text_of(variables, names.CERTIFICATES),
        recordings=read.text_of(variables, names.RECORDED),
        keys=keys,
        origins=origins,
        trust_scorers=read.text_of(variables, names.TRUST_SCORERS) == "1",
        alert_urls=tuple(map(SecretStr, (read.secret_of(variables, names.ALERT_URLS.name) or "").split())),
        site=_site(variables),
        unknown=read.unknown_variables(variables),
    )


def _site(variables: Mapping[str, str]) -> SiteSettings | None:
    """Reads the settings of the pages. Raises UsageError if some are set and some are not."""
    client_id = read.text_of(variables, names.CLIENT_ID)
    secret = read.secret_of(variables, names.CLIENT_SECRET.name)
    url = read.text_of(variables, names.PUBLIC_URL)
    given = {names.CLIENT_ID: client_id, names.CLIENT_SECRET: secret, names.PUBLIC_URL: url}
    missing = [variable.name for variable, value in given.items() if value is None]
    if client_id is None or secret is None or url is None:
        if len(missing) == len(given):
            return None
        raise UsageError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set",
            hint="set client id, client secret and public URL to serve pages, or none of them",
        )
    public = read.https_url(url, names.PUBLIC_URL)
    if urlsplit(public).path:
        raise UsageError(
            "the pages must be at the root of a host", where=names.PUBLIC_URL.name, hint="leave the path out"
        )
    return SiteSettings(client_id=client_id, client_secret=SecretStr(secret), public_url=public)


class LocalSettings(Value):
    """The settings of pages on loopback: only where the records are."""

    database_url: str = Field(repr=False)
    data: Path | None
    """The data folder; ``None`` if the records are in the database that ``DATABASE_URL`` names."""
    host: str
    port: int
    server_url: str


def read_local_settings(variables: Mapping[str, str]) -> LocalSettings:
    """Reads the settings of pages on loopback. Raises UsageError, also for an address that others can reach."""
    host = read.text_of(variables, names.HOST) or "127.0.0.1"
    if host not in read.LOOPBACK:
        raise UsageError(
            f"other machines can reach {host}, and local pages have no sign-in",
            where=names.HOST.name,
            hint="leave it out, or set it to 127.0.0.1",
        )
    api_url = read.https_url(read.text_of(variables, names.API_URL) or PUBLIC_API, names.API_URL)
    given = read.secret_of(variables, names.DATABASE_URL.name)
    data = None if given else read.data_folder(variables)
    return LocalSettings(
        database_url=read.database_url(given or f"sqlite:///{data}/bot.sqlite3"),
        data=data,
        host=host,
        port=read.number(variables, names.PORT, 8080, 0, 65_535),
        server_url=read.https_url(
            read.text_of(variables, names.SERVER_URL) or read.server_of(api_url), names.SERVER_URL
        ),
    )
