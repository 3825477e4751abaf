"""Only who holds the secret is heard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.signatures import FORGERIES, attack
from bot.webhooks.signature import signature, signed

SECRET, OTHER = "It's a Secret to Everybody", "another secret of ours"
BODY = b"Hello, World!"


def test_githubs_own_example():
    """docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries, “Testing the webhook payload validation”."""
    expected = b"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert signature(BODY, SECRET) == expected
    assert signed(BODY, expected, [SECRET])


def test_while_the_secret_is_changed_both_are_good():
    for secret in (SECRET, OTHER):
        assert signed(BODY, signature(BODY, secret), [SECRET, OTHER])
        assert signed(BODY, signature(BODY, secret), [OTHER, SECRET])
    assert not signed(BODY, signature(BODY, OTHER), [SECRET])


@pytest.mark.parametrize("secrets", [[], [""], ["", ""]])
def test_without_a_secret_nothing_is_signed(secrets):
    assert not signed(BODY, signature(BODY, ""), secrets)


@pytest.mark.parametrize(
    "given",
    [b"", b"sha256=", b"sha1=" + signature(BODY, SECRET)[7:], signature(BODY, SECRET).upper(), signature(BODY, SECRET)[7:],
     signature(BODY, SECRET) + b" ", b" " + signature(BODY, SECRET), "sha256=ä".encode(), b"\xff" * 71],
)  # fmt: skip
def test_any_other_spelling_is_no_signature(given):
    assert not signed(BODY, given, [SECRET])


@given(st.binary(max_size=200), st.data())
def test_a_body_with_one_other_bit_is_not_signed(body, data):
    good = signature(body, SECRET)
    assert signed(body, good, [OTHER, SECRET])
    mutated = bytearray(body + b"\0")
    mutated[data.draw(st.integers(0, len(body)))] ^= 1 << data.draw(st.integers(0, 7))
    assert not signed(bytes(mutated), good, [OTHER, SECRET])


async def test_no_forged_webhook_is_taken():
    """A short run of ``benchmarks.signatures``: each of its forgeries a hundred times."""
    seen = await attack(100 * len(FORGERIES))
    assert {status for _, status in seen} <= {400, 401}
    assert {kind for kind, _ in seen} == set(FORGERIES)
