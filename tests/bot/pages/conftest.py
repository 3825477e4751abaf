"""One database for all tests of pages of each kind: they only read it."""

import secrets

import pytest

from bot.store.records import Records
from tests.bot.pages import stage
from tests.bot.pages.site import site
from tests.fakes.github import FakeGitHub


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def staged(request, tmp_path_factory):
    """The records of an organization."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('pages') / 'bot.db'}"
    else:
        server, name = request.getfixturevalue("server"), f"t{secrets.token_hex(6)}"
        server.psql(f"CREATE DATABASE {name}")
        url = server.get_uri(database=name)
    records = Records(url)
    records.migrate()
    stage.organization(records)
    yield records
    records.close()


@pytest.fixture
def web(staged, tmp_path):
    """The site. ``ada`` reads the shop, ``eve`` only the other repository, ``mia`` maintains both, ``tom`` sees none."""
    with FakeGitHub(tmp_path) as github:
        yield site(
            staged,
            github,
            [
                ("acme/shop", 11, {"ada": "read", "mia": "maintain", "wes": "write"}),
                ("acme/secret", 12, {"eve": "read", "mia": "maintain"}),
            ],
        )
        assert github.violations == []
