"""The page of alerts: every question about every prompt, and the actions of maintainers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.pages import addresses
from bot.pages.access import Role
from bot.pages.context import Page
from bot.pages.views.crumbs import of_repository, repository_tabs
from bot.store.values import NO_PULL_REQUEST, AuditEntry
from engine.alerts.states import AlertState
from engine.alerts.texts import reading_sentence
from engine.drift.reading import Question
from engine.drift.sentences import visible_sentence
from engine.render.figures import plural, usd

if TYPE_CHECKING:
    from bot.pages.context import Context
    from bot.store.alert_values import Alert
    from bot.store.page_values import LineageSummary

WORDS = {
    Question.PAST: "its own past",
    Question.STAGING: "the test set",
    Question.MODEL: "models as served",
    Question.WATCH: "scheduled watch",
}
PACES = (1, 7)
"""Days between two runs of a watch that the form offers."""
RESTARTS = (Question.PAST, Question.WATCH)
"""Questions with a baseline that a person may move."""
NOT_YOURS = "Only maintainers of this repository can pause alerts and set watches."
READ_ONLY = "This site is read-only."


@dataclass(frozen=True)
class WatchRow:
    """A prompt that is, or can be, measured again on a schedule."""

    lineage: str
    every_days: int | None
    next_on: str
    by: str
    trouble: str
    cost: str
    """Of one run."""


@dataclass(frozen=True)
class AlertRow:
    """One alert as pages show it."""

    lineage: str
    repository: str
    question: str
    key: str
    """The question, in a form."""
    state: str
    sentence: str
    visible: str
    """What this volume can show; empty where that is not known."""
    since: str
    """The day; empty if nothing was read yet."""
    paused_by: str | None
    note: str
    """Why no messages are sent; empty if they are."""
    issue: str | None
    address: str
    restarts: bool
    """Whether a person may start a new baseline."""


def alerts(context: Context) -> Page:
    """Shows the alerts of a repository, and does what a form asks for."""
    repo = context.repository
    may = context.hub is not None and context.visitor.role(repo) >= Role.MAINTAIN
    said = _done(context, may=may) if context.form else None
    rows = [alert_row(context, one, repo.full_name) for one in context.records.alerts(repo.repository_id)]
    values = {
        "tabs": repository_tabs(repo, "Alerts"),
        "alerts": rows,
        "watches": _watches(context),
        "paces": PACES,
        "may": may,
        "said": said,
        "address": addresses.alerts(repo.repository_id),
    }
    return Page("alerts", f"{repo.full_name}: alerts", values, (*of_repository(repo), ("Alerts", None)))


def stands_of(context: Context, lineage: str) -> list[AlertRow]:
    """Returns how one prompt of the repository stands."""
    repo = context.repository
    found = context.records.alerts(repo.repository_id)
    return [alert_row(context, one, repo.full_name) for one in found if one.lineage == lineage]


def alert_row(context: Context, alert: Alert, repository: str) -> AlertRow:
    """Returns one alert as pages show it."""
    reading, standing = alert.reading, alert.standing
    issue = f"{context.facts.server_url}/{repository}/issues/{alert.issue}" if alert.issue else None
    note = ""
    if alert.closed_by:
        note = f"{alert.closed_by} closed the issue."
    elif alert.refused:
        note = "No issue on GitHub: the App may not write issues, or the repository has them turned off."
    counted = reading is not None and reading.question is not Question.WATCH and reading.per_day is not None
    return AlertRow(
        lineage=alert.lineage,
        repository=repository,
        question=WORDS[alert.question],
        key=alert.question.value,
        state=alert.state.value,
        sentence=reading_sentence(reading) if reading else "No result yet.",
        visible=visible_sentence(reading.sees_from) if reading is not None and counted else "",
        since=standing.since.isoformat() if standing.since else "",
        paused_by=alert.by if alert.state is AlertState.PAUSED else None,
        note=note,
        issue=issue,
        address=addresses.alerts(alert.repository_id),
        restarts=alert.question in RESTARTS and alert.state is not AlertState.NO_DATA,
    )


def _done(context: Context, *, may: bool) -> str:
    """Does what the form asks for, and returns a sentence about it."""
    if context.hub is None:
        return READ_ONLY
    if not may:
        return NOT_YOURS
    form, records = context.form, context.records
    if form.get("action") == "watch":
        return _watch_set(context)
    repository_id, lineage = context.repository.repository_id, form.get("lineage", "")
    question = next((one for one in Question if one.value == form.get("question")), None)
    alert = records.alert(repository_id, lineage, question) if question is not None else None
    if alert is None or question is None:
        return "There is no such alert. Reload the page."
    return _acted(context, alert, form.get("action", ""))


def _watch_set(context: Context) -> str:
    repository_id, lineage = context.repository.repository_id, context.form.get("lineage", "")
    pace = context.form.get("every", "")
    if lineage not in context.records.lineages(repository_id) or pace not in {"", *map(str, PACES)}:
        return "There is no such prompt or pace. Reload the page."
    every = int(pace) if pace else None
    entry = _entry(context, "stop_watch" if every is None else "watch", lineage)
    context.records.set_watch(lineage, entry, every_days=every)
    if every is None:
        return f"{lineage} is not watched any more."
    pace = "day" if every == 1 else plural(every, "day")
    return f"{lineage} is watched every {pace}. The first run stores the answers to compare with."


def _entry(context: Context, action: str, what: str) -> AuditEntry:
    """Describes an action of the form for the audit log."""
    return AuditEntry(
        repository_id=context.repository.repository_id,
        number=NO_PULL_REQUEST,
        by=context.visitor.login or "",
        role=context.visitor.role(context.repository).name.lower(),
        action=action,
        reason=what,
        at=context.now,
    )


def _watches(context: Context) -> list[WatchRow]:
    """Returns every prompt that was measured, with its watch."""
    at = context.repository.repository_id
    known = {one.lineage: one for one in context.records.watches(at)}
    rows = []
    for one in context.records.lineage_rows(at):
        watch = known.get(one.name)
        rows.append(
            WatchRow(
                lineage=one.name,
                every_days=watch.every_days if watch else None,
                next_on=watch.next_on.isoformat() if watch else "",
                by=watch.by if watch else "",
                trouble=watch.trouble if watch else "",
                cost=_cost(context, one),
            )
        )
    return rows


def _cost(context: Context, row: LineageSummary) -> str:
    """Returns what one run probably costs, by the newest experiment of the prompt."""
    newest = context.records.newest_experiment(row.id)
    if newest is None or row.newest is None or row.newest.cost_per_1000 is None:
        return "unknown"
    return f"about {usd(row.newest.cost_per_1000 * context.records.case_history(newest[1]).cases / 1_000)}"


def _acted(context: Context, alert: Alert, action: str) -> str:
    records, key = context.records, (alert.lineage, alert.question)
    entry = _entry(context, f"{action}_alert", f"{alert.lineage} compared with {WORDS[alert.question]}")
    if action == "pause":
        paused = records.pause_alert(*key, entry)
        return "Paused. No messages are sent until you resume it." if paused else "This alert is already paused."
    if action == "resume":
        resumed = records.resume_alert(*key, entry)
        return "Resumed. The next daily check sets its state." if resumed else "This alert is not paused."
    if action == "restart" and alert.question in RESTARTS:
        since = alert.reading.since if alert.reading else None
        start = since or entry.at.date() - timedelta(days=1)
        records.restart_alert(*key, entry, start=start)
        return f"The baseline now starts on {start.isoformat()}."
    return "The form has no action. Reload the page."
