"""The bar of a run never moves backwards, although the gate asks for more answers as it goes."""

from hypothesis import given
from hypothesis import strategies as st

from action.cli.progress import BATCH_SHARE, BarPosition


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=60))
def test_the_bar_never_moves_backwards_and_never_claims_the_end(steps):
    bar, done, asked, seen = BarPosition(), 0, 0, [0.0]
    for finished, more in steps:
        asked += more
        done = min(asked, done + finished)
        seen.append(bar.move(done, asked))
    assert seen == sorted(seen)
    assert seen[-1] < 1


def test_each_batch_fills_the_same_share_of_the_rest():
    bar = BarPosition()
    assert [bar.move(done, 40) for done in (0, 20, 40)] == [0, BATCH_SHARE / 2, BATCH_SHARE]
    assert bar.move(40, 60) == BATCH_SHARE
    assert bar.move(60, 60) == BATCH_SHARE + (1 - BATCH_SHARE) * BATCH_SHARE
