"""Which verdicts are accepted by a person: the store's overrides and GitHub's reviews, put before the engine's rules.

The verdict that is kept is never changed: what a person accepts is worked out anew whenever the check is written, so
that a dismissed review, an expired override or another content takes the acceptance back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from bot.store.values import AuditAction, AuditEntry, KeptVerdict
from engine.clearing import clearance, cleared, may_be_cleared, not_overridable, standing_override
from engine.verdict import SEVERITY
from schemas.host import Authorship, Review, Sha
from schemas.scorecard import Clearance, Scorecard


class Kept(Protocol):
    """What is asked of the store (``bot.store.records.Records``)."""

    def overrides(self, repository_id: int, number: int, content_digest: str, at: datetime) -> list[AuditEntry]:
        """Approvals by command of exactly this content that still stand."""
        ...

    def verdicts_shown(self, repository_id: int, number: int) -> list[KeptVerdict]:
        """Every verdict that this pull request ever showed."""
        ...


class Host(Protocol):
    """What is asked of GitHub."""

    def reviews(self, number: int) -> tuple[Review, ...]:
        """Every review, oldest first."""
        ...

    def authorship(self, number: int) -> Authorship:
        """Who opened, committed to and pushed to this pull request."""
        ...

    def may_write(self, login: str) -> bool:
        """Whether this person may push, now. Any doubt is a no."""
        ...


def iso(moment: datetime) -> str:
    """UTC, ISO 8601, as scorecards write it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def accepted(
    card: Scorecard,
    *,
    repository_id: int,
    number: int | None,
    author: str | None,
    content_digest: str,
    records: Kept,
    host: Host,
    now: datetime,
) -> Scorecard:
    """``card`` as it is to be published: as it was measured, or cleared by an override or by an approving review.

    ``number`` and ``author`` are the pull request's (of a queued merge: of the last one in it). GitHub is asked only
    where a review could help. Raises StoreError and HostError.
    """
    if number is None or card.passes:
        return card
    shown = records.verdicts_shown(repository_id, number)
    if not_overridable(card) is None:
        entries = records.overrides(repository_id, number, content_digest, now)
        overrides = [to_clearance(entry) for entry in entries if _faced(entry, shown, card)]
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
        shown_since=_since(shown, card, content_digest),
    )
    return card if by is None else cleared(card, by)


def to_clearance(entry: AuditEntry) -> Clearance:
    """An override of the audit log as the scorecard shows it."""
    assert entry.action is AuditAction.APPROVE
    return Clearance(
        by=entry.by,
        commit=entry.head_sha or "",
        at=iso(entry.at),
        url=entry.url,
        content_digest=entry.content_digest or "",
        reason=entry.reason or "(the reason was removed with the installation)",
        expires_at=iso(entry.expires_at) if entry.expires_at else None,
    )


def shown_since(
    shown: Sequence[KeptVerdict], card: Scorecard, content_digest: str, *, commit: Sha | None = None
) -> datetime | None:
    """Since when this content has shown this very verdict (on ``commit``, if given); ``None``: it never did.

    A fork that still waits to be measured shows nothing that could be accepted, though its status is the same.
    """
    times = [
        kept.run.shown_at
        for kept in shown
        if kept.run.shown_at is not None
        and kept.content_digest == content_digest
        and kept.scorecard.status is card.status
        and not_overridable(kept.scorecard) is None
        and commit in (None, kept.run.head_sha)
    ]
    return min(times, default=None)


def _faced(entry: AuditEntry, shown: Sequence[KeptVerdict], card: Scorecard) -> bool:
    """Whether a verdict as bad as this one, or worse, of the same content was shown before the override: who accepted
    a suspicion did not accept the block that running it again made of it."""
    as_bad = SEVERITY[: SEVERITY.index(card.status) + 1]
    return any(
        kept.run.shown_at is not None
        and kept.run.shown_at <= entry.at
        and kept.content_digest == entry.content_digest
        and kept.scorecard.status in as_bad
        and not_overridable(kept.scorecard) is None
        for kept in shown
    )


def _since(shown: Sequence[KeptVerdict], card: Scorecard, content_digest: str) -> Callable[[Sha], str | None]:
    def since(commit: Sha) -> str | None:
        found = shown_since(shown, card, content_digest, commit=commit)
        return None if found is None else iso(found)

    return since
