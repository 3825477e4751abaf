"""Values of the watch's records."""

from __future__ import annotations

from datetime import date

from pydantic import AwareDatetime

from engine.drift.reading import Reading
from engine.watch.answers import WatchedAnswers
from schemas.values import Value


class Watch(Value):
    """A prompt whose production version is measured again on a schedule."""

    repository_id: int
    lineage: str
    every_days: int
    by: str
    asked_at: AwareDatetime
    next_on: date
    run_id: str | None
    trouble: str


class WatchedDay(Value):
    """The answers of one model in one run of a watch."""

    model: str
    day: date
    digest: str
    answers: WatchedAnswers
    is_baseline: bool
    reading: Reading | None
