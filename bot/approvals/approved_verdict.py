"""Which approvals count for a verdict: overrides of the audit log and reviews on GitHub, by the engine's rules.

The stored verdict never changes. Its approvals are worked out whenever the check is written, so a dismissed review, an
expired override or a change of content withdraws them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from bot.store.values import APPROVE, REVIEW, AuditEntry, KeptVerdict
from engine.approvals.acceptance import (
    clearance,
    cleared,
    may_be_cleared,
    moment,
    not_overridable,
    shows_as_much,
    standing_override,
)
from engine.gate.verdict import SEVERITY
from schemas.host import Authorship, Review, Sha
from schemas.scorecard import Clearance, Scorecard
from schemas.verdicts import VerdictStatus

LONGEST = 1_000
"""Characters of an audit entry's reason."""


class ApprovalRecords(Protocol):
    """The part of ``bot.store.records.Records`` that approvals need."""

    def overrides(self, repository_id: int, number: int, content_digest: str, at: datetime) -> list[AuditEntry]:
        """Returns the approvals by command of exactly this content that are valid at ``at``."""
        ...

    def verdicts_shown(self, repository_id: int, number: int) -> list[KeptVerdict]:
        """Returns every verdict that this pull request has shown."""
        ...


class ApprovalHost(Protocol):
    """The part of GitHub that approvals need."""

    def reviews(self, number: int) -> tuple[Review, ...]:
        """Returns every review, oldest first."""
        ...

    def authorship(self, number: int) -> Authorship:
        """Returns who opened, committed to and pushed to this pull request."""
        ...

    def may_write(self, login: str) -> bool:
        """Returns whether this person has write access now. False if in doubt."""
        ...


def iso(moment: datetime) -> str:
    """Formats a moment as scorecards write it: UTC, ISO 8601."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def with_approvals(
    card: Scorecard,
    *,
    repository_id: int,
    number: int | None,
    author: str | None,
    content_digest: str,
    records: ApprovalRecords,
    host: ApprovalHost,
    now: datetime,
) -> Scorecard:
    """Returns ``card`` as it is to be published: as measured, or approved by an override or a review.

    ``number`` and ``author`` are the pull request's (for a queued merge: those of its last one). GitHub is asked only
    if a review could help. Raises StoreError and HostError.
    """
    if number is None or card.passes:
        return card
    shown = records.verdicts_shown(repository_id, number)
    # Overrides first: they are in our own records, so a valid one saves the requests for reviews.
    if not_overridable(card) is None:
        entries = records.overrides(repository_id, number, content_digest, now)
        overrides = [to_clearance(entry) for entry in entries if _saw_this_verdict(entry, shown, card)]
        found = standing_override(
            card,
            overrides,
            author=author,
            content_digest=content_digest,
            authorship=lambda: host.authorship(number),
            now=iso(now),
        )
        if found is not None:
            return cleared(card, found)
    if not may_be_cleared(card):
        return card
    by = clearance(
        card,
        host.reviews(number),
        author=author,
        content_digest=content_digest,
        authorship=lambda: host.authorship(number),
        may_write=host.may_write,
        shown_since=_shown_on(shown, card, content_digest),
    )
    return card if by is None else cleared(card, by)


def to_clearance(entry: AuditEntry) -> Clearance:
    """Returns an override of the audit log as the scorecard shows it."""
    assert entry.action == APPROVE
    return Clearance(
        by=entry.by,
        commit=entry.head_sha or "",
        at=iso(entry.at),
        url=entry.url,
        content_digest=entry.content_digest or "",
        reason=entry.reason or "(the reason was removed with the installation)",
        expires_at=iso(entry.expires_at) if entry.expires_at else None,
    )


def review_entry(kept: KeptVerdict, by: Clearance | None) -> AuditEntry | None:
    """Returns the audit entry about a review that clears a verdict: who, when, and what it accepts.

    Returns ``None`` without a clearance, and for an override, which its command has logged.
    """
    if by is None or by.reason is not None or kept.run.number is None:
        return None
    reasons = (*kept.scorecard.reasons, *(one for card in kept.scorecard.lineages for one in card.reasons))
    accepted = dict.fromkeys(one.sentence for one in reasons if one.status is VerdictStatus.NEEDS_REVIEW)
    return AuditEntry(
        repository_id=kept.run.repository_id,
        number=kept.run.number,
        by=by.by,
        role="write",
        action=REVIEW,
        reason=" ".join(accepted)[:LONGEST],
        head_sha=by.commit,
        content_digest=by.content_digest,
        at=moment(by.at),
        url=by.url,
    )


def shown_since(
    shown: Sequence[KeptVerdict], card: Scorecard, content_digest: str, *, commit: Sha | None = None
) -> datetime | None:
    """Returns when this content first showed this verdict (on ``commit``, if given); ``None`` if it never did.

    A fork that waits to be measured is left out: it has the same status, but shows nothing that can be approved.
    """
    times = [
        kept.run.shown_at
        for kept in shown
        if kept.run.shown_at is not None
        and kept.content_digest == content_digest
        and kept.scorecard.status is card.status
        and shows_as_much(kept.scorecard, card)
        and not_overridable(kept.scorecard) is None
        and commit in (None, kept.run.head_sha)
    ]
    # The first time: an approval given after it has seen this verdict, even if the verdict was shown again later.
    return min(times, default=None)


def _saw_this_verdict(entry: AuditEntry, shown: Sequence[KeptVerdict], card: Scorecard) -> bool:
    """Returns whether a verdict at least as bad as ``card``, on the same content, was shown before the override.

    A person who approved "needs review" did not approve the block that a re-run made of it.
    """
    as_bad = SEVERITY[: SEVERITY.index(card.status) + 1]
    return any(
        kept.run.shown_at is not None
        and kept.run.shown_at <= entry.at
        and kept.content_digest == entry.content_digest
        and kept.scorecard.status in as_bad
        and shows_as_much(kept.scorecard, card)
        and not_overridable(kept.scorecard) is None
        for kept in shown
    )


def _shown_on(shown: Sequence[KeptVerdict], card: Scorecard, content_digest: str) -> Callable[[Sha], str | None]:
    def since(commit: Sha) -> str | None:
        found = shown_since(shown, card, content_digest, commit=commit)
        return None if found is None else iso(found)

    return since
