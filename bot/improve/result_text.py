"""What people read about suggestions, as Markdown. Everything quoted is encoded. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.store.suggest_values import SuggestionState
from engine.improve.conversation import AskReport
from engine.improve.search_report import SearchReport
from engine.improve.suggestion_text import ask_parts, search_parts
from engine.render.encode import prose
from engine.render.figures import usd
from engine.render.limits import COMMENT
from engine.render.links import link
from engine.render.patch_block import patch_block

if TYPE_CHECKING:
    from bot.store.suggest_values import Suggestion

Report = SearchReport | AskReport
RESULT = "<!-- prompt-verdict-suggestion"
"""The start of a result's first line, before the suggestion's number."""
HEADINGS = {
    SuggestionState.WAITING: "Waiting",
    SuggestionState.RUNNING: "Running",
    SuggestionState.DONE: "Done",
    SuggestionState.CANCELLED: "Cancelled",
    SuggestionState.FAILED: "No result",
}


def report_of(suggestion: Suggestion) -> Report | None:
    """Returns the stored report; ``None`` if there is none that this version understands."""
    kind: type[Report] = AskReport if suggestion.asked else SearchReport
    try:
        return None if suggestion.report is None else kind.model_validate_json(suggestion.report)
    except ValueError:
        return None


def edits_of(report: Report) -> dict[str, str]:
    """Returns the messages that are proposed, by role and number; empty if nothing is."""
    if isinstance(report, AskReport):
        return dict(report.last.texts) if report.last.card is not None else {}
    return dict(report.proposed.texts) if report.proposed is not None else {}


def body_of(suggestion: Suggestion, report: Report) -> str:
    """Returns the text of a pull request with the edit."""
    asked = prose(f"Requested by `{suggestion.by}`. The edit was measured on `{suggestion.sha[:12]}`.")
    draft = prose("It is a draft: review the diff, then mark it as ready for review.")
    text = "\n\n".join((*_parts(report), asked, draft))
    return text if COMMENT.hold(text) else f"{asked}\n\n{draft}"


def comment_of(suggestion: Suggestion, report: Report | None, *, page: str | None, why_patch: str = "") -> str:
    """Returns the comment that reports a result. ``why_patch`` says why no pull request was opened."""
    parts = [prose(f"{HEADINGS[suggestion.state]}: suggestion {suggestion.id} for `{suggestion.lineage}`.")]
    if suggestion.outcome:
        parts.append(prose(suggestion.outcome, 1_000))
    if report is None:
        parts.append(prose(f"Cost: {usd(suggestion.spent_usd)}."))
    else:
        parts += _parts(report)
    if suggestion.pull_url is not None:
        parts.append(f"{link('The draft pull request', suggestion.pull_url)} {prose('has the edit.')}")
    elif report is not None and edits_of(report):
        parts += [prose(why_patch, 1_000)] if why_patch else []
        if report.patch is None:
            where = "" if page is None else " The page has the new messages."
            parts.append(prose(f"`{report.prompt}` can't be edited automatically.{where}"))
        else:
            parts.append(patch_block(report.patch, f"This patch edits `{report.prompt}`.", suggestion.sha))
    if page is not None:
        parts.append(link("Details", page))
    text = "\n\n".join(parts)
    if COMMENT.hold(text):
        return text
    last = [] if page is None else parts[-1:]
    return "\n\n".join([parts[0], prose("The result is too long for a comment."), *last])


def _parts(report: Report) -> tuple[str, ...]:
    return tuple(ask_parts(report) if isinstance(report, AskReport) else search_parts(report))
