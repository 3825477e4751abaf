import pytest

from adapters.store import open_store


@pytest.fixture
async def store(tmp_path):
    store = open_store(str(tmp_path / "outcomes.db"))
    yield store
    await store.aclose()
