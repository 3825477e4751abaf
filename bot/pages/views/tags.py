"""The tags of a prompt: what each has, how it got there, and the forms that move it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.hub.hub_service import Asker
from bot.hub.replies import HEADINGS, MADE_BY
from bot.pages import addresses
from bot.pages.access import Role
from bot.pages.context import Page
from bot.pages.views.crumbs import lineage_tabs, of_repository
from bot.store.hub_values import PromotionState
from bot.store.page_records import Bounds
from schemas.errors import HostError, PromptVerdictError, StoreError
from schemas.host import Role as HostRole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.pages.context import Context
    from bot.store.hub_values import Promotion, TagMove

MOVES = 100
NO_HUB = "This site is read-only."
NOT_YOURS = "Only maintainers of this repository move tags."


def tags(context: Context) -> Page | None:
    """Shows the tags, and does what a form asks for."""
    repo, lineage_id = context.repository, context.path["lineage"]
    at = repo.repository_id
    lineage = context.records.lineage_page(at, lineage_id, Bounds(limit=1), merged=False)
    if lineage is None:
        return None
    name = lineage.name
    may_move = context.hub is not None and context.visitor.role(repo) >= Role.MAINTAIN
    said = _done(context, name, may_move=may_move) if context.form else None
    moves = context.records.moves(at, lineage=name, limit=MOVES)
    now = context.records.tags(at, name)
    earlier = {one.tag: _earlier(moves, one) for one in now}
    promotions = context.records.promotions(at, name)
    values = {
        "name": name,
        "use_case": lineage.use_case,
        "tabs": lineage_tabs(repo, lineage_id, "Tags"),
        "now": now,
        "earlier": earlier,
        "moves": moves,
        "promotions": [(one, _run_address(context, one)) for one in promotions],
        "open": [one.id for one in promotions if one.state.is_open],
        "blocked": [one.id for one in promotions if one.state in (PromotionState.BLOCKED, PromotionState.FAILED)],
        "may_move": may_move,
        "said": said,
        "address": f"{addresses.lineage(at, lineage_id)}/tags",
        "request": secrets.token_urlsafe(16),
        "made_by": MADE_BY,
        "headings": HEADINGS,
        "then": _then(context, name),
    }
    crumbs = (*of_repository(repo), (name, addresses.lineage(at, lineage_id)), ("Tags", None))
    return Page("tags", f"{name}: tags", values, crumbs)


def _earlier(moves: Sequence[TagMove], now: TagMove) -> list[str]:
    """Returns the other versions that a tag had, newest first."""
    had = (move.to_digest for move in moves if move.tag == now.tag and move.to_digest != now.to_digest)
    return list(dict.fromkeys(had))


def _done(context: Context, lineage: str, *, may_move: bool) -> str:
    """Does what the form asks for, and returns a sentence about it."""
    if context.hub is None:
        return NO_HUB
    if not may_move:
        return NOT_YOURS
    form, repo = context.form, context.repository
    asker = Asker(context.visitor.login or "", HostRole.MAINTAIN)
    # The same form twice, by a reload, is the same request.
    request = f"page:{repo.repository_id}:{form.get('request', '')[:64]}"
    try:
        match form.get("action"):
            case "promote":
                promotion = context.hub.promote(
                    repo, lineage, form.get("tag", ""), source=form.get("source") or None, asker=asker, request=request
                )
                return f"{HEADINGS[promotion.state]}. {promotion.outcome or 'A worker measures it; reload this page.'}"
            case "rollback":
                move = context.hub.rollback(
                    repo, lineage, form.get("tag", ""), to=form.get("to") or None, reason=form.get("reason", ""),
                    asker=asker, request=request,
                )  # fmt: skip
            case "anyway":
                move = context.hub.override(
                    repo,
                    _number(form.get("promotion", "")),
                    reason=form.get("reason", ""),
                    asker=asker,
                    request=request,
                )
            case _:
                return "The form has no action. Reload the page."
    except (HostError, StoreError):
        raise
    except PromptVerdictError as error:
        return f"Nothing was moved: {error}."
    return f"{move.tag} now has {move.to_digest[:12]}."


def _number(text: str) -> int:
    """Returns a promotion's number; 0, which none has, for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _run_address(context: Context, promotion: Promotion) -> str | None:
    run = context.records.run(promotion.run_id) if promotion.run_id else None
    return None if run is None else addresses.run(run.repository_id, run.sequence)


def _then(context: Context, lineage: str) -> dict[str, object]:
    """Returns what each tag had at a time in the past, if the reader asks."""
    text = context.query.get("at", "")
    try:
        at = datetime.fromisoformat(text[:25])
    except ValueError:
        return {"at": "", "moves": None}
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    moves = context.records.tags(context.repository.repository_id, lineage, at=at)
    return {"at": at.strftime("%Y-%m-%dT%H:%M"), "moves": moves}
