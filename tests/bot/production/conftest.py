"""The intake on a real port, over a database, with a repository that has an ingest token."""

import asyncio
import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from fastapi import FastAPI

from adapters.clock import SystemClock
from adapters.prices import listed_price
from bot.hub.tokens import new_token, token_hash
from bot.production.default_settings import settings_of
from bot.production.intake import Intake
from bot.store.hub_values import TokenKind
from bot.store.records import Records
from bot.store.values import RepositoryRef
from bot.telemetry.metrics import Metrics
from engine.readers.config import read_config
from tests.bot.served import served
from tests.fakes.llm import FakeLlm

REPO = RepositoryRef(installation_id=7, repository_id=70, full_name="acme/shop")
CONFIG = """
version: 1
lineages:
  triage:
    use_case: classification
    prompt: prompts/triage.prompt.yml
    labels: [billing, technical]
    defer: [unknown]
    {more}
  invoice:
    use_case: extraction
    prompt: prompts/invoice.prompt.yml
    fields: {{total: {{}}, "buyer.name": {{}}}}
"""


class Town:
    """What a test sends to, and looks at."""

    def __init__(self, url):
        self.records = Records(url)
        self.records.migrate()
        self.now = SystemClock().utc()
        self.records.repository(REPO, self.now)
        self.token = new_token()
        self.records.add_token(70, "shop", token_hash(self.token), "mia", self.now, kind=TokenKind.INGEST)
        self.metrics = Metrics()
        self.intake = Intake(self.records, SystemClock(), self.metrics, listed_price, keep_days=30)
        self.app = FastAPI()
        self.intake.add_to(self.app)
        self.address = ""

    def configure(self, more=""):
        """What the default branch says."""
        text = CONFIG.format(more=more)
        self.records.keep_lineage_settings(70, settings_of(read_config("promptverdict.yaml", text.encode())), self.now)

    @property
    def headers(self):
        return {"authorization": f"Bearer {self.token}"}

    def calls(self):
        """Every call that is stored, by the spans of its trace."""
        days = {"since": (self.now - timedelta(days=2)).date(), "until": (self.now + timedelta(days=1)).date()}
        return [(key, figures) for key, figures in self.records.hour_figures(70, **days) if figures.calls]

    def call(self):
        """The only one."""
        ((key, figures),) = self.calls()
        assert figures.calls == 1
        return key, figures


@contextmanager
def running(url):
    town = Town(url)
    town.configure()
    try:
        with served(town.app) as address:
            town.address = address
            yield town
    finally:
        town.records.close()


@pytest.fixture
def town(tmp_path):
    with running(f"sqlite:///{tmp_path / 'bot.db'}") as town:
        yield town


@pytest.fixture(scope="session")
def llm():
    """A model server on this machine, in a thread."""
    ready, address = threading.Event(), []

    async def serve():
        async with FakeLlm() as fake:
            stop = asyncio.Event()
            address.extend([fake.url, asyncio.get_running_loop(), stop])
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    url, loop, stop = address
    yield url
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
