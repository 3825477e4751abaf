"""Which failed calls are tried again, and when."""

import pytest

from engine.runner.retry import CAP_S, may_retry, wait_s
from schemas.outcomes import CompletionError, ErrorKind
from tests.run.laboratory import HandClock, Scripted, asked, completion, experiment, run_one


def failed(kind, **more):
    return CompletionError(kind=kind, message="x", **more)


@pytest.mark.parametrize(
    ("kind", "tries"),
    [
        (ErrorKind.SERVER, 4),
        (ErrorKind.TRANSPORT, 4),
        (ErrorKind.TIMEOUT, 4),
        (ErrorKind.MALFORMED, 2),
        (ErrorKind.QUOTA, 1),
        (ErrorKind.BAD_REQUEST, 1),
        (ErrorKind.AUTHENTICATION, 1),
        (ErrorKind.REDIRECT, 1),
    ],
)
async def test_how_often_a_call_is_tried(store, kind, tries):
    provider = Scripted(lambda *_: failed(kind))
    await run_one(experiment(1), provider, store)
    assert max(provider.tries.values()) == tries


async def test_being_told_to_slow_down_is_not_a_failure(store):
    provider = Scripted(lambda _request, _repetition, nth: completion() if nth > 9 else failed(ErrorKind.RATE_LIMITED))
    result = await run_one(experiment(1), provider, store)
    assert not result.decision[0].missing.any()
    assert result.outcomes[0].result.attempts == 10


async def test_with_two_of_five_calls_told_to_slow_down_the_run_finishes_and_nobody_starves(store):
    def reply(request, _repetition, nth):
        refused = int(asked(request.digest, nth).digest[:4], 16) % 5 < 2
        return failed(ErrorKind.RATE_LIMITED, retry_after_s=1.0) if refused else completion()

    provider = Scripted(reply)
    result = await run_one(experiment(100), provider, store)
    assert not result.decision[0].missing.any()
    assert provider.calls > 300
    assert max(provider.tries.values()) <= 10


async def test_the_deadline_of_one_call_counts_its_tries_and_its_waits(store):
    clock = HandClock()
    provider = Scripted(lambda *_: failed(ErrorKind.SERVER), takes_s=50, clock=clock)
    await run_one(experiment(1), provider, store, clock=clock)
    assert max(provider.tries.values()) == 3  # of 120 s


def test_waits_grow_are_jittered_capped_and_reproducible():
    waits = [wait_s(failed(ErrorKind.SERVER), tries, seed) for tries in (1, 2, 3, 9) for seed in map(str, range(200))]
    assert all(0 <= wait <= CAP_S for wait in waits)
    means = [sum(waits[at : at + 200]) / 200 for at in range(0, 800, 200)]
    assert means[0] < means[1] < means[2] < means[3]
    assert means[0] == pytest.approx(0.25, abs=0.03)
    assert waits[0] == wait_s(failed(ErrorKind.SERVER), 1, "0")
    assert len(set(waits)) == 800


@pytest.mark.parametrize("asked_for", [None, 0.0, 0.001])
def test_who_refuses_again_and_again_and_asks_for_no_wait_is_asked_ever_less_often(asked_for):
    refused = failed(ErrorKind.RATE_LIMITED, retry_after_s=asked_for)
    assert sum(wait_s(refused, tries, "call") for tries in range(1, 101)) > 600


def test_what_the_provider_asks_for_is_honored_and_spread():
    asked_for = failed(ErrorKind.RATE_LIMITED, retry_after_s=10.0)
    waits = {wait_s(asked_for, 1, asked("p", case).digest) for case in range(50)}
    assert min(waits) >= 10
    assert max(waits) <= 11
    assert len(waits) == 50


def test_a_missing_cell_is_never_retried_for_ever():
    assert not may_retry(failed(ErrorKind.CANCELLED), 1)
    assert not may_retry(failed(ErrorKind.BUDGET), 1)
