"""The texts of an alert: Markdown for an issue, plain text for other channels.

Alerts hold figures, dates, names of prompts, models and labels. They never hold content.
"""

from __future__ import annotations

from datetime import date

from engine.drift.reading import Question, Reading
from engine.drift.sentences import label_text, points, visible_sentence
from engine.render.encode import prose, visible
from engine.render.links import link
from schemas.values import Value

MARKER = "<!-- prompt-verdict-alert"
"""The start of an issue's first line, before the alert's id. The issue is found by it."""
HEADINGS = {
    Question.PAST: "decisions shifted from the baseline",
    Question.STAGING: "decisions differ from the test set",
    Question.MODEL: "a new model decides differently",
    Question.WATCH: "the model behind the name changed",
}
REMINDER = "The alert is still open."
CLOSING = "Close this issue to acknowledge the alert. It stays on its page, but no more messages are sent about it."


class AlertNote(Value):
    """Everything that messages say about one alert."""

    id: str
    repository: str
    """``owner/name``."""
    lineage: str
    question: Question
    opened: date
    reading: Reading
    ended: date | None = None
    page: str | None = None
    """The URL of its page; ``None`` if the bot serves no pages."""


def marker(alert_id: str) -> str:
    """Returns the start of the alert's issue."""
    return f"{MARKER} {alert_id}"


def title(note: AlertNote) -> str:
    """Returns the issue's title: ``triage in production: decisions shifted from the baseline``."""
    return visible(f"{note.lineage} in production: {HEADINGS[note.question]}")[:200]


def issue_text(note: AlertNote) -> str:
    """Returns the issue's body."""
    reading = note.reading
    parts = [f"{marker(note.id)} -->", prose(reading_sentence(reading), 1_000)]
    if reading.moves:
        rows = [f"| {prose(label_text(one.label))} | {one.before:.1%} | {one.after:.1%} |" for one in reading.moves]
        parts.append("\n".join(("| label | before | now |", "|---|--:|--:|", *rows)))
    facts = [f"Open since {note.opened.isoformat()}, last checked {reading.day.isoformat()} (UTC)."]
    if note.ended:
        facts = [f"Open from {note.opened.isoformat()} to {note.ended.isoformat()} (UTC)."]
    if reading.odds is not None and reading.shift is not None:
        size, odds = points(reading.shift), _odds(reading.odds)
        facts.append(f"The shift is {size} points. The evidence for a change is {odds}.")
    if reading.per_day is not None and reading.question is not Question.WATCH:
        facts.append(f"About {reading.per_day:,.0f} decisions a day. {visible_sentence(reading.sees_from)}")
    parts.append(prose(" ".join(facts), 1_000))
    if note.page:
        parts.append(link("Details", note.page))
    if not note.ended:
        parts.append(prose(CLOSING))
    return "\n\n".join(parts) + "\n"


def reminder_text(note: AlertNote, day: date) -> str:
    """Returns the comment that reminds of an open alert."""
    sentence = prose(f"{REMINDER} {reading_sentence(note.reading)}", 1_000)
    return f"{reminder_marker(note.id, day)} -->\n{sentence}\n"


def reminder_marker(alert_id: str, day: date) -> str:
    """Returns the start of a day's reminder."""
    return f"{marker(alert_id)} told {day.isoformat()}"


def ending_text(note: AlertNote) -> str:
    """Returns the comment that reports the end of an alert."""
    return f"{ending_marker(note.id)} -->\n{prose(f'The alert is over. {reading_sentence(note.reading)}', 1_000)}\n"


def ending_marker(alert_id: str) -> str:
    """Returns the start of the comment that reports the end."""
    return f"{marker(alert_id)} ended"


def plain_text(note: AlertNote) -> str:
    """Returns the text for other channels."""
    where = visible(f"{note.repository} · {note.lineage}")
    what = "The alert is over. " if note.ended else ""
    page = f"\n{note.page}" if note.page else ""
    return f"{where}\n{what}{visible(reading_sentence(note.reading))}{page}"


def reading_sentence(reading: Reading) -> str:
    """Returns the reading's sentence with a capital letter and a final period."""
    text = reading.why if reading.why.endswith(".") else f"{reading.why}."
    return text[:1].upper() + text[1:]


def _odds(odds: float) -> str:
    return "over 1,000,000 to 1" if odds > 1e6 else f"{odds:,.0f} to 1" if odds >= 1 else f"1 to {1 / odds:,.0f}"
