"""Personal data in a new case: what is replaced, by what, and what must stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.new_cases.masking import Masker

EMAIL, PHONE = "person1@example.com", "+1 202 555 0100"
IBAN, CARD = "GB75TEST00000000000001", "4000000000000010"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Write to ada.l+x@mail.acme.co.uk, please.", f"Write to {EMAIL}, please."),
        ("Call +49 (171) 234-5678 now", f"Call {PHONE} now"),
        ("Call +4917123456789.", f"Call {PHONE}."),
        ("0049 171 2345678", PHONE),
        ("(030) 123 456-78", PHONE),
        ("0171 2345678 or 020 7946 0958", f"{PHONE} or +1 202 555 0101"),
        ("(212) 664-7665, 1-800-223-4567", f"{PHONE}, +1 202 555 0101"),
        ("Pay DE89 3704 0044 0532 0130 00 today", f"Pay {IBAN} today"),
        ("gb82west12345698765432", IBAN),
        ("Card 4111 1111 1111 1111 12/26, again 4111111111111111", f"Card {CARD} 12/26, again {CARD}"),
        ("5500-0055-5555-5559", CARD),
        ("DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000", IBAN),
        ("4111\u202f1111\u00a01111\u20091111", CARD),
        ("+49\u00a0171\u00a02345678", PHONE),
        ("tel:+49-30-123456", f"tel:{PHONE}"),
        ("an ada@müller.de", f"an {EMAIL}"),
    ],
)  # fmt: skip
def test_values_of_a_known_form_are_replaced(text, wanted):
    assert Masker().text(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "On 2024-05-01, 01/02/2024, 05-12-2024 and 10.5.2024 at 08:30",
        "order 1234567890123, parcel 00340434161094015902 and 4111111111111112",
        "1.2.3.4, 192.168.100.200, 3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "It cost 1 000 000 or 1,234,567.89 euros, item #0171-2345678",
        "GB82 WEST 1234 5698 7654 33 and AB12 are no accounts",
        "an @mention, a@b and C++ 20",
        "January 2001",
    ],
)
def test_other_numbers_stay(text):
    masker = Masker()
    assert masker.text(text) == text
    assert masker.found == ""


def test_a_card_number_that_is_a_number_is_masked_as_one():
    masked = Masker().value({"card": 4111111111111111, "total": 1234567890123, "paid": True})
    assert masked == {"card": int(CARD), "total": 1234567890123, "paid": True}


def test_one_value_gets_one_replacement_in_all_texts_of_a_case_and_is_not_masked_twice():
    masker = Masker()
    row = {
        "inputs": {"mail": "From ada@acme.io to bob@acme.io", "more": [{"by": "ADA@acme.io"}, 7]},
        "expected": "bob@acme.io",
    }
    masked = masker.value(row)
    assert masked == {
        "inputs": {
            "mail": "From person1@example.com to person2@example.com",
            "more": [{"by": "person1@example.com"}, 7],
        },
        "expected": "person2@example.com",
    }
    assert masker.found == "2 e-mail addresses"
    again = Masker()
    assert again.value(masked) == masked
    assert again.found == ""


@given(st.text())
def test_masking_twice_is_masking_once(text):
    once = Masker().text(text)
    assert Masker().text(once) == once
