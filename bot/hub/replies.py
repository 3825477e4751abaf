"""What people read about promotions, as Markdown. Everything quoted is encoded. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.store.hub_values import MoveKind, PromotionState
from engine.render.encode import prose
from engine.render.links import link

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.store.hub_values import Promotion, TagMove
    from schemas.scorecard import Scorecard

RESULT = "<!-- prompt-verdict-promotion"
"""The start of a result's first line, before the promotion's number."""
SHOWN = 12
"""Digits of a digest in a sentence."""

HEADINGS = {
    PromotionState.MOVED: "Promoted",
    PromotionState.BLOCKED: "Not promoted",
    PromotionState.FAILED: "Not promoted",
    PromotionState.WAITING: "Waiting",
    PromotionState.RUNNING: "Running",
}
MADE_BY = {
    MoveKind.FIRST: "first version",
    MoveKind.PROMOTED: "promoted",
    MoveKind.OVERRIDE: "moved in spite of a blocked verdict",
    MoveKind.ROLLBACK: "rolled back",
    MoveKind.RESTORED: "restored from GitHub",
}


def short(digest: str) -> str:
    """Returns the digits of a digest that people read."""
    return digest[:SHOWN]


def result_text(promotion: Promotion, card: Scorecard | None, page: str | None) -> str:
    """Returns the result of a promotion, for a comment. ``card`` is its scorecard, ``page`` its address."""
    names = f"`{promotion.lineage}` to `{promotion.tag}`: `{short(promotion.to_digest)}`."
    parts = [prose(f"{HEADINGS[promotion.state]} {names}")]
    if promotion.outcome:
        parts.append(prose(promotion.outcome, 1_000))
    reasons = [reason.sentence for one in (card.lineages if card else ()) for reason in one.reasons]
    parts += [f"- {prose(sentence, 500)}" for sentence in reasons[:5]]
    if promotion.state in (PromotionState.BLOCKED, PromotionState.FAILED):
        parts.append(
            prose(
                f"The tag did not move. To move it anyway, a maintainer comments `/verdict promote-anyway "
                f"{promotion.id} <reason>`; the audit log keeps who and why."
            )
        )
    if page is not None:
        parts.append(link("Details", page))
    return "\n\n".join(parts)


def moved_text(move: TagMove) -> str:
    """Returns what a move did."""
    before = f" (it was `{short(move.from_digest)}`)" if move.from_digest else ""
    return f"`{move.tag}` of `{move.lineage}` is now `{short(move.to_digest)}`{before}."


def tags_text(moves: Sequence[TagMove]) -> str:
    """Returns the tags as a list."""
    if not moves:
        return prose("No prompt has a tag yet. A maintainer comments `/verdict promote <lineage> <tag>`.")
    lines = [
        f"`{move.lineage}` `{move.tag}`: `{short(move.to_digest)}`, {MADE_BY[move.kind]} by `{move.by}` on "
        f"{move.at:%Y-%m-%d %H:%M} UTC"
        for move in moves
    ]
    return "\n".join(f"- {prose(line)}" for line in lines)
