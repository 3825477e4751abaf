"""A conversation about a prompt: what a person asked for in each round, and what the gate measured."""

from __future__ import annotations

from schemas.blame import Pattern
from schemas.pricing import Usd
from schemas.scorecard import LineageCard, Scorecard
from schemas.values import Value


class Round(Value):
    """One sentence, the edit that came of it, and its measurement."""

    asked: str
    texts: dict[str, str]
    """Every message that differs from the committed prompt after this round, by role and number."""
    why: str = ""
    """Why there is no new edit; empty if there is one."""
    card: Scorecard | None = None
    """The gate's, over all cases: the committed prompt against the edit. ``None``: nothing was measured."""
    patterns: tuple[Pattern, ...] = ()
    """What the cases have in common that fail with the edit, of those that a model may learn about."""
    calls: int = 0
    """Calls that were paid for in this round."""
    cost_usd: Usd
    unfinished: str | None = None
    """Why the measurement could not end. Such a round is not continued: the same sentence repeats it."""

    @property
    def cards(self) -> tuple[LineageCard, ...]:
        """The results by model."""
        return () if self.card is None else self.card.lineages


class Conversation(Value):
    """The rounds about one committed version of a prompt, the oldest first."""

    lineage: str
    start: str
    """Digest of the committed version, its cases and its models: a conversation about another one begins anew."""
    rounds: tuple[Round, ...] = ()

    @property
    def texts(self) -> dict[str, str]:
        """The messages that differ from the committed prompt now."""
        return dict(self.rounds[-1].texts) if self.rounds else {}

    def before(self, asked: str) -> Conversation:
        """Returns the conversation without its last round if that asked for the same, or was not finished: such a round
        is repeated, not continued."""
        last = self.rounds[-1] if self.rounds else None
        again = last is not None and (last.asked == asked or last.unfinished is not None)
        return self.model_copy(update={"rounds": self.rounds[:-1]}) if again else self

    def with_round(self, new: Round) -> Conversation:
        """Returns the conversation with one round more. Earlier ones keep their figures, and not each of their
        cases."""
        kept = tuple(map(_without_cases, self.rounds))
        return self.model_copy(update={"rounds": (*kept, new)})


def _without_cases(one: Round) -> Round:
    if one.card is None:
        return one
    cards = tuple(card.model_copy(update={"cases": ()}) for card in one.card.lineages)
    return one.model_copy(update={"card": one.card.model_copy(update={"lineages": cards})})


class AskReport(Value):
    """What a round found, and where the conversation stands."""

    lineage: str
    model: str
    reflector: str
    prompt: str
    conversation: Conversation
    patch: str | None = None
    """Unified diff from the committed file. ``None``: nothing differs, or the file can't be edited safely."""
    budget_usd: Usd | None = None

    @property
    def last(self) -> Round:
        """The round that was asked for."""
        return self.conversation.rounds[-1]
