"""The settings with their documentation: name, meaning, default."""

from __future__ import annotations

from typing import NamedTuple

from adapters.providers.open_provider import CA_BUNDLE, PROXY, RECORDINGS
from adapters.scorer import TRUST
from schemas.providers import PROVIDERS

PREFIX = "PROMPTVERDICT_"
FILE = "_FILE"
"""Suffix for secrets in containers: ``NAME_FILE`` is the path of a file with the value of ``NAME``."""
PUBLIC_API = "https://api.github.com"


class Variable(NamedTuple):
    """One setting, as it is documented."""

    name: str
    meaning: str
    default: str
    secret: bool = False
    """May also be given as a file: ``NAME_FILE``."""


APP_ID = Variable(f"{PREFIX}APP_ID", "The App's id, from its settings page", "needed")
PRIVATE_KEY = Variable(f"{PREFIX}PRIVATE_KEY", "The App's private key (PEM)", "needed", secret=True)
WEBHOOK_SECRET = Variable(
    f"{PREFIX}WEBHOOK_SECRET", "The App's webhook secret, at least 16 characters", "needed", secret=True
)
WEBHOOK_SECRET_2 = Variable(
    f"{PREFIX}WEBHOOK_SECRET_2", "A second secret that is accepted too, while you change it", "none", secret=True
)
CLIENT_ID = Variable(f"{PREFIX}CLIENT_ID", "The App's client id, with which people sign in to the pages", "no pages")
CLIENT_SECRET = Variable(f"{PREFIX}CLIENT_SECRET", "The App's client secret", "no pages", secret=True)
PUBLIC_URL = Variable(
    f"{PREFIX}PUBLIC_URL", "Where people reach the pages: `https://HOST`. Comments and checks link there", "no pages"
)
DATABASE_URL = Variable(
    "DATABASE_URL", "`postgresql://…`, or `sqlite:////absolute/path`", "`bot.sqlite3` in the data folder", secret=True
)
STORE = Variable(
    f"{PREFIX}STORE", "Where paid answers are kept: `postgresql://…`, or a file",
    "the same Postgres, or `outcomes.sqlite3` in the data folder", secret=True,
)  # fmt: skip
DATA = Variable(
    f"{PREFIX}DATA",
    "The data folder: SQLite files, and repositories that were fetched",
    "`~/.local/share/prompt-verdict`",
)
HOST = Variable(f"{PREFIX}HOST", "The address to listen on", "`0.0.0.0`")
PORT = Variable(f"{PREFIX}PORT", "The port to listen on", "`8080`")
API_URL = Variable(f"{PREFIX}API_URL", "GitHub's API; of an Enterprise Server `https://HOST/api/v3`", f"`{PUBLIC_API}`")
SERVER_URL = Variable(f"{PREFIX}SERVER_URL", "Where repositories are fetched from", "follows from the API")
SLOT_NAME = Variable(f"{PREFIX}SLOT", "This worker's name: its own, and the same after a restart", "the host's name")
RUNS = Variable(f"{PREFIX}RUNS", "Pull requests that a worker measures at once", "`4`")
RUN_USD = Variable(f"{PREFIX}MAX_USD_PER_RUN", "What one run may cost, whatever its repository's budget says", "`25`")
REPOSITORY_USD = Variable(
    f"{PREFIX}MAX_USD_PER_REPOSITORY", "What all runs of one repository may cost in a day (UTC)", "`100`"
)
PERSON_USD = Variable(
    f"{PREFIX}MAX_USD_PER_PERSON", "What one person's runs and suggestions may cost in a day (UTC)", "`20`"
)
DAY_USD = Variable(f"{PREFIX}MAX_USD_PER_DAY", "What all runs of this bot may cost in a day (UTC)", "`500`")
KEEP_DELIVERIES = Variable(f"{PREFIX}KEEP_DELIVERIES_DAYS", "Days that the ids of handled webhooks are kept", "`30`")
KEEP_TEXTS = Variable(f"{PREFIX}KEEP_TEXTS_DAYS", "Days that prompts, answers and scorecards are kept", "`365`")
KEEP_SPANS = Variable(
    f"{PREFIX}KEEP_SPANS_DAYS", "Days that individual calls in production are kept. Hourly sums stay longer", "`30`"
)
KEY_ORIGINS = Variable(
    f"{PREFIX}KEY_ORIGINS",
    "Keys for other model servers, each bound to one `base_url`: `HOUSE_LLM_KEY=https://llm.example/v1 …`",
    "none",
)
PROVIDER_KEYS = tuple(
    Variable(spec.key, f"Goes to {spec.host} and nowhere else", "none", secret=True)
    for spec in sorted(PROVIDERS.values(), key=lambda spec: spec.host, reverse=True)
    if spec.key is not None
)
PROXY_URL = Variable(PROXY, "The proxy for everything that goes out", "none", secret=True)
CERTIFICATES = Variable(CA_BUNDLE, "A file of certificates that are trusted too", "none")
RECORDED = Variable(RECORDINGS, "The folder of recorded answers, for `provider: replay`", "none")
TRUST_SCORERS = Variable(
    TRUST, "`1`: run own scorers of repositories without isolation, if this system has none", "an error"
)

ALERT_URLS = Variable(
    f"{PREFIX}ALERT_URLS",
    "Where [alerts](production.md#alerts) go in addition to issues: URLs of the library apprise, separated by spaces",
    "none", secret=True,
)  # fmt: skip

VARIABLES = (
    APP_ID, PRIVATE_KEY, WEBHOOK_SECRET, WEBHOOK_SECRET_2, CLIENT_ID, CLIENT_SECRET, PUBLIC_URL, DATABASE_URL, STORE,
    DATA, HOST, PORT, API_URL, SERVER_URL, SLOT_NAME, RUNS, RUN_USD, REPOSITORY_USD, PERSON_USD, DAY_USD,
    KEEP_DELIVERIES, KEEP_TEXTS, KEEP_SPANS, *PROVIDER_KEYS, KEY_ORIGINS, PROXY_URL, CERTIFICATES, RECORDED,
    TRUST_SCORERS, ALERT_URLS,
)  # fmt: skip
"""Every setting, in the order of the documentation."""
