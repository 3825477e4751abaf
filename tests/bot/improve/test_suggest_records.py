"""Suggestions in the store: only so many are open at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

from bot.store.suggest_values import Suggestion, SuggestionState
from bot.store.values import RepositoryRef

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
REPO = RepositoryRef(installation_id=7, repository_id=11, full_name="acme/shop")


def asked(records, request):
    suggestion = Suggestion(
        installation_id=7, repository_id=11, lineage="triage", sha="a" * 40, branch="main", budget_usd=Decimal(2),
        by="ada", role="write", request=request, asked_at=NOW,
    )  # fmt: skip
    return records.ask_suggestion(REPO, suggestion, most_open=2)


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
