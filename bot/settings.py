"""The operator's settings: environment variables, and files for secrets. Read once, then passed on."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr

from adapters.providers.registry import CA_BUNDLE, KEYS, PROXY, RECORDINGS
from bot.variables import (
    API_URL,
    APP_ID,
    CERTIFICATES,
    DATA,
    DATABASE_URL,
    DAY_USD,
    FILE,
    HOST,
    KEEP_DELIVERIES,
    KEEP_TEXTS,
    KEY_ORIGINS,
    PORT,
    PREFIX,
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
    VARIABLES,
    WEBHOOK_SECRET,
    WEBHOOK_SECRET_2,
    Variable,
)
from schemas.config import ORIGINS, ModelConfig
from schemas.errors import ProviderError, UsageError
from schemas.values import Value

if TYPE_CHECKING:
    from bot.store.retention import Retention

LARGEST_FILE = 65_536
SHORTEST_SECRET = 16
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
SLOT = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")
POSTGRES = ("postgresql://", "postgres://")


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
    app_id = _number(variables, APP_ID, None, 1, 2**63 - 1)
    private_key = _private_key(_needed(variables, PRIVATE_KEY, "the .pem file from the App's settings page"))
    secrets = _webhook_secrets(variables)
    data = _folder(variables)
    database = _database(_secret(variables, DATABASE_URL.name) or f"sqlite:///{data / 'bot.sqlite3'}")
    store = _whole(_secret(variables, STORE.name), STORE)
    outcomes = database if database.startswith(POSTGRES) else str(data / "outcomes.sqlite3")
    api_url = _address(_text(variables, API_URL) or PUBLIC_API, API_URL)
    origins = _origins(_text(variables, KEY_ORIGINS) or "")
    keys = {name: SecretStr(key) for name in origins if (key := _secret(variables, name))}
    return Settings(
        app_id=app_id,
        private_key=SecretStr(private_key),
        webhook_secrets=secrets,
        database_url=database,
        outcomes_url=store or outcomes,
        data=data,
        host=_text(variables, HOST) or "0.0.0.0",  # noqa: S104 - a webhook that only hears itself hears nothing
        port=_number(variables, PORT, 8080, 0, 65_535),
        api_url=api_url,
        server_url=_address(_text(variables, SERVER_URL) or _server_of(api_url), SERVER_URL),
        slot=_slot(_text(variables, SLOT_NAME) or socket.gethostname()),
        concurrency=_number(variables, RUNS, 4, 1, 64),
        caps=Caps(
            run=_money(variables, RUN_USD, "25"),
            repository=_money(variables, REPOSITORY_USD, "100"),
            day=_money(variables, DAY_USD, "500"),
        ),
        keep_deliveries_days=_number(variables, KEEP_DELIVERIES, 30, 7, 36_500),
        keep_texts_days=_number(variables, KEEP_TEXTS, 365, 30, 36_500),
        proxy=_whole(_secret(variables, PROXY_URL.name), PROXY_URL),
        ca_bundle=_text(variables, CERTIFICATES),
        recordings=_text(variables, RECORDED),
        keys=keys,
        origins=origins,
        unknown=_unknown(variables),
    )


def _text(variables: Mapping[str, str], variable: Variable) -> str | None:
    return (variables.get(variable.name) or "").strip() or None


def _secret(variables: Mapping[str, str], name: str) -> str | None:
    """Reads a variable, or the file that ``NAME_FILE`` names, without surrounding blanks and line ends."""
    direct, path = variables.get(name) or "", variables.get(name + FILE) or ""
    if direct.strip() and path:
        raise UsageError(f"{name} and {name}{FILE} are both set", mend="set one of them")
    if not path:
        return direct.strip() or None
    try:
        with Path(path).open(encoding="utf-8") as file:
            text = file.read(LARGEST_FILE)
    except OSError as error:
        raise UsageError(
            f"{path} can't be read: {error.strerror}", where=f"{name}{FILE}", mend="let this user read the file"
        ) from None
    except ValueError:
        raise UsageError(f"{path} is not text", where=f"{name}{FILE}", mend="name the file with the secret") from None
    if not text.strip():
        raise UsageError(f"{path} is empty", where=f"{name}{FILE}", mend="name the file with the secret")
    return text.strip()


def _needed(variables: Mapping[str, str], variable: Variable, what: str) -> str:
    value = _secret(variables, variable.name)
    if value is None:
        also = f" or {variable.name}{FILE}" if variable.secret else ""
        raise UsageError(
            f"{variable.name} is not set", mend=f"set it{also} to {what}; `promptverdict bot setup` registers an App"
        )
    return value


def _number(variables: Mapping[str, str], variable: Variable, default: int | None, least: int, most: int) -> int:
    text = _text(variables, variable)
    if text is None:
        if default is None:
            text = _needed(variables, variable, "the number on the App's settings page")
        else:
            return default
    if not re.fullmatch("[0-9]{1,19}", text) or not least <= int(text) <= most:
        raise UsageError(f"{text!r} is not a number from {least} to {most}", where=variable.name)
    return int(text)


def _money(variables: Mapping[str, str], variable: Variable, default: str) -> Decimal:
    text = _text(variables, variable) or default
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
        raise UsageError(f"{text!r} is not an amount in USD", where=variable.name, mend="write a number, such as 12.50")
    return Decimal(text)


def _private_key(text: str) -> str:
    """Checks the key. Accepts a backslash and an n for line ends, as some shells and dashboards pass it on."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if "\n" not in text:
        text = text.replace("\\n", "\n")
    try:
        usable = isinstance(load_pem_private_key(text.encode(), password=None), RSAPrivateKey)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        usable = False
    if not usable:
        raise UsageError(
            "this is not the private key of an App",
            where=PRIVATE_KEY.name,
            mend="give the whole .pem file, from BEGIN to END; an App's key has no passphrase",
        )
    return text


def _webhook_secrets(variables: Mapping[str, str]) -> tuple[SecretStr, ...]:
    first = _needed(variables, WEBHOOK_SECRET, "the App's webhook secret: without it anyone could send webhooks")
    second = _secret(variables, WEBHOOK_SECRET_2.name)
    given = {WEBHOOK_SECRET: first} | ({WEBHOOK_SECRET_2: second} if second else {})
    for variable, secret in given.items():
        if len(secret) < SHORTEST_SECRET:
            raise UsageError(
                f"the secret has fewer than {SHORTEST_SECRET} characters and can be guessed",
                where=variable.name,
                mend="make one with `openssl rand -hex 32` and give it to the App too",
            )
    return tuple(SecretStr(secret) for secret in given.values())


def _folder(variables: Mapping[str, str]) -> Path:
    given = _text(variables, DATA)
    if given is None:
        home = variables.get("HOME") or ""
        parent = variables.get("XDG_DATA_HOME") or (f"{home}/.local/share" if home not in ("", "/") else "")
        if not parent:
            raise UsageError(
                "this user has no home folder", where=DATA.name, mend="set it to a folder that survives restarts"
            )
        given = f"{parent}/prompt-verdict"
    return Path(given).absolute()


def _whole(url: str | None, variable: Variable) -> str | None:
    try:
        urlsplit(url or "")
    except ValueError:
        raise UsageError("this is not a URL", where=variable.name, mend="correct it") from None
    return url


def _database(url: str) -> str:
    _whole(url, DATABASE_URL)
    if url.startswith(POSTGRES) or (url.startswith("sqlite:///") and len(url) > len("sqlite:///")):
        return url
    raise UsageError(
        "this is neither a Postgres nor an SQLite database",
        where=DATABASE_URL.name,
        mend="postgresql://user:password@host/name, or sqlite:////absolute/path",
    )


def _address(url: str, variable: Variable) -> str:
    """Accepts https, or http on loopback: the App's tokens are sent there."""
    try:
        parts = urlsplit(url)
        plain = bool(parts.hostname) and not (parts.username or parts.password or parts.query or parts.fragment)
    except ValueError:
        raise UsageError("this is not a URL", where=variable.name, mend="write an https URL") from None
    if not plain or (parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK)):
        raise UsageError("this is not an https URL", where=variable.name, mend="such as https://github.example.com")
    return url.rstrip("/")


def _server_of(api_url: str) -> str:
    """Returns the server of an API: github.com and ghe.com have a host for the API, Enterprise Server a path.

    docs.github.com/rest/using-the-rest-api
    """
    host = urlsplit(api_url).netloc
    if host.startswith("api."):
        return f"https://{host.removeprefix('api.')}"
    return api_url.removesuffix("/api/v3")


def _slot(name: str) -> str:
    if not SLOT.fullmatch(name):
        raise UsageError(f"{name!r} is not a valid worker name", where=SLOT_NAME.name, mend="letters, digits, . _ -")
    return name


def _origins(text: str) -> dict[str, str]:
    origins = {name: ORIGINS[provider] for provider, name in KEYS.items()}
    for binding in text.replace(",", " ").split():
        name, _, url = binding.partition("=")
        if not VARIABLE.fullmatch(name) or name in origins or name.startswith(PREFIX) or name == DATABASE_URL.name:
            raise UsageError(
                f"{name!r} can't be bound to a URL",
                where=KEY_ORIGINS.name,
                mend="name each variable once, with the base_url that its key is for: HOUSE_LLM_KEY=https://llm.example/v1",
            )
        origins[name] = _address(url, KEY_ORIGINS)
    return origins


def _unknown(variables: Mapping[str, str]) -> tuple[str, ...]:
    known = {name for v in VARIABLES for name in (v.name, v.name + FILE if v.secret else v.name)}
    return tuple(sorted(name for name in variables if name.startswith(PREFIX) and name not in known))
