"""The image, built once for all tests of this folder. ``make container-test`` asks for them; elsewhere they are skipped."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.container.engine import Engine, Unavailable, base_image, start
from tests.fakes.github import FakeGitHub

ROOT = Path(__file__).parents[2]
OFFICIAL = "python:3.13-slim"
TAG = "prompt-verdict:test"


@dataclass
class Image:
    engine: Engine
    tag: str


@pytest.fixture(scope="session")
def image():
    if os.environ.get("PROMPT_VERDICT_CONTAINER") != "1":
        pytest.skip("container tests are slow: run `make container-test`")
    try:
        engine = start()
    except Unavailable as why:
        pytest.skip(f"no container engine: {why}")
    try:
        try:
            engine.run("pull", "--quiet", OFFICIAL, patience_s=120)
            base = OFFICIAL
        except Unavailable:
            try:
                base = base_image(engine)
            except Unavailable as why:
                pytest.skip(f"no base image: {why}")
        arguments = ("--network", "host", "--build-arg", f"BASE={base}", "--tag", TAG, str(ROOT))
        engine.run("build", *arguments, patience_s=900)
        yield Image(engine, TAG)
    finally:
        engine.stop()


@pytest.fixture
def github(tmp_path):
    with FakeGitHub(tmp_path) as fake:
        yield fake
    assert fake.violations == []
