"""A hub that serves version 0, and clients that end with the test."""

import logging
import threading
import time

import pytest

from promptverdict_client import Prompts
from promptverdict_client import prompts as module
from tests.client.fake_hub import TOKEN, running_hub, version


@pytest.fixture
def hub():
    with running_hub() as running:
        running.put(version(0))
        yield running


@pytest.fixture
def make(hub, tmp_path, caplog, monkeypatch):
    """Creates clients of ``hub`` that refresh 100 times a second, and wait for it however busy this machine is."""
    for name in ("PATIENCE_S", "FIRST_LOAD_S"):
        monkeypatch.setattr(module, name, 30)
    caplog.set_level(logging.INFO, "promptverdict_client")
    made = []

    def prompts(**more):
        settings = {"tag": "production", "hub": hub.url, "token": TOKEN, "cache": tmp_path / "cache", "refresh_s": 0.01}
        made.append(Prompts("acme/shop", **{**settings, **more}))
        return made[-1]

    yield prompts
    for one in made:
        one.close()
    for thread in threading.enumerate():
        if thread.name == "promptverdict":
            thread.join(10)


@pytest.fixture
def eventually():
    """Waits until a condition holds."""

    def wait(condition):
        until = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < until, "it never happens"
            time.sleep(0.005)

    return wait
