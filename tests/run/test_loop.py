"""The event loop of a whole run."""

import pytest

from adapters.loop import run_async


class Written:
    """Remembers whether anybody had it written out."""

    written = False

    def __repr__(self):
        self.written = True
        return "a result of some hundred megabytes"


def test_the_result_of_a_run_is_not_written_out_on_the_way():
    """asyncio writes the task, with its result, into an error that is raised and caught for each SIGINT handler."""

    async def work():
        return Written()

    result = run_async(work())
    assert not result.written


def test_what_goes_wrong_inside_comes_out():
    async def work():
        raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        run_async(work())
