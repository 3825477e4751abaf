"""Moves tags: promotions, overrides and rollbacks. Every method blocks; GitHub is asked only where it says so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from bot.store.hub_values import MoveKind, Promotion, PromotionState, TagMove
from bot.store.values import NO_PULL_REQUEST, AuditEntry
from engine.hub.versions import version_of
from engine.readers.bounded import did_you_mean, shown
from engine.readers.file_patterns import matches
from schemas.errors import UsageError
from schemas.verdicts import VerdictStatus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bot.runs.default_branch import DefaultBranch
    from bot.store.hub_values import HubVersion
    from bot.store.records import Records
    from bot.store.values import RepositoryRef
    from schemas.host import Role
    from schemas.hub import HubPrompt
    from schemas.ports import Clock

TAG = re.compile(r"[a-z][a-z0-9._-]{0,62}")
SHORTEST = 7
"""Fewest digits of a digest that name a version."""
LONGEST_REASON = 500
OVERRIDE = "promote_anyway"
"""The action in the audit log, as for the command."""


VERDICTS = {PromotionState.BLOCKED: VerdictStatus.BLOCKED, PromotionState.FAILED: VerdictStatus.ERROR}
"""What an override goes against."""


class Asker(NamedTuple):
    """Who asks, and in which role."""

    login: str
    role: Role


class HubService:
    """Moves tags of repositories."""

    def __init__(self, records: Records, branch: DefaultBranch, clock: Clock) -> None:
        self._records = records
        self.branch = branch
        self._clock = clock

    def promote(
        self,
        repo: RepositoryRef,
        lineage: str,
        tag: str,
        *,
        source: str | None,
        asker: Asker,
        request: str,
        number: int | None = None,
    ) -> Promotion:
        """Asks for a promotion. A worker then measures it; equal content and a first version move at once.

        ``source`` is another tag, or the first digits of a version's digest; ``None`` is the default branch. Reads the
        default branch in any case, whose configuration says which tags are immutable. The same ``request`` twice is the
        same promotion. Raises UsageError for a prompt, tag or version that there isn't, and HostError and SourceError
        if GitHub doesn't answer.
        """
        before = self._records.requested_promotion(request)
        if before is not None:
            if (before.lineage, before.tag) != (lineage, tag):
                raise UsageError("this request asked for another promotion", hint="give each request an id of its own")
            return self._without_a_verdict(before)
        candidate = self._candidate(repo, lineage, tag, source)
        return self.promote_version(repo, candidate, tag, asker=asker, request=request, number=number)

    def promote_version(
        self,
        repo: RepositoryRef,
        candidate: HubPrompt,
        tag: str,
        *,
        asker: Asker,
        request: str,
        number: int | None = None,
    ) -> Promotion:
        """Asks for the promotion of a version of the default branch."""
        lineage = candidate.lineage
        current = self._records.current_move(repo.repository_id, lineage, tag)
        asked = self._records.ask_promotion(
            repo,
            Promotion(
                installation_id=repo.installation_id,
                repository_id=repo.repository_id,
                lineage=lineage,
                tag=tag,
                from_digest=current.to_digest if current else None,
                to_digest=candidate.digest,
                by=asker.login,
                role=asker.role.value,
                request=request,
                number=number,
                asked_at=self._clock.utc(),
            ),
            candidate,
        )
        return self._without_a_verdict(asked)

    def _without_a_verdict(self, asked: Promotion) -> Promotion:
        """Ends a promotion for which there is nothing to compare. May be repeated."""
        at = self._clock.utc()
        end = end_without_verdict(asked, at)
        if end is None or not asked.state.is_open:
            return asked
        return self._records.end_promotion(asked.id, PromotionState.MOVED, end.outcome, at, end.move) or asked

    def override(
        self,
        repo: RepositoryRef,
        promotion_id: int,
        *,
        reason: str,
        asker: Asker,
        request: str,
        audited: bool = False,
    ) -> TagMove:
        """Moves a tag although its promotion was blocked, or came to no verdict.

        The audit log gets an entry, unless it has that of a comment already (``audited``). Raises UsageError if there
        is nothing to override.
        """
        blocked = self._records.promotion(promotion_id)
        if blocked is None or blocked.repository_id != repo.repository_id:
            raise UsageError(f"there is no promotion {promotion_id}")
        done = self._done(request, blocked.lineage, blocked.tag)
        if done is not None:
            return done
        # Without a verdict too: the model that the tag has may be gone for good, and then no promotion can be measured.
        if blocked.state not in (PromotionState.BLOCKED, PromotionState.FAILED):
            raise UsageError(
                f"promotion {promotion_id} is {blocked.state.value}, so there is nothing to override",
                hint="only a promotion that is blocked or has no verdict can be overridden",
            )
        move = TagMove(
            repository_id=repo.repository_id,
            lineage=blocked.lineage,
            tag=blocked.tag,
            from_digest=blocked.from_digest,
            to_digest=blocked.to_digest,
            by=asker.login,
            role=asker.role.value,
            kind=MoveKind.OVERRIDE,
            verdict=self._verdict(blocked),
            reason=_reason(reason),
            request=request,
            at=self._clock.utc(),
        )
        if not audited:
            # First, as for a comment: no tag is moved that the log doesn't know of.
            self._records.audit(_entry(blocked, move))
        return self._moved(move)

    def _verdict(self, ended: Promotion) -> str:
        """Returns the verdict that an override goes against. A promotion that needs review is stored as blocked."""
        kept = self._records.verdict(ended.run_id) if ended.run_id else None
        if ended.state is PromotionState.BLOCKED and kept is not None:
            return kept.scorecard.status.value
        return VERDICTS[ended.state].value

    def rollback(
        self, repo: RepositoryRef, lineage: str, tag: str, *, to: str | None, reason: str, asker: Asker, request: str
    ) -> TagMove:
        """Moves a tag back to a version that it had. Needs neither GitHub nor a model.

        ``to`` is the first digits of its digest; ``None`` is the version before the present one, where a version that
        was rolled back no longer counts. Raises UsageError if there is no such version.
        """
        done = self._done(request, lineage, tag)
        if done is not None:
            return done
        moves = []
        if TAG.fullmatch(tag):  # no database takes every text
            moves = self._records.moves(repo.repository_id, lineage=lineage, tag=tag, limit=1_000)
        if not moves:
            raise self._unknown(repo, lineage, tag)
        now = moves[0].to_digest
        earlier = [move.to_digest for move in moves if move.to_digest != now]
        target = _before(moves) if to is None else None
        if to is not None:
            target = next((digest for digest in earlier if len(to) >= SHORTEST and digest.startswith(to)), None)
        if target is None:
            had = ", ".join(digest[:12] for digest in list(dict.fromkeys(earlier))[:8]) or "no other version"
            what = f"{tag} never pointed to {to} of {lineage}" if to else f"{tag} has no earlier version of {lineage}"
            raise UsageError(what, hint=f"it had: {had}")
        return self._moved(
            TagMove(
                repository_id=repo.repository_id,
                lineage=lineage,
                tag=tag,
                from_digest=now,
                to_digest=target,
                by=asker.login,
                role=asker.role.value,
                kind=MoveKind.ROLLBACK,
                reason=reason[:LONGEST_REASON],  # urgent, so none is required
                request=request,
                at=self._clock.utc(),
            )
        )

    def _candidate(self, repo: RepositoryRef, lineage: str, tag: str, source: str | None) -> HubPrompt:
        if not TAG.fullmatch(tag):
            raise UsageError(f"{shown(tag)} can't be a tag", hint="use lower-case letters, digits, dots and dashes")
        today = self.branch.read(repo, lineage)
        change = next((one for one in today.detection.lineages if one.name == lineage), None)
        # A tag is one for the whole repository, so its own configuration counts beside that of the prompt's folder.
        configs = (today.detection.config, today.detection.config_of(change) if change else None)
        for config in configs:
            self.refuse_immutable(repo, lineage, tag, config.tags.immutable if config else ())
        if source is not None:
            return self._known(repo, lineage, source).prompt
        if change is None:
            raise UsageError(f"the default branch has no prompt {lineage}")
        return version_of(change, today.sha)

    def refuse_immutable(self, repo: RepositoryRef, lineage: str, tag: str, patterns: Sequence[str]) -> None:
        """Raises UsageError for a tag that matches one of ``patterns`` and has a version."""
        if not any(matches(pattern, tag) for pattern in patterns):
            return
        if self._records.current_move(repo.repository_id, lineage, tag) is not None:
            raise UsageError(
                f"the tag {tag} is immutable and has a version of {lineage}", hint="promote to a tag with another name"
            )

    def _known(self, repo: RepositoryRef, lineage: str, source: str) -> HubVersion:
        """Returns the version of a tag, or of a digest's first digits."""
        move = self._records.current_move(repo.repository_id, lineage, source) if TAG.fullmatch(source) else None
        if move is not None:
            found = self._records.hub_version(repo.repository_id, move.to_digest, lineage)
            if found is not None:
                return found
        versions = self._records.hub_versions(repo.repository_id, lineage, limit=1_000)
        named = [one for one in versions if len(source) >= SHORTEST and one.prompt.digest.startswith(source)]
        if len(named) == 1:
            return named[0]
        there = sorted({one.tag for one in self._records.tags(repo.repository_id, lineage)})
        raise UsageError(
            f"{lineage} has no tag or version {shown(source)}", hint=f"its tags are: {', '.join(there) or 'none'}"
        )

    def _unknown(self, repo: RepositoryRef, lineage: str, tag: str) -> UsageError:
        tags = self._records.tags(repo.repository_id)
        if not any(one.lineage == lineage for one in tags):
            return UsageError(
                f"no tag has a version of {lineage}", hint=did_you_mean(lineage, {one.lineage for one in tags})
            )
        there = {one.tag for one in tags if one.lineage == lineage}
        return UsageError(f"{lineage} has no tag {shown(tag)}", hint=did_you_mean(tag, there))

    def _done(self, request: str, lineage: str, tag: str) -> TagMove | None:
        """Returns the move that a request made. Raises UsageError if it was another tag's."""
        done = self._records.requested_move(request)
        if done is not None and (done.lineage, done.tag) != (lineage, tag):
            raise UsageError("this request has already moved another tag", hint="give each request an id of its own")
        return done

    def _moved(self, move: TagMove) -> TagMove:
        stored = self._records.move_tag(move)
        if stored is None:
            raise UsageError(f"{move.tag} was moved meanwhile", hint="look at the tag, then ask again")
        return stored


class _End(NamedTuple):
    outcome: str
    move: TagMove | None


def end_without_verdict(asked: Promotion, at: datetime) -> _End | None:
    """Returns how a promotion ends that needs no verdict: equal content, or the tag's first version."""
    if asked.from_digest == asked.to_digest:
        return _End(f"{asked.tag} has this version already.", None)
    if asked.from_digest is None:
        return _End(f"{asked.tag} had no version of {asked.lineage} before.", move_of(asked, MoveKind.FIRST, at))
    return None


def _before(moves: Sequence[TagMove]) -> str | None:
    """Returns the version before the present one. ``moves``: newest first.

    A rollback takes back what was on top, so that the next one doesn't return to it.
    """
    had: list[str] = []
    for move in reversed(moves):
        if move.kind is MoveKind.ROLLBACK and move.to_digest in had:
            del had[had.index(move.to_digest) + 1 :]
        else:
            had = [*(digest for digest in had if digest != move.to_digest), move.to_digest]
    return had[-2] if len(had) > 1 else None


def move_of(promotion: Promotion, kind: MoveKind, at: datetime, verdict: str | None = None) -> TagMove:
    """Returns the move that a promotion makes."""
    return TagMove(
        repository_id=promotion.repository_id,
        lineage=promotion.lineage,
        tag=promotion.tag,
        from_digest=promotion.from_digest,
        to_digest=promotion.to_digest,
        by=promotion.by,
        role=promotion.role,
        kind=kind,
        verdict=verdict,
        request=f"promotion:{promotion.id}",
        at=at,
    )


def _entry(promotion: Promotion, move: TagMove) -> AuditEntry:
    """Describes an override for the audit log. A promotion that no comment asked for has no pull request."""
    return AuditEntry(
        repository_id=move.repository_id, number=promotion.number or NO_PULL_REQUEST, by=move.by, role=move.role,
        action=OVERRIDE, reason=move.reason, at=move.at,
    )  # fmt: skip


def _reason(text: str) -> str:
    """Returns a reason. Raises UsageError for one without a word, or a long one."""
    if not any(character.isalnum() for character in text):
        raise UsageError("a reason is missing", hint="say in a few words why")
    if len(text) > LONGEST_REASON:
        raise UsageError(f"a reason has at most {LONGEST_REASON} characters")
    return text
