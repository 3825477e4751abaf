"""The settings as they are documented: name, meaning, default."""

from __future__ import annotations

from adapters.providers.registry import CA_BUNDLE, PROXY, RECORDINGS
from schemas.providers import PROVIDERS
from schemas.values import Value

PREFIX = "PROMPTVERDICT_"
FILE = "_FILE"
"""``NAME_FILE`` is the path of a file that holds what ``NAME`` would: how containers are given secrets."""
PUBLIC_API = "https://api.github.com"


class Variable(Value):
    """One setting, as it is documented."""

    name: str
    meaning: str
    default: str
    secret: bool = False
    """May also be given as a file: ``NAME_FILE``."""


APP_ID = Variable(name=f"{PREFIX}APP_ID", meaning="The App's id, from its settings page", default="needed")
PRIVATE_KEY = Variable(
    name=f"{PREFIX}PRIVATE_KEY", meaning="The App's private key (PEM)", default="needed", secret=True
)
WEBHOOK_SECRET = Variable(
    name=f"{PREFIX}WEBHOOK_SECRET", meaning="The App's webhook secret, at least 16 characters", default="needed",
    secret=True,
)  # fmt: skip
WEBHOOK_SECRET_2 = Variable(
    name=f"{PREFIX}WEBHOOK_SECRET_2", meaning="A second secret that is accepted too, while you change it",
    default="none", secret=True,
)  # fmt: skip
DATABASE_URL = Variable(
    name="DATABASE_URL", meaning="`postgresql://…`, or `sqlite:////absolute/path`",
    default="`bot.sqlite3` in the data folder", secret=True,
)  # fmt: skip
STORE = Variable(
    name=f"{PREFIX}STORE", meaning="Where paid answers are kept: `postgresql://…`, or a file",
    default="the same Postgres, or `outcomes.sqlite3` in the data folder", secret=True,
)  # fmt: skip
DATA = Variable(
    name=f"{PREFIX}DATA", meaning="The data folder: SQLite files, and repositories that were fetched",
    default="`~/.local/share/prompt-verdict`",
)  # fmt: skip
HOST = Variable(name=f"{PREFIX}HOST", meaning="The address to listen on", default="`0.0.0.0`")
PORT = Variable(name=f"{PREFIX}PORT", meaning="The port to listen on", default="`8080`")
API_URL = Variable(
    name=f"{PREFIX}API_URL", meaning="GitHub's API; of an Enterprise Server `https://HOST/api/v3`",
    default=f"`{PUBLIC_API}`",
)  # fmt: skip
SERVER_URL = Variable(
    name=f"{PREFIX}SERVER_URL", meaning="Where repositories are fetched from", default="follows from the API"
)
SLOT_NAME = Variable(
    name=f"{PREFIX}SLOT", meaning="This worker's name: its own, and the same after a restart", default="the host's name"
)
RUNS = Variable(name=f"{PREFIX}RUNS", meaning="Pull requests that a worker measures at once", default="`4`")
RUN_USD = Variable(
    name=f"{PREFIX}MAX_USD_PER_RUN", meaning="What one run may cost, whatever its repository's budget says",
    default="`25`",
)  # fmt: skip
REPOSITORY_USD = Variable(
    name=f"{PREFIX}MAX_USD_PER_REPOSITORY", meaning="What all runs of one repository may cost in a day (UTC)",
    default="`100`",
)  # fmt: skip
DAY_USD = Variable(
    name=f"{PREFIX}MAX_USD_PER_DAY", meaning="What all runs of this bot may cost in a day (UTC)", default="`500`"
)
KEEP_DELIVERIES = Variable(
    name=f"{PREFIX}KEEP_DELIVERIES_DAYS", meaning="Days that the ids of handled webhooks are kept", default="`30`"
)
KEEP_TEXTS = Variable(
    name=f"{PREFIX}KEEP_TEXTS_DAYS", meaning="Days that prompts, answers and scorecards are kept", default="`365`"
)
KEY_ORIGINS = Variable(
    name=f"{PREFIX}KEY_ORIGINS",
    meaning="Keys for other model servers, each bound to one `base_url`: `HOUSE_LLM_KEY=https://llm.example/v1 …`",
    default="none",
)
PROVIDER_KEYS = tuple(
    Variable(name=spec.key, meaning=f"Goes to {spec.host} and nowhere else", default="none", secret=True)
    for spec in sorted(PROVIDERS.values(), key=lambda spec: spec.host, reverse=True)
    if spec.key is not None
)
PROXY_URL = Variable(name=PROXY, meaning="The proxy for everything that goes out", default="none", secret=True)
CERTIFICATES = Variable(name=CA_BUNDLE, meaning="A file of certificates that are trusted too", default="none")
RECORDED = Variable(name=RECORDINGS, meaning="The folder of recorded answers, for `provider: replay`", default="none")

VARIABLES = (
    APP_ID, PRIVATE_KEY, WEBHOOK_SECRET, WEBHOOK_SECRET_2, DATABASE_URL, STORE, DATA, HOST, PORT, API_URL, SERVER_URL,
    SLOT_NAME, RUNS, RUN_USD, REPOSITORY_USD, DAY_USD, KEEP_DELIVERIES, KEEP_TEXTS, *PROVIDER_KEYS, KEY_ORIGINS,
    PROXY_URL, CERTIFICATES, RECORDED,
)  # fmt: skip
"""Every setting, in the order of the documentation."""
