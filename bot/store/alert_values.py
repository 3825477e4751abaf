"""Values of the alert records."""

from __future__ import annotations

from datetime import date

from pydantic import AwareDatetime

from engine.alerts.states import AlertState, Standing
from engine.drift.reading import Question, Reading
from schemas.values import Value


class Alert(Value):
    """The alert of one prompt on one question."""

    repository_id: int
    lineage: str
    question: Question
    standing: Standing
    reading: Reading | None
    start: date | None
    """The first day of the baseline, if a person or a quarter moved it."""
    episode: str | None
    by: str | None
    """Who paused it."""
    issue: int | None = None
    """The issue of the open episode."""
    refused: bool = False
    """Whether the App may not write issues."""
    closed_by: str = ""
    """Who closed the issue while the alert is open."""

    @property
    def state(self) -> AlertState:
        """The state."""
        return self.standing.state


class Episode(Value):
    """One alert from its beginning to its end, and what was told about it."""

    id: str
    repository_id: int
    lineage: str
    question: Question
    opened_at: AwareDatetime
    opened_on: date
    told_on: date
    ended_on: date | None
    reading: Reading
    version: int
    told_version: int
    sent_on: date | None
    sent_end: bool
    issue: int | None
    closed_by: str
    refused: bool

    @property
    def is_untold(self) -> bool:
        """Whether its issue lacks something."""
        return self.told_version < self.version and not self.refused

    @property
    def is_unsent(self) -> bool:
        """Whether other channels lack something."""
        if self.ended_on is not None:
            return self.sent_on is not None and not self.sent_end
        return (self.sent_on is None or self.sent_on < self.told_on) and not self.closed_by
