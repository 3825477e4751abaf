"""What every test of the gate starts from."""

import pytest

from engine.gate import spending


@pytest.fixture(autouse=True)
def _no_bound_from_another_test():
    """Bounds are remembered for the life of a process; a test that broke nothing must not answer for one that would."""
    spending._state.cache_clear()
