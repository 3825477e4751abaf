"""Suggestions in the store: only so many are open at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from bot.store.suggest_values import Suggestion, SuggestionState
from bot.store.values import RepositoryRef
from schemas.errors import BudgetExceeded

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
REPO = RepositoryRef(installation_id=7, repository_id=11, full_name="acme/shop")


def asked(records, request, cap="20"):
    suggestion = Suggestion(
        installation_id=7, repository_id=11, lineage="triage", sha="a" * 40, branch="main", budget_usd=Decimal(2),
        by="ada", role="write", request=request, asked_at=NOW,
    )  # fmt: skip
    return records.ask_suggestion(REPO, suggestion, most_open=2, cap_usd=Decimal(cap))


def test_requests_at_the_same_moment_open_no_more_than_allowed(records):
    records.repository(REPO, NOW)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: asked(records, f"page {n}"), range(8)))
    first, second = [one for one in made if one is not None]
    assert {one.id for one in records.open_suggestions()} == {first.id, second.id}
    assert asked(records, first.request) == first, "the same form once more"
    records.end_suggestion(first.id, SuggestionState.CANCELLED, "", NOW)
    assert asked(records, "one more") is not None
    assert asked(records, "too many") is None


def test_a_budget_counts_for_the_person_s_day_until_only_what_was_spent_counts(records):
    records.repository(REPO, NOW)
    first = asked(records, "one", cap="3")
    with pytest.raises(BudgetExceeded, match=r"you may spend \$3.00 a day: \$2.00 is spent or reserved"):
        asked(records, "two", cap="3")
    assert asked(records, "one", cap="3") == first, "the same form once more costs nothing"
    records.suggestion_spends(first.id, Decimal("0.4"))
    for _ in range(2):
        records.end_suggestion(first.id, SuggestionState.CANCELLED, "", NOW)
    records.suggestion_spends(first.id, Decimal("0.1"))
    assert records.person_usd("ada", NOW.date()) == Decimal("0.5")
    assert asked(records, "two", cap="3") is not None
