"""The pages of suggested edits: ask for one, by a search or in words; then its result, and the draft pull request."""

from __future__ import annotations

import secrets
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from bot.improve.pull_request import opened
from bot.improve.result_text import HEADINGS, edits_of, report_of
from bot.improve.suggesting import Asked
from bot.pages import addresses
from bot.pages.access import Role
from bot.pages.addresses import with_query
from bot.pages.context import Page
from bot.pages.views.crumbs import of_repository
from bot.store.page_records import Bounds
from engine.improve.asking import LONGEST
from engine.improve.conversation import AskReport
from engine.improve.search_report import SearchReport
from engine.improve.suggestion_text import headline
from schemas.errors import HostError, PromptVerdictError, StoreError

if TYPE_CHECKING:
    from bot.improve.result_text import Report
    from bot.pages.context import Context
    from bot.store.suggest_values import Suggestion

FOLLOW_S = 5
NO_ACTION = "The form has no action. Reload the page."
READ_ONLY = "This site is read-only."
NOT_YOURS = "Only people with write access to this repository can ask for edits."


def improve(context: Context) -> Page | None:
    """Shows the forms, and starts what one asks for."""
    repo, lineage_id = context.repository, context.path["lineage"]
    page = context.records.lineage_page(repo.repository_id, lineage_id, Bounds(limit=1), merged=False)
    if page is None:
        return None
    made, wrong = None, ""
    if context.form.get("action") in ("search", "words"):
        made, wrong = _asked(context, page.name)
    elif context.form:
        wrong = NO_ACTION
    here = addresses.lineage(repo.repository_id, lineage_id)
    found = context.records.suggestions(repo.repository_id, page.name)
    values = {
        "name": page.name,
        "made": made and _address(made),
        "wrong": wrong,
        "address": f"{here}/improve",
        "request": secrets.token_urlsafe(16),
        "longest": LONGEST,
        "suggestions": [(one, _address(one)) for one in found],
        "headings": HEADINGS,
        "facts": context.facts,
    }
    crumbs = (*of_repository(repo), (page.name, here), ("Improve", None))
    return Page("improve", f"{page.name}: suggested edits", values, crumbs)


def suggestion(context: Context) -> Page | None:
    """Shows one suggestion; does what its forms ask for: cancel it, open its pull request, go on in words."""
    at = context.repository.repository_id
    found = context.records.suggestion(context.path["suggestion"])
    if found is None or found.repository_id != at:
        return None
    may = context.suggesting is not None and context.visitor.role(context.repository) >= Role.WRITE
    said: dict[str, object] = {}
    if context.form:
        said = _done(context, found, may=may)
        found = context.records.suggestion(found.id) or found
    report = report_of(found)
    base = _address(found)
    follows = found.state.is_open and context.query.get("follow") == "1"
    edits = edits_of(report) if report is not None else {}
    values = {
        "one": found,
        "report": report,
        **_shown(report),
        "edits": edits,
        "heading": HEADINGS[found.state],
        "progress": _progress(context, found),
        "follow": base if follows else with_query(base, {"follow": 1}),
        "follows": follows,
        "may": may,
        "may_open": may and bool(edits) and context.visitor.proposer(context.repository) is not None,
        "address": base,
        "request": secrets.token_urlsafe(16),
        "longest": LONGEST,
        "github": context.github,
        "next": None,
        "wrong": "",
        "opened": None,
        **said,
    }
    crumbs = (*of_repository(context.repository), (f"Suggestion {found.id}", None))
    title = f"Suggestion {found.id} for {found.lineage}"
    return Page("suggestion", title, values, crumbs, refresh_s=FOLLOW_S if follows else None)


def _shown(report: Report | None) -> dict[str, object]:
    """Returns what the page shows of a report. A search has figures, a conversation has rounds."""
    shown: dict[str, object] = {"headline": None, "rounds": (), "judged": (), "card": None, "patterns": ()}
    match report:
        case AskReport():
            last = report.last
            shown |= {"rounds": report.conversation.rounds, "card": last.card, "patterns": last.patterns}
        case SearchReport():
            shown |= {"headline": headline(report), "judged": report.judged}
            shown |= {"card": report.check, "patterns": report.patterns}
    return shown


def _progress(context: Context, one: Suggestion) -> str | None:
    run = context.records.run(one.run_id) if one.run_id else None
    return None if run is None else run.progress


def _address(one: Suggestion) -> str:
    return addresses.suggestion(one.repository_id, one.id)


def _asked(context: Context, lineage: str, follows: int | None = None) -> tuple[Suggestion | None, str]:
    """Stores what a form asks for. Returns it, or why it can't be done."""
    form, repo = context.form, context.repository
    if context.suggesting is None:
        return None, READ_ONLY
    sentence = form.get("sentence", "").strip()
    if form.get("action") == "words" and not any(character.isalnum() for character in sentence):
        return None, "Say in a sentence what to change."
    budget = form.get("budget", "").strip().removeprefix("$")
    try:
        usd = Decimal(budget) if budget else None
    except InvalidOperation:
        return None, "The budget is not a number."
    if usd is not None and not (usd.is_finite() and 0 < usd < 1_000_000):
        return None, "The budget must be above 0."
    wanted = Asked(
        lineage,
        context.visitor.login or "",
        Role.WRITE.name.lower(),
        # The same form twice, by a reload, is the same request.
        f"page:{repo.repository_id}:{form.get('request', '')[:64]}",
        budget_usd=usd,
        sentence=sentence if form.get("action") == "words" else "",
        follows=follows,
    )
    try:
        return context.suggesting.ask(repo, wanted), ""
    except (HostError, StoreError):
        raise
    except PromptVerdictError as error:
        return None, f"Nothing was started: {error}."


def _done(context: Context, one: Suggestion, *, may: bool) -> dict[str, object]:
    """Does what a form of a suggestion's page asks for. Returns what to say about it."""
    if context.suggesting is None or not may:
        return {"wrong": READ_ONLY if context.suggesting is None else NOT_YOURS}
    match context.form.get("action"):
        case "cancel":
            context.suggesting.cancel(context.repository, context.visitor.login or "", only=one.id)
            return {}
        case "open":
            return _opened(context, one)
        case "words":
            made, wrong = _asked(context, one.lineage, one.id if one.asked else None)
            return {"next": made and _address(made), "wrong": wrong}
    return {"wrong": NO_ACTION}


def _opened(context: Context, one: Suggestion) -> dict[str, object]:
    """Opens the draft pull request with the reader's own token."""
    report, proposer = report_of(one), context.visitor.proposer(context.repository)
    edits = edits_of(report) if report is not None else {}
    if report is None or not edits or proposer is None or context.suggesting is None:
        return {"wrong": "There is no edit here that you can open as a pull request."}
    try:
        edit = context.suggesting.edit_of(context.repository, one, edits)
        if edit is None:
            return {"wrong": f"`{report.prompt}` can't be edited automatically. Copy the messages below."}
        made = opened(one, report, edit, proposer)
    except HostError as error:
        hint = f" ({error.hint})" if error.hint else ""
        return {"wrong": f"{error.what}{hint}. You can try again: a second try opens no second pull request."}
    if isinstance(made, str):
        return {"wrong": made}
    context.records.suggestion_opened(one.id, made.url)
    return {"opened": made}
