"""Both databases: whatever the bot keeps is tested in a file and in a server."""

import pytest

from bot.store.records import Records


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    """An empty database's address."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'deep' / 'bot.db'}"
    return request.getfixturevalue("new_database")()


@pytest.fixture
def records(url):
    """The bot's records in an empty database."""
    records = Records(url)
    records.migrate()
    yield records
    records.close()
