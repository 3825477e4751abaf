"""What each fault of a provider becomes (design: faults), on both SDKs and all three APIs, over real HTTP."""

import pytest

from schemas.outcomes import Completion, ErrorKind, Finish
from tests.providers.conftest import request_of

FAULTS = {
    "429-seconds": ErrorKind.RATE_LIMITED,
    "429-date": ErrorKind.RATE_LIMITED,
    "429-bare": ErrorKind.RATE_LIMITED,
    "quota": ErrorKind.QUOTA,
    "400": ErrorKind.BAD_REQUEST,
    "401": ErrorKind.AUTHENTICATION,
    "403": ErrorKind.AUTHENTICATION,
    "404": ErrorKind.BAD_REQUEST,
    "408": ErrorKind.SERVER,
    "409": ErrorKind.SERVER,
    "413": ErrorKind.BAD_REQUEST,
    "500": ErrorKind.SERVER,
    "502": ErrorKind.SERVER,
    "503": ErrorKind.SERVER,
    "529": ErrorKind.SERVER,
    "reset": ErrorKind.TRANSPORT,
    "close": ErrorKind.TRANSPORT,
    "drip": ErrorKind.TIMEOUT,
    "hang": ErrorKind.TIMEOUT,
    "truncated": ErrorKind.MALFORMED,
    "duplicate-keys": ErrorKind.MALFORMED,
    "nan": ErrorKind.MALFORMED,
    "html": ErrorKind.MALFORMED,
    "wrong-type": ErrorKind.MALFORMED,
    "negative-usage": ErrorKind.MALFORMED,
    "huge": ErrorKind.MALFORMED,
    "deep": ErrorKind.MALFORMED,
    "error-200": ErrorKind.SERVER,
    "redirect http://127.0.0.1:9/": ErrorKind.REDIRECT,
}


SLOW = {"drip", "hang"}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_a_typed_error(provider, fake, fault):
    answer = await provider.complete(request_of(f"[[{fault}]]"), repetition=0, timeout_s=0.3 if fault in SLOW else 20)
    assert not isinstance(answer, Completion), answer
    assert answer.kind is FAULTS[fault], answer
    assert fake.requests == 1  # the SDK's own retries are off


@pytest.mark.parametrize(
    ("fault", "low", "high"), [("429-seconds", 1, 1), ("429-date", 0.5, 2), ("429-bare", None, None)]
)
async def test_retry_after_is_read_as_seconds_and_as_a_date(provider, fault, low, high):
    answer = await provider.complete(request_of(f"[[{fault}]]"), repetition=0, timeout_s=5)
    assert answer.retry_after_s is None if low is None else low <= answer.retry_after_s <= high


@pytest.mark.parametrize("fault", ["length", "refusal", "filter", "empty"])
async def test_what_the_provider_finished_is_an_answer_that_scores_zero(provider, api, fault):
    answer = await provider.complete(request_of(f"[[{fault}]]"), repetition=0, timeout_s=5)
    assert isinstance(answer, Completion), answer
    expected = Finish.REFUSAL if (fault, api) == ("filter", "messages") else Finish(fault)
    assert answer.finish is expected
    assert answer.finish.scores_zero
    assert answer.usage.input > 0


async def test_a_filtered_prompt_is_an_answer_too(provider):
    answer = await provider.complete(request_of("[[filter-400]]"), repetition=0, timeout_s=5)
    assert isinstance(answer, Completion)
    assert answer.finish is Finish.FILTER


async def test_no_choices_at_all(provider, api):
    answer = await provider.complete(request_of("[[empty-choices]]"), repetition=0, timeout_s=5)
    if api == "chat":  # a choice was promised; the other APIs may well answer with nothing
        assert answer.kind is ErrorKind.MALFORMED
    else:
        assert answer.finish is Finish.EMPTY


async def test_another_model_than_asked_for_is_visible(provider, api):
    answer = await provider.complete(request_of("[[other-model]]"), repetition=0, timeout_s=5)
    assert answer.model == "another-model"
    assert answer.fingerprint == ("fp_other" if api == "chat" else None)


async def test_a_tool_call_is_an_output(provider):
    answer = await provider.complete(request_of("[[tool]]"), repetition=0, timeout_s=5)
    assert answer.finish is Finish.TOOL
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [("refund", '{"id": 7}')]


async def test_nobody_listens(fake, provider):
    fake._server.close()
    answer = await provider.complete(request_of("hello"), repetition=0, timeout_s=5)
    assert answer.kind is ErrorKind.TRANSPORT
    assert not answer.billed


@pytest.mark.parametrize("fault", ["hang", "reset", "truncated"])
async def test_a_failure_that_may_have_been_billed_says_so(provider, fault):
    assert (await provider.complete(request_of(f"[[{fault}]]"), repetition=0, timeout_s=0.3)).billed


async def test_usage_is_counted_honestly(provider):
    answer = await provider.complete(request_of("ticket billing"), repetition=0, timeout_s=5)
    assert answer.text == "billing"
    assert answer.finish is Finish.STOP
    assert 6 <= answer.usage.input <= 8
    assert answer.usage.output == 2
    assert answer.latency_s > 0
