"""The result of one drift comparison: its level, its figures and the smallest visible shift."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from math import exp, log

from pydantic import Field

from schemas.values import Fraction, Value

ALERT_AT = log(100)
"""Log evidence of an alert: without a change it is reached with a chance of at most 1 in 100."""
WARN_AT = log(20)
FLOOR = 0.03
"""Smallest shift that is reported. Smaller shifts happen in any traffic and need no action."""


class Question(StrEnum):
    """What production is compared with."""

    PAST = "past"
    """Its own past."""
    STAGING = "staging"
    """What the version's test set measured."""
    MODEL = "model"
    """The answers of other models by the name that the provider reports."""
    WATCH = "watch"
    """The stored answers of the same version, in a scheduled run of its test set."""


class Level(StrEnum):
    """The level of a reading."""

    NO_DATA = "no data"
    OK = "ok"
    WARNING = "warning"
    ALERT = "alert"


class Move(Value):
    """The share of one label."""

    label: str
    before: Fraction
    after: Fraction


class Reading(Value):
    """The result of one question on one day."""

    question: Question
    level: Level
    day: date
    """The last day that was read."""
    why: str
    """One sentence for people. It has labels and figures, and no content."""
    shift: Fraction | None = None
    """Share of decisions that moved to other labels."""
    log_evidence: float | None = None
    since: date | None = None
    """The day from which the change speaks most."""
    sees_from: Fraction | None = None
    """The smallest shift that this volume shows within ``visible.WITHIN`` days, 4 out of 5 times. ``None``: none, or
    not known."""
    per_day: float | None = Field(default=None, ge=0)
    moves: tuple[Move, ...] = ()
    """The labels that moved most, largest first."""

    @property
    def odds(self) -> float | None:
        """The evidence as “n to 1”; ``None`` if there is none."""
        return None if self.log_evidence is None else exp(min(self.log_evidence, 700.0))


def level_of(log_evidence: float, shift: float) -> Level:
    """Returns the level of evidence of a shift."""
    if shift < FLOOR:
        return Level.OK
    if log_evidence >= ALERT_AT:
        return Level.ALERT
    return Level.WARNING if log_evidence >= WARN_AT else Level.OK
