"""What every test of the gate starts from."""

import pytest

from engine.gate import spending


@pytest.fixture(autouse=True)
def _no_bound_from_another_test():
    """Bounds are remembered for the life of a process; a test that broke nothing must not answer for one that would."""
    spending._state.cache_clear()


LAST = ("test_properties.py", "test_shared_answers.py", "test_signflip.py", "test_simulation.py", "test_speed.py")


def pytest_collection_modifyitems(items):
    """What takes long comes last: most of what can break is noticed by then."""
    items.sort(key=lambda item: item.path.parent.name == "gate" and item.path.name in LAST)
