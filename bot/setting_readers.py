"""Functions that each read one setting. Every error says what is wrong, where, and how to fix it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from bot import variables as names
from bot.variables import FILE, PREFIX, Variable
from schemas.errors import UsageError
from schemas.providers import PROVIDERS

LARGEST_FILE = 65_536
SHORTEST_SECRET = 16
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
SLOT = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")
POSTGRES = ("postgresql://", "postgres://")


def text_of(variables: Mapping[str, str], variable: Variable) -> str | None:
    """Returns a variable without surrounding blanks; ``None`` if it is empty."""
    return (variables.get(variable.name) or "").strip() or None


def secret_of(variables: Mapping[str, str], name: str) -> str | None:
    """Reads a variable, or the file that ``NAME_FILE`` names, without surrounding blanks and line ends."""
    direct, path = variables.get(name) or "", variables.get(name + FILE) or ""
    if direct.strip() and path:
        raise UsageError(f"{name} and {name}{FILE} are both set", hint="set one of them")
    if not path:
        return direct.strip() or None
    try:
        with Path(path).open(encoding="utf-8") as file:
            # Bounded: a wrong path may name a device that never ends.
            text = file.read(LARGEST_FILE)
    except OSError as error:
        raise UsageError(
            f"{path} can't be read: {error.strerror}", where=f"{name}{FILE}", hint="let this user read the file"
        ) from None
    except ValueError:
        raise UsageError(f"{path} is not text", where=f"{name}{FILE}", hint="name the file with the secret") from None
    if not text.strip():
        raise UsageError(f"{path} is empty", where=f"{name}{FILE}", hint="name the file with the secret")
    return text.strip()


def required_secret(variables: Mapping[str, str], variable: Variable, what: str) -> str:
    """Returns the value of a required secret. ``what`` describes it in the error. Raises UsageError."""
    value = secret_of(variables, variable.name)
    if value is None:
        also = f" or {variable.name}{FILE}" if variable.secret else ""
        raise UsageError(
            f"{variable.name} is not set", hint=f"set it{also} to {what}; `promptverdict bot setup` registers an App"
        )
    return value


def number(variables: Mapping[str, str], variable: Variable, default: int | None, least: int, most: int) -> int:
    """Returns a whole number from ``least`` to ``most``. Raises UsageError."""
    text = text_of(variables, variable)
    if text is None:
        if default is None:
            text = required_secret(variables, variable, "the number on the App's settings page")
        else:
            return default
    if not re.fullmatch("[0-9]{1,19}", text) or not least <= int(text) <= most:
        raise UsageError(f"{text!r} is not a number from {least} to {most}", where=variable.name)
    return int(text)


def money(variables: Mapping[str, str], variable: Variable, default: str) -> Decimal:
    """Returns an amount in USD. Raises UsageError."""
    text = text_of(variables, variable) or default
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
        raise UsageError(f"{text!r} is not an amount in USD", where=variable.name, hint="write a number, such as 12.50")
    return Decimal(text)


def private_key(text: str) -> str:
    """Returns the checked key. Accepts a backslash and an n for a line end, as some dashboards pass it on."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if "\n" not in text:
        text = text.replace("\\n", "\n")
    try:
        # Parsed now, so that a wrong key is reported at the start and not by the first webhook.
        usable = isinstance(load_pem_private_key(text.encode(), password=None), RSAPrivateKey)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        usable = False
    if not usable:
        raise UsageError(
            "this is not the private key of an App",
            where=names.PRIVATE_KEY.name,
            hint="give the whole .pem file, from BEGIN to END; an App's key has no passphrase",
        )
    return text


def webhook_secrets(variables: Mapping[str, str]) -> tuple[SecretStr, ...]:
    """Returns the webhook secrets, which must be hard to guess. Raises UsageError."""
    first = required_secret(
        variables, names.WEBHOOK_SECRET, "the App's webhook secret: without it anyone could send webhooks"
    )
    second = secret_of(variables, names.WEBHOOK_SECRET_2.name)
    given = {names.WEBHOOK_SECRET: first} | ({names.WEBHOOK_SECRET_2: second} if second else {})
    for variable, secret in given.items():
        if len(secret) < SHORTEST_SECRET:
            raise UsageError(
                f"the secret has fewer than {SHORTEST_SECRET} characters and can be guessed",
                where=variable.name,
                hint="make one with `openssl rand -hex 32` and give it to the App too",
            )
    return tuple(SecretStr(secret) for secret in given.values())


def data_folder(variables: Mapping[str, str]) -> Path:
    """Returns the absolute data folder. Raises UsageError for a user without a home."""
    given = text_of(variables, names.DATA)
    if given is None:
        home = variables.get("HOME") or ""
        parent = variables.get("XDG_DATA_HOME") or (f"{home}/.local/share" if home not in ("", "/") else "")
        if not parent:
            raise UsageError(
                "this user has no home folder", where=names.DATA.name, hint="set it to a folder that survives restarts"
            )
        given = f"{parent}/prompt-verdict"
    return Path(given).absolute()


def parsable_url(url: str | None, variable: Variable) -> str | None:
    """Returns ``url`` if it can be parsed. Raises UsageError."""
    try:
        urlsplit(url or "")
    except ValueError:
        raise UsageError("this is not a URL", where=variable.name, hint="correct it") from None
    return url


def database_url(url: str) -> str:
    """Returns the URL of a Postgres or an SQLite file. Raises UsageError."""
    parsable_url(url, names.DATABASE_URL)
    if url.startswith(POSTGRES) or (url.startswith("sqlite:///") and len(url) > len("sqlite:///")):
        return url
    raise UsageError(
        "this is neither a Postgres nor an SQLite database",
        where=names.DATABASE_URL.name,
        hint="postgresql://user:password@host/name, or sqlite:////absolute/path",
    )


def https_url(url: str, variable: Variable) -> str:
    """Returns ``url`` if it is https, or http on loopback: the App's tokens are sent there."""
    try:
        parts = urlsplit(url)
        plain = bool(parts.hostname) and not (parts.username or parts.password or parts.query or parts.fragment)
    except ValueError:
        raise UsageError("this is not a URL", where=variable.name, hint="write an https URL") from None
    if not plain or (parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK)):
        raise UsageError("this is not an https URL", where=variable.name, hint="such as https://github.example.com")
    return url.rstrip("/")


def server_of(api_url: str) -> str:
    """Returns the server of an API: github.com and ghe.com have an API host, Enterprise Server has an API path.

    docs.github.com/rest/using-the-rest-api
    """
    host = urlsplit(api_url).netloc
    if host.startswith("api."):
        return f"https://{host.removeprefix('api.')}"
    return api_url.removesuffix("/api/v3")


def slot_name(name: str) -> str:
    """Returns the worker's name. Raises UsageError."""
    if not SLOT.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a valid worker name", where=names.SLOT_NAME.name, hint="letters, digits, . _ -"
        )
    return name


def key_origins(text: str) -> dict[str, str]:
    """Returns the only URL to which each key may be sent, by the key's variable. Raises UsageError."""
    origins = {spec.key: spec.origin for spec in PROVIDERS.values() if spec.key is not None}
    for binding in text.replace(",", " ").split():
        name, _, url = binding.partition("=")
        if (
            not VARIABLE.fullmatch(name)
            # A provider's own key can't be bound elsewhere, and no key can be bound twice.
            or name in origins
            or name.startswith(PREFIX)
            or name == names.DATABASE_URL.name
        ):
            raise UsageError(
                f"{name!r} can't be bound to a URL",
                where=names.KEY_ORIGINS.name,
                hint="name each variable once, with the base_url that its key is for: HOUSE_LLM_KEY=https://llm.example/v1",
            )
        origins[name] = https_url(url, names.KEY_ORIGINS)
    return origins


def unknown_variables(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Returns variables with our prefix that no setting has."""
    known = {name for v in names.VARIABLES for name in (v.name, v.name + FILE if v.secret else v.name)}
    return tuple(sorted(name for name in variables if name.startswith(PREFIX) and name not in known))
