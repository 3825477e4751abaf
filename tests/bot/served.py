"""The HTTP surface on a real port, and a client that speaks as GitHub does."""

import asyncio
import threading
import uuid
from contextlib import contextmanager

import httpx

from adapters.clock import SystemClock
from bot.settings import read_settings
from bot.telemetry.metrics import Metrics
from bot.webhooks.endpoints import create_app
from bot.webhooks.listener import Listener, listen
from bot.webhooks.signature import signature
from tests.fakes.github.identity import App

SECRET, SECOND = "a webhook secret, long enough", "the next webhook secret"
KEY = App.make(1, "x", {}).private_key


def settings_for(folder, **more):
    given = {
        "PROMPTVERDICT_APP_ID": "123", "PROMPTVERDICT_SLOT": "one", "PROMPTVERDICT_PRIVATE_KEY": KEY, "PROMPTVERDICT_WEBHOOK_SECRET": SECRET,
        "PROMPTVERDICT_WEBHOOK_SECRET_2": SECOND, "PROMPTVERDICT_DATA": str(folder),
    }  # fmt: skip
    return read_settings({**given, **more})


SETTINGS = settings_for("/nowhere")
"""For what neither reads nor writes files."""


class Ledger:
    """Records in memory: what the web asks of them."""

    def __init__(self):
        self.stored = {}
        self.broken = None

    def receive(self, delivery_id, event, body, at):
        if self.broken:
            raise self.broken
        if delivery_id in self.stored:
            return False
        self.stored[delivery_id] = (event, body)
        return True

    def check(self):
        if self.broken:
            raise self.broken

    def unhandled_count(self):
        self.check()
        return len(self.stored)

    def failed_count(self):
        return 0

    def oldest_unhandled(self):
        return None

    def queued_runs(self):
        return 0, None


def app_for(records, *, wake=lambda: None, **more):
    return create_app(records, SETTINGS, clock=SystemClock(), metrics=Metrics(), wake=wake, **more)


def headers_for(body, *, event="ping", secret=SECRET, guid=None, **more):
    made = {
        "content-type": "application/json", "x-github-event": event, "x-github-delivery": guid or str(uuid.uuid4()),
        "x-hub-signature-256": signature(body, secret).decode(), "user-agent": "GitHub-Hookshot/test",
    }  # fmt: skip
    return {name: value for name, value in {**made, **more}.items() if value is not None}


def client_of(app):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bot")


@contextmanager
def served(app):
    """The application on a free port, in a thread: its address."""
    listening = listen("127.0.0.1", 0)
    server = Listener(app, listening)
    thread = threading.Thread(target=lambda: asyncio.run(server.run_until_stopped()))
    port = listening.getsockname()[1]
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()
        thread.join(10)
        assert not thread.is_alive()
