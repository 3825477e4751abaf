"""Accepting a verdict: by an approving review, or by an override with a reason (the bot's ``/verdict approve``).

Both must come from people with write access who saw the verdict and took no part in the head. They must not have opened
it, committed to it or pushed to it. If a bot may hide such a person, two people must accept.

A review clears ``needs_review``; ``blocked`` needs the override; ``error`` can't be cleared, because nothing was
measured. A clearance is bound to the content digest. It survives unrelated commits and the merge queue, and ends with
the next relevant change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from engine.approvals.contributors import contributors, is_bot
from schemas.host import TITLE_LIMIT, Authorship, Review, ReviewState, Sha
from schemas.scorecard import Clearance, Scorecard
from schemas.verdicts import ReasonCode, VerdictStatus

DECIDES = (ReviewState.APPROVED, ReviewState.CHANGES_REQUESTED, ReviewState.DISMISSED)


def may_be_cleared(scorecard: Scorecard) -> bool:
    """Returns whether a review can make this pass. A run that still waits for its approval has no result to accept."""
    return scorecard.status is VerdictStatus.NEEDS_REVIEW and not scorecard.passes and not _waits(scorecard)


def not_overridable(scorecard: Scorecard) -> str | None:
    """Returns why no override can make this pass, in a sentence; ``None`` if one can."""
    if scorecard.passes:
        return "The check already passes, so there is nothing to accept."
    if _waits(scorecard):
        return "Nothing was measured yet. The head of this fork waits for `/verdict approve-run` with its commit id."
    reasons = (*scorecard.reasons, *(reason for card in scorecard.lineages for reason in card.reasons))
    statuses = {scorecard.status, *(card.status for card in scorecard.lineages), *(reason.status for reason in reasons)}
    if VerdictStatus.ERROR in statuses:
        return "An error can't be accepted. The verdict says what was not measured; fix it and run again."
    return None


def shows_as_much(shown: Scorecard, now: Scorecard) -> bool:
    """Returns whether ``shown`` has every kind of reason for review that ``now`` has."""
    return now.status is not VerdictStatus.NEEDS_REVIEW or (
        shown.status is not now.status or _review_codes(now) <= _review_codes(shown)
    )


def _review_codes(scorecard: Scorecard) -> set[ReasonCode]:
    reasons = (*scorecard.reasons, *(reason for card in scorecard.lineages for reason in card.reasons))
    return {reason.code for reason in reasons if reason.status is VerdictStatus.NEEDS_REVIEW}


def _waits(scorecard: Scorecard) -> bool:
    return any(reason.code is ReasonCode.UNTRUSTED for reason in scorecard.reasons)


def standing_approvals(reviews: Sequence[Review], author: str | None) -> tuple[Review, ...]:
    """Returns the approvals that are the latest review of their author, newest first.

    Reviews by the pull request's author and by bots don't count. ``reviews`` come oldest first. A comment doesn't
    withdraw an approval.
    """
    # Later reviews overwrite earlier ones, so each person has one decision.
    last = {review.reviewer: review for review in reviews if review.state in DECIDES}
    standing = [
        review
        for review in last.values()
        if review.state is ReviewState.APPROVED
        and review.reviewer not in ("", author)
        and not is_bot(review.reviewer)
        and review.commit is not None
    ]
    return tuple(sorted(standing, key=lambda review: review.submitted_at, reverse=True))


def clearance(
    scorecard: Scorecard,
    reviews: Sequence[Review],
    *,
    author: str | None,
    content_digest: str,
    authorship: Callable[[], Authorship],
    may_write: Callable[[str], bool],
    shown_since: Callable[[Sha], str | None],
) -> Clearance | None:
    """Returns the newest approval that accepts this scorecard, or ``None``. Names two people if two must accept.

    ``authorship`` is called only if there is an approval; its exceptions pass through. ``shown_since`` returns the time
    (UTC, ISO 8601) from which the reviewed commit showed a clearable verdict on the same content, or ``None``. Earlier
    approvals, and those of other reasons on another base, accepted something else.
    """
    if not may_be_cleared(scorecard):
        return None
    accepting: list[Review] = []
    work: Authorship | None = None
    for review in standing_approvals(reviews, author):
        commit = review.commit or ""
        shown = shown_since(commit)
        after = None if shown is None else _seconds(shown, review.submitted_at)
        # An approval given before the verdict was shown can't have been about it.
        if after is None or after < 0 or not may_write(review.reviewer):
            continue
        # Read once, and only for an approval that could count: it takes several requests to GitHub.
        work = work or authorship()
        found = contributors(work, review.commit)
        if found.include(review.reviewer):
            continue
        accepting.append(review)
        if len(accepting) >= found.approvals:
            newest = accepting[0]
            return Clearance(
                by=_named(one.reviewer for one in accepting),
                commit=newest.commit or "",
                at=newest.submitted_at,
                url=newest.url or None,
                content_digest=content_digest,
            )
    return None


def standing_override(
    scorecard: Scorecard,
    overrides: Sequence[Clearance],
    *,
    author: str | None,
    content_digest: str,
    authorship: Callable[[], Authorship],
    now: str,
) -> Clearance | None:
    """Returns the newest override that accepts this scorecard, or ``None``. Times are UTC, ISO 8601.

    Write access was checked when the override was given. ``authorship`` works as in ``clearance``.
    """
    if not_overridable(scorecard) is not None:
        return None
    standing = [
        one
        for one in overrides
        if one.content_digest == content_digest
        and one.by not in ("", author)
        and one.reason
        and (_seconds(now, one.expires_at or "") or 0) > 0
    ]
    accepting: dict[str, Clearance] = {}
    work: Authorship | None = None
    for one in sorted(standing, key=lambda one: moment(one.at), reverse=True):
        work = work or authorship()
        found = contributors(work, one.commit)
        if found.include(one.by) or is_bot(one.by):
            continue
        # By login without case, so one person can't count as two.
        accepting.setdefault(one.by.casefold(), one)
        if len(accepting) >= found.approvals:
            newest, *_ = accepting.values()
            return newest.model_copy(update={"by": _named(given.by for given in accepting.values())})
    return None


def _named(people: Iterable[str]) -> str:
    return " and ".join(people)


def _seconds(start: str, end: str) -> float | None:
    """Returns the seconds between two times, or ``None`` if either isn't a time. An unknown time clears nothing."""
    try:
        return (moment(end) - moment(start)).total_seconds()
    except ValueError:
        return None


def moment(text: str) -> datetime:
    """Parses a time in ISO 8601 with its zone (``Z`` or an offset), so that two spellings compare equal.

    Raises ValueError for anything else.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no zone")
    return found


def cleared(scorecard: Scorecard, by: Clearance) -> Scorecard:
    """Returns the scorecard as accepted by a person: the verdict stays, the check passes, and the title names the
    person."""
    # The name must survive, so the title is cut and not the suffix.
    suffix = f" ({'overridden' if by.reason else 'accepted'} by {by.by})"
    title = scorecard.title[: TITLE_LIMIT - len(suffix)] + suffix
    return scorecard.model_copy(update={"passes": True, "clearance": by, "title": title})
