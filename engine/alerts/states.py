"""The states of an alert. Pure: each day's reading leads from one standing to the next."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from engine.drift.reading import Level
from schemas.values import Value

CALM = 3
"""Readings in a row that must be ok before an alert ends. One quiet day after a shift is often chance."""
REMIND_DAYS = 7
"""Days between two reminders of an open alert."""


class AlertState(StrEnum):
    """The state of one alert."""

    OK = "ok"
    WARNING = "warning"
    ALERT = "alert"
    NO_DATA = "no data"
    PAUSED = "paused"


class Standing(Value):
    """The state of an alert, and what it needs to know for the next one."""

    state: AlertState = AlertState.NO_DATA
    day: date | None = None
    """Of the last reading. ``None``: none yet."""
    calm: int = 0
    """Readings in a row that were ok, since a warning or an alert."""
    since: date | None = None
    """The day on which the state began."""
    told: date | None = None
    """The day of the last message about the alert; ``None`` without an alert."""


def after(standing: Standing, level: Level, day: date) -> Standing:
    """Returns the standing after the reading of ``day``. A reading of a day that was read before changes nothing."""
    if standing.day is not None and day <= standing.day:
        return standing
    if standing.state is AlertState.PAUSED:
        return standing.model_copy(update={"day": day})
    state, calm = _next(standing, level)
    changed = state is not standing.state
    told = standing.told
    if state is not AlertState.ALERT:
        told = None
    elif told is None or (day - told).days >= REMIND_DAYS:
        told = day
    return Standing(state=state, day=day, calm=calm, since=day if changed else standing.since, told=told)


def _next(standing: Standing, level: Level) -> tuple[AlertState, int]:
    raised = standing.state in (AlertState.ALERT, AlertState.WARNING)
    if level is Level.ALERT:
        return AlertState.ALERT, 0
    if level is Level.WARNING:
        # An alert doesn't fade into a warning: an announced alert stays open until it is over.
        return (AlertState.ALERT if standing.state is AlertState.ALERT else AlertState.WARNING), 0
    if level is Level.NO_DATA:
        # Silence doesn't say that a shift is over.
        return (AlertState.ALERT, standing.calm) if standing.state is AlertState.ALERT else (AlertState.NO_DATA, 0)
    if raised and standing.calm + 1 < CALM:
        return standing.state, standing.calm + 1
    return AlertState.OK, 0


def paused(standing: Standing, day: date) -> Standing:
    """Returns the standing of an alert that a person pauses."""
    return Standing(state=AlertState.PAUSED, day=standing.day, since=day)


def resumed(standing: Standing, day: date) -> Standing:
    """Returns the standing of an alert that a person resumes. The next reading decides."""
    return Standing(state=AlertState.NO_DATA, day=standing.day, since=day)
