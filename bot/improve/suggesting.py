"""Takes requests for suggested edits. The default branch alone says whether they are on, and what one may cost."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from bot.improve.pull_request import edit_of
from bot.store.suggest_values import Suggestion, SuggestionState
from engine.improve.asking import LONGEST
from engine.readers.bounded import did_you_mean
from engine.render.figures import usd
from schemas.errors import BudgetExceeded, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bot.runs.default_branch import DefaultBranch, Today
    from bot.store.records import Records
    from bot.store.values import RepositoryRef
    from engine.improve.patch import FileEdit
    from schemas.ports import Clock

MOST_OPEN = 2
"""Suggestions of one repository at once. Each may cost its whole budget."""
OFF = "suggested edits are off in this repository"
HINT = (
    "to switch them on, merge `suggest: {budget_usd: 5.00}` into promptverdict.yaml of the default branch; without a "
    "budget, `/verdict blame` and `promptverdict suggest NAME --budget 0` show what the stored answers tell"
)


class Asked(NamedTuple):
    """A request for a suggested edit."""

    lineage: str | None
    """``None``: the only prompt."""
    by: str
    role: str
    request: str
    """The same request twice is the same suggestion."""
    budget_usd: Decimal | None = None
    """Only lowers the configured budget."""
    sentence: str = ""
    """For a round of a conversation; empty for a search."""
    follows: int | None = None
    number: int | None = None
    """The pull request on which the result is reported."""


class Suggesting:
    """Requests for one bot. Methods block. Raise StoreError."""

    def __init__(
        self, records: Records, branch: DefaultBranch, clock: Clock, *, run_usd: Decimal, person_usd: Decimal
    ) -> None:
        """``run_usd`` and ``person_usd`` are the operator's caps of a run and of a person's day."""
        self._records = records
        self._branch = branch
        self._clock = clock
        self._run_usd, self._person_usd = run_usd, person_usd

    def ask(self, repo: RepositoryRef, asked: Asked) -> Suggestion:
        """Stores a request. A worker takes it from here.

        Raises UsageError if it can't be done, and says why; SourceError and HostError if GitHub doesn't answer.
        """
        if len(asked.sentence) > LONGEST:
            raise UsageError(f"the sentence has more than {LONGEST:,} characters", hint="ask for one thing at a time")
        today = self._branch.read(repo)
        lineage = _lineage(today, asked.lineage)
        budget = self._budget(today, lineage, asked.budget_usd)
        wanted = Suggestion(
            installation_id=repo.installation_id,
            repository_id=repo.repository_id,
            lineage=lineage,
            sha=today.sha,
            branch=today.branch,
            asked=" ".join(asked.sentence.split()),
            follows=asked.follows,
            budget_usd=budget,
            by=asked.by,
            role=asked.role,
            request=asked.request,
            number=asked.number,
            asked_at=self._clock.utc(),
        )
        try:
            made = self._records.ask_suggestion(repo, wanted, most_open=MOST_OPEN, cap_usd=self._person_usd)
        except BudgetExceeded as error:
            raise UsageError(error.what, hint=error.hint) from None
        if made is None:
            raise UsageError(f"{MOST_OPEN} suggestions are already in progress", hint="wait, or cancel one")
        return made

    def edit_of(self, repo: RepositoryRef, suggestion: Suggestion, texts: Mapping[str, str]) -> FileEdit | None:
        """Returns the prompt's file with these messages, at the suggestion's commit; ``None`` if none is sure to be
        right. Raises SourceError and HostError."""
        return edit_of(self._branch, repo, suggestion, texts)

    def cancel(self, repo: RepositoryRef, by: str, *, lineage: str | None = None, only: int | None = None) -> list[int]:
        """Cancels open suggestions of a repository, of one prompt, or ``only`` one; returns their ids.

        The worker that has it notices within half a second.
        """
        found = [
            one
            for one in self._records.suggestions(repo.repository_id, lineage, limit=100)
            if one.state.is_open and only in (None, one.id)
        ]
        for one in found:
            self._records.end_suggestion(one.id, SuggestionState.CANCELLED, f"{by} cancelled it.", self._clock.utc())
        return [one.id for one in found]

    def _budget(self, today: Today, lineage: str, asked: Decimal | None) -> Decimal:
        change = next(one for one in today.detection.lineages if one.name == lineage)
        config = today.detection.config_of(change) or today.detection.config
        configured = config.suggest.budget_usd if config else Decimal(0)
        if not configured:
            raise UsageError(OFF, hint=HINT)
        if asked is not None and asked > configured:
            raise UsageError(
                f"the default branch allows {usd(configured)} for a suggestion, and you asked for {usd(asked)}",
                hint="ask for less, or raise suggest.budget_usd there",
            )
        return min(configured if asked is None else asked, self._run_usd)


def _lineage(today: Today, asked: str | None) -> str:
    names: Sequence[str] = sorted(change.name for change in today.detection.lineages)
    if asked is None and len(names) == 1:
        return names[0]
    if asked is None:
        raise UsageError("several prompts are configured", hint=f"name one: {', '.join(names[:20])}")
    if asked not in names:
        raise UsageError(f"the default branch has no prompt {asked}", hint=did_you_mean(asked, names))
    return asked
