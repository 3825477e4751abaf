"""Money: exact, from the provider's usage, and cache-neutral where it is compared."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.planning.call_cost import bill, causes, decompose, estimate, neutral, size_of, worst_case
from engine.planning.requests import Requests, digest_at, sizes_of
from schemas.outcomes import Usage
from schemas.pricing import Price
from schemas.prompts import Parameters
from tests.run.laboratory import asked

PRICE = Price(
    input=Decimal(3), output=Decimal(15), cached_input=Decimal("0.30"), cache_write=Decimal("3.75"),
    input_audio=Decimal(40), output_audio=Decimal(80),
)  # fmt: skip
PLAIN = Price(input=Decimal(3), output=Decimal(15))


def test_every_class_of_tokens_has_its_price():
    usage = Usage(
        input=1_000_000, output=1_000_000, cached_input=400_000, cache_write=200_000, input_audio=100_000,
        output_audio=500_000, reasoning=300_000,
    )  # fmt: skip
    expected = Decimal("0.3") * 3 + Decimal("0.4") * Decimal("0.30") + Decimal("0.2") * Decimal("3.75")
    expected += Decimal("0.1") * 40 + Decimal("0.5") * 15 + Decimal("0.5") * 80
    assert bill(usage, PRICE) == expected


def test_what_has_no_price_of_its_own_costs_as_its_nearest_kin():
    usage = Usage(input=100, output=10, cached_input=40, cache_write=20, input_audio=5, output_audio=5)
    assert bill(usage, PLAIN) == (100 * 3 + 10 * 15) / Decimal(1_000_000)


usages = st.builds(
    lambda i, o, c, w: Usage(input=i + c + w, output=o, cached_input=c, cache_write=w),
    *[st.integers(0, 100_000)] * 4,
)


@given(usages)
def test_the_neutral_cost_does_not_know_of_caches(usage):
    plain = Usage(input=usage.input, output=usage.output)
    assert neutral(usage, PRICE) == bill(plain, PRICE)


@given(st.lists(usages, min_size=1, max_size=5), st.lists(usages, min_size=1, max_size=5))
def test_the_parts_add_up_to_the_difference(before, after):
    other = Price(input=Decimal(1), output=Decimal(20), cached_input=Decimal("0.1"))
    parts = {part.cause: part.usd_per_1000 for part in decompose(before, after, PRICE, other)}
    change = 1000 * (
        sum(neutral(u, other) for u in after) / len(after) - sum(neutral(u, PRICE) for u in before) / len(before)
    )
    real = 1000 * (sum(bill(u, other) for u in after) / len(after) - sum(bill(u, PRICE) for u in before) / len(before))
    assert parts["input"] + parts["output"] + parts["search"] + parts["price"] == pytest.approx(
        change, abs=Decimal("1e-9")
    )
    assert sum(parts.values()) == pytest.approx(real, abs=Decimal("1e-9"))


def test_a_longer_prompt_is_told_from_longer_answers():
    before, after = [Usage(input=100, output=10)], [Usage(input=500, output=10)]
    parts = {part.cause: part for part in decompose(before, after, PLAIN, PLAIN)}
    assert parts["input"].tokens_per_case == 400
    assert parts["input"].usd_per_1000 == Decimal("1.2")
    assert parts["output"].usd_per_1000 == parts["price"].usd_per_1000 == parts["cache"].usd_per_1000 == 0


def test_means_that_are_no_finite_decimals_leave_no_residue():
    before = [Usage(input=100 + n, output=10 + n) for n in (0, 1, 3)]
    after = [Usage(input=107 + n, output=11 + n) for n in (0, 1, 1, 1, 4, 5, 6)]
    parts = {part.cause: part.usd_per_1000 for part in decompose(before, after, PLAIN, PLAIN)}
    assert parts["price"] == parts["cache"] == 0
    total = 1000 * (sum(bill(u, PLAIN) for u in after) / 7 - sum(bill(u, PLAIN) for u in before) / 3)
    assert sum(parts.values()) == round(total, 9)


def test_no_data_is_no_parts():
    assert decompose([], [Usage(input=1, output=1)], PLAIN, PLAIN) == ()


def test_a_conversation_is_not_taken_for_a_prompt():
    before, after = [Usage(input=100, output=10)], [Usage(input=160, output=10)]
    assert causes(decompose(before, after, PLAIN, PLAIN)).startswith("the prompt is 60 tokens longer")
    talks = decompose(before, after, PLAIN, PLAIN, conversations=True)
    assert causes(talks) == "what a case's calls read is 60 tokens longer"


def test_an_estimate_lies_under_the_worst_case_and_learns_from_history():
    requests = [asked("Sort this ticket into one of four labels. " * 10, case) for case in range(10)]
    blind = estimate(requests, PLAIN)
    assert blind.calls == 10
    assert blind.cost_usd < blind.worst_usd == sum(worst_case(request, PLAIN) for request in requests)
    seen = estimate(requests, PLAIN, seen=[Usage(input=100, output=1)])
    assert seen.cost_usd < blind.cost_usd


def test_tools_and_schemas_count_into_the_worst_case():
    plain = worst_case(asked("p", 1), PLAIN)
    assert worst_case(asked("p", 1, Parameters(max_tokens=10, tools=({"name": "f"},))), PLAIN) > plain
    assert worst_case(asked("p", 1, Parameters(max_tokens=10, json_schema={"name": "f"})), PLAIN) > plain
    assert worst_case(asked("p", 1, Parameters()), PLAIN) > plain  # a longer answer is possible where no limit is set


def test_the_size_of_a_request_that_was_never_made_is_that_of_the_request():
    like = asked("before", 0).model_copy(update={"parameters": Parameters(max_tokens=9, json_schema={"type": "ü"})})
    messages = [asked(prompt, case).messages for prompt in ("before", "after") for case in (1, 12)]
    requests = Requests(like, [*messages, messages[0] + messages[3]])
    assert list(sizes_of(requests)) == [size_of(request) for request in requests]
    assert list(sizes_of([None, like])) == [None, size_of(like)]
    assert [digest_at(requests, at) for at in range(5)] == [request.model_copy().digest for request in requests]
    assert (digest_at([None], 0), digest_at([like], 0)) == (None, like.digest)
