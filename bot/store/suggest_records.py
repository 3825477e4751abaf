"""Stores suggested edits: one row for each search or round, with what it has spent and what came of it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlmodel import col, select

from bot.store.documents import kept_text, read_text
from bot.store.installations import seen
from bot.store.person_spending import correct, reserve
from bot.store.suggest_tables import Suggestions
from bot.store.suggest_values import Suggestion, SuggestionState

if TYPE_CHECKING:
    from bot.store.database import Database
    from bot.store.values import RepositoryRef

OPEN = tuple(state.value for state in SuggestionState if state.is_open)


class SuggestionRecords:
    """Every method is one transaction. Raises StoreError."""

    _database: Database

    def ask_suggestion(
        self, repo: RepositoryRef, asked: Suggestion, *, most_open: int, cap_usd: Decimal
    ) -> Suggestion | None:
        """Stores a request. The same ``request`` twice is the same suggestion.

        Returns ``None`` if the repository has ``most_open`` open suggestions already. Its budget counts for what the
        person may spend in a day, ``cap_usd``, until it ends. Raises BudgetExceeded.
        """
        with self._database.writing() as session:
            # Locks the repository's row, so that concurrent requests can't exceed the number.
            seen(session, repo, asked.asked_at)
            there = session.exec(select(Suggestions).where(col(Suggestions.request) == asked.request)).first()
            if there is not None:
                return _suggestion(there)
            is_open = select(Suggestions.id).where(
                col(Suggestions.repository_id) == repo.repository_id, col(Suggestions.state).in_(OPEN)
            )
            if len(session.exec(is_open.limit(most_open)).all()) >= most_open:
                return None
            reserve(session, asked.by, asked.asked_at.date(), asked.budget_usd, cap_usd)
            row = Suggestions(**asked.model_dump(exclude={"id", "state"}), state=asked.state.value)
            session.add(row)
            session.flush()
            return _suggestion(row)

    def suggestion(self, suggestion_id: int) -> Suggestion | None:
        """Returns one suggestion."""
        with self._database.reading() as session:
            row = session.get(Suggestions, suggestion_id)
            return None if row is None else _suggestion(row)

    def suggestion_of_run(self, run_id: str) -> Suggestion | None:
        """Returns the suggestion that a run works on."""
        with self._database.reading() as session:
            row = session.exec(select(Suggestions).where(col(Suggestions.run_id) == run_id)).first()
            return None if row is None else _suggestion(row)

    def suggestion_is_open(self, suggestion_id: int) -> bool:
        """Returns whether it is still open: not cancelled and not ended. A cheap query."""
        with self._database.reading() as session:
            of = select(Suggestions.state).where(col(Suggestions.id) == suggestion_id)
            return session.exec(of).first() in OPEN

    def suggestions(self, repository_id: int, lineage: str | None = None, *, limit: int = 20) -> list[Suggestion]:
        """Returns the suggestions of a repository or of one prompt, newest first."""
        of = select(Suggestions).where(col(Suggestions.repository_id) == repository_id)
        if lineage is not None:
            of = of.where(col(Suggestions.lineage) == lineage)
        with self._database.reading() as session:
            return [_suggestion(row) for row in session.exec(of.order_by(col(Suggestions.id).desc()).limit(limit))]

    def open_suggestions(self) -> list[Suggestion]:
        """Returns every suggestion without a result, oldest first."""
        of = select(Suggestions).where(col(Suggestions.state).in_(OPEN)).order_by(col(Suggestions.id))
        with self._database.reading() as session:
            return [_suggestion(row) for row in session.exec(of)]

    def start_suggestion(self, suggestion_id: int, run_id: str) -> bool:
        """Records the run that works on it. Returns False if it has ended."""
        with self._database.writing() as session:
            row = session.get(Suggestions, suggestion_id, with_for_update=True)
            if row is None or row.state not in OPEN:
                return False
            row.run_id, row.state = run_id, SuggestionState.RUNNING.value
            return True

    def suggestion_spends(self, suggestion_id: int, usd: Decimal) -> None:
        """Adds to what a suggestion has spent. A resumed run starts from this amount."""
        with self._database.writing() as session:
            row = session.get(Suggestions, suggestion_id, with_for_update=True)
            if row is not None:
                row.spent_usd += usd
                # A call that was in flight when the suggestion was cancelled.
                if row.state not in OPEN:
                    correct(session, row.by, row.asked_at.date(), usd)

    def end_suggestion(
        self,
        suggestion_id: int,
        state: SuggestionState,
        outcome: str,
        at: datetime,
        *,
        report: str | None = None,
        spent_usd: Decimal | None = None,
    ) -> Suggestion | None:
        """Ends a suggestion. May be repeated: the first end counts. Returns ``None`` if it doesn't exist."""
        document = None if report is None else kept_text(report)
        with self._database.writing() as session:
            row = session.get(Suggestions, suggestion_id, with_for_update=True)
            if row is None:
                return None
            if row.state in OPEN:
                row.state, row.outcome, row.report, row.ended_at = state.value, outcome, document, at
                row.spent_usd = max(row.spent_usd, spent_usd or Decimal(0))
                correct(session, row.by, row.asked_at.date(), row.spent_usd - row.budget_usd)
                session.flush()
            return _suggestion(row)

    def suggestion_opened(self, suggestion_id: int, pull_url: str) -> None:
        """Records the pull request that was opened with a suggestion."""
        with self._database.writing() as session:
            row = session.get(Suggestions, suggestion_id, with_for_update=True)
            if row is not None:
                row.pull_url = pull_url


def _suggestion(row: Suggestions) -> Suggestion:
    fields = {name: getattr(row, name) for name in Suggestion.model_fields}
    return Suggestion.model_validate(fields | {"report": read_text(row.report) or None})
