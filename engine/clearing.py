"""What a person may clear: an approving review of the same content by somebody else who may write and saw the verdict.

``needs_approval`` and ``suspicious`` are for people to decide; ``blocked`` and ``error`` are not cleared by a review.
A clearance is bound to the content digest: it survives unrelated commits and the merge queue, and dies with the next
change that matters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from schemas.host import Review, ReviewState, Sha
from schemas.scorecard import Clearance, ReasonCode, Scorecard, VerdictStatus

CLEARABLE = (VerdictStatus.NEEDS_APPROVAL, VerdictStatus.SUSPICIOUS)
DECIDES = (ReviewState.APPROVED, ReviewState.CHANGES_REQUESTED, ReviewState.DISMISSED)
LONGEST_TITLE = 255


def may_be_cleared(scorecard: Scorecard) -> bool:
    """Whether a review could make this pass. A run that still waits for its approval has nothing to be accepted."""
    waits = any(reason.code is ReasonCode.UNTRUSTED for reason in scorecard.reasons)
    return scorecard.status in CLEARABLE and not scorecard.passes and not waits


def standing_approvals(reviews: Sequence[Review], author: str | None) -> tuple[Review, ...]:
    """Each person's last word where it is an approval, newest first; the author's own doesn't count.

    ``reviews`` come oldest first. A mere comment takes nothing back.
    """
    last = {review.reviewer: review for review in reviews if review.state in DECIDES}
    standing = [
        review
        for review in last.values()
        if review.state is ReviewState.APPROVED and review.reviewer not in ("", author) and review.commit is not None
    ]
    return tuple(sorted(standing, key=lambda review: review.submitted_at, reverse=True))


def clearance(
    scorecard: Scorecard,
    reviews: Sequence[Review],
    *,
    author: str | None,
    content_digest: str,
    may_write: Callable[[str], bool],
    shown_since: Callable[[Sha], str | None],
) -> Clearance | None:
    """The newest approval that accepts this scorecard, or ``None``.

    ``shown_since`` gives the time (UTC, ISO 8601) from which on the reviewed commit showed a verdict of this very
    content that a person may clear (``None``: never): who approved before that, or saw other reasons on another base,
    accepted something else.
    """
    if not may_be_cleared(scorecard):
        return None
    for review in standing_approvals(reviews, author):
        commit = review.commit or ""
        shown = shown_since(commit)
        if shown is None or review.submitted_at < shown or not may_write(review.reviewer):
            continue
        return Clearance(
            by=review.reviewer,
            commit=commit,
            at=review.submitted_at,
            url=review.url or None,
            content_digest=content_digest,
        )
    return None


def cleared(scorecard: Scorecard, by: Clearance) -> Scorecard:
    """The scorecard as accepted by a person: the verdict stays what it is, the check passes, the title says who."""
    suffix = f" (accepted by {by.by})"
    title = scorecard.title[: LONGEST_TITLE - len(suffix)] + suffix
    return scorecard.model_copy(update={"passes": True, "clearance": by, "title": title})
