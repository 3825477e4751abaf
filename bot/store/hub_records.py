"""Stores the hub: versions, moves of tags, promotions. The current version of a tag is the target of its last move."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import func
from sqlmodel import col, select

from bot.store.database import add_once
from bot.store.hub_tables import HubVersions, MoveDeployments, Promotions, TagMoves
from bot.store.hub_values import HubVersion, Promotion, PromotionState, TagMove
from bot.store.installations import hold, seen
from bot.store.tables import Repositories
from schemas.hub import HubEntry, HubPrompt, PromptSet

if TYPE_CHECKING:
    from sqlmodel import Session

    from bot.store.database import Database
    from bot.store.values import RepositoryRef

OPEN = tuple(state.value for state in PromotionState if state.is_open)


class HubRecords:
    """Every method is one transaction. Raises StoreError."""

    _database: Database

    def keep_version(self, repo: RepositoryRef, prompt: HubPrompt, at: datetime) -> HubVersion:
        """Stores a version once; returns it with its number."""
        with self._database.writing() as session:
            seen(session, repo, at)
            return _kept(session, repo.repository_id, prompt, at)

    def hub_version(self, repository_id: int, digest: str, lineage: str | None = None) -> HubVersion | None:
        """Returns a version by its digest. ``lineage``: only of this prompt."""
        of = select(HubVersions).where(col(HubVersions.repository_id) == repository_id)
        of = of.where(col(HubVersions.digest) == digest)
        if lineage is not None:
            of = of.where(col(HubVersions.lineage) == lineage)
        with self._database.reading() as session:
            row = session.exec(of.limit(1)).first()
        return None if row is None else _version(row)

    def hub_version_numbered(self, repository_id: int, lineage: str, number: int) -> HubVersion | None:
        """Returns a version of a prompt by its number."""
        of = select(HubVersions).where(
            col(HubVersions.repository_id) == repository_id,
            col(HubVersions.lineage) == lineage,
            col(HubVersions.number) == number,
        )
        with self._database.reading() as session:
            row = session.exec(of).first()
        return None if row is None else _version(row)

    def hub_versions(self, repository_id: int, lineage: str, *, limit: int = 100) -> list[HubVersion]:
        """Returns the versions of a prompt, newest first."""
        of = select(HubVersions).where(
            col(HubVersions.repository_id) == repository_id, col(HubVersions.lineage) == lineage
        )
        with self._database.reading() as session:
            return [_version(row) for row in session.exec(of.order_by(col(HubVersions.number).desc()).limit(limit))]

    def move_tag(self, move: TagMove) -> TagMove | None:
        """Appends a move. Returns ``None`` if the tag doesn't point to ``from_digest`` any more.

        The same ``request`` moves once: if it did before, that move is returned.
        """
        with self._database.writing() as session:
            # Locks the repository's row, so two moves of one tag can't both find the same current version.
            hold(session, move.repository_id)
            return _move(session, move)

    def unreported_moves(self, since: datetime, *, limit: int = 50) -> list[TagMove]:
        """Returns moves after ``since`` that were not reported to GitHub, oldest first."""
        reported = select(MoveDeployments.move_id).where(col(MoveDeployments.move_id) == col(TagMoves.id))
        there = select(Repositories.id).where(col(Repositories.id) == col(TagMoves.repository_id))
        of = select(TagMoves).where(col(TagMoves.at) > since, ~reported.exists(), there.exists())
        with self._database.reading() as session:
            return [_value(row) for row in session.exec(of.order_by(col(TagMoves.id)).limit(limit))]

    def reported(self, move: TagMove, deployment_id: int | None, at: datetime) -> None:
        """Records that a move was reported to GitHub; ``None``: the App may not report it."""
        row = MoveDeployments(move_id=move.id, repository_id=move.repository_id, deployment_id=deployment_id, at=at)
        with self._database.writing() as session:
            hold(session, move.repository_id)
            add_once(session, row)

    def requested_move(self, request: str) -> TagMove | None:
        """Returns the move that a request made."""
        with self._database.reading() as session:
            row = session.exec(select(TagMoves).where(col(TagMoves.request) == request)).first()
            return None if row is None else _value(row)

    def current_move(self, repository_id: int, lineage: str, tag: str) -> TagMove | None:
        """Returns the last move of a tag of a prompt; ``None`` if it never had one."""
        with self._database.reading() as session:
            row = _current(session, repository_id, lineage, tag)
            return None if row is None else _value(row)

    def moves(
        self, repository_id: int, *, lineage: str | None = None, tag: str | None = None, limit: int = 100
    ) -> list[TagMove]:
        """Returns moves, newest first."""
        of = select(TagMoves).where(col(TagMoves.repository_id) == repository_id)
        if lineage is not None:
            of = of.where(col(TagMoves.lineage) == lineage)
        if tag is not None:
            of = of.where(col(TagMoves.tag) == tag)
        with self._database.reading() as session:
            return [_value(row) for row in session.exec(of.order_by(col(TagMoves.id).desc()).limit(limit))]

    def pointed(self, repository_id: int, lineage: str, tag: str, digest: str) -> bool:
        """Returns whether a tag ever pointed to a version."""
        of = select(TagMoves.id).where(
            col(TagMoves.repository_id) == repository_id,
            col(TagMoves.lineage) == lineage,
            col(TagMoves.tag) == tag,
            col(TagMoves.to_digest) == digest,
        )
        with self._database.reading() as session:
            return session.exec(of.limit(1)).first() is not None

    def prompt_set(
        self, repository_id: int, full_name: str, tag: str, *, at: datetime | None = None
    ) -> PromptSet | None:
        """Returns every prompt of a tag, now or as it was ``at`` a time; ``None`` if the tag had none."""
        newest = select(func.max(TagMoves.id)).where(
            col(TagMoves.repository_id) == repository_id, col(TagMoves.tag) == tag
        )
        if at is not None:
            newest = newest.where(col(TagMoves.at) <= at)
        of = (
            select(TagMoves, HubVersions)
            .join(
                HubVersions,
                (col(HubVersions.repository_id) == col(TagMoves.repository_id))
                & (col(HubVersions.lineage) == col(TagMoves.lineage))
                & (col(HubVersions.digest) == col(TagMoves.to_digest)),
            )
            .where(col(TagMoves.id).in_(newest.group_by(col(TagMoves.lineage))))
            .order_by(col(TagMoves.lineage))
        )
        with self._database.reading() as session:
            rows = session.exec(of).all()
        entries = tuple(HubEntry(prompt=_prompt(version), moved_at=move.at) for move, version in rows)
        return PromptSet(repository=full_name, tag=tag, entries=entries) if entries else None

    def tags(self, repository_id: int, lineage: str | None = None, *, at: datetime | None = None) -> list[TagMove]:
        """Returns the last move of every tag and prompt, by prompt and tag; ``at``: as it was at a time."""
        newest = select(func.max(TagMoves.id)).where(col(TagMoves.repository_id) == repository_id)
        if at is not None:
            newest = newest.where(col(TagMoves.at) <= at)
        newest = newest.group_by(col(TagMoves.lineage), col(TagMoves.tag))
        of = select(TagMoves).where(col(TagMoves.id).in_(newest))
        if lineage is not None:
            of = of.where(col(TagMoves.lineage) == lineage)
        with self._database.reading() as session:
            return [_value(row) for row in session.exec(of.order_by(col(TagMoves.lineage), col(TagMoves.tag)))]

    def ask_promotion(self, repo: RepositoryRef, promotion: Promotion, candidate: HubPrompt) -> Promotion:
        """Stores a requested promotion with its candidate. The same ``request`` twice is the same promotion."""
        with self._database.writing() as session:
            seen(session, repo, promotion.asked_at)
            there = session.exec(select(Promotions).where(col(Promotions.request) == promotion.request)).first()
            if there is not None:
                return _promotion(there)
            _kept(session, repo.repository_id, candidate, promotion.asked_at)
            row = Promotions(**promotion.model_dump(exclude={"id", "state"}), state=promotion.state.value)
            session.add(row)
            session.flush()
            return _promotion(row)

    def requested_promotion(self, request: str) -> Promotion | None:
        """Returns the promotion that a request asked for."""
        with self._database.reading() as session:
            row = session.exec(select(Promotions).where(col(Promotions.request) == request)).first()
            return None if row is None else _promotion(row)

    def promotion(self, promotion_id: int) -> Promotion | None:
        """Returns one promotion."""
        with self._database.reading() as session:
            row = session.get(Promotions, promotion_id)
            return None if row is None else _promotion(row)

    def promotion_of_run(self, run_id: str) -> Promotion | None:
        """Returns the promotion that a run decides."""
        with self._database.reading() as session:
            row = session.exec(select(Promotions).where(col(Promotions.run_id) == run_id)).first()
            return None if row is None else _promotion(row)

    def promotions(self, repository_id: int, lineage: str, *, limit: int = 20) -> list[Promotion]:
        """Returns the promotions of a prompt, newest first."""
        of = select(Promotions).where(
            col(Promotions.repository_id) == repository_id, col(Promotions.lineage) == lineage
        )
        with self._database.reading() as session:
            return [_promotion(row) for row in session.exec(of.order_by(col(Promotions.id).desc()).limit(limit))]

    def open_promotions(self) -> list[Promotion]:
        """Returns every promotion without a result, oldest first."""
        of = select(Promotions).where(col(Promotions.state).in_(OPEN)).order_by(col(Promotions.id))
        with self._database.reading() as session:
            return [_promotion(row) for row in session.exec(of)]

    def start_promotion(self, promotion_id: int, run_id: str) -> bool:
        """Records the run that decides a promotion. Returns False if it has ended."""
        with self._database.writing() as session:
            row = session.get(Promotions, promotion_id, with_for_update=True)
            if row is None or row.state not in OPEN:
                return False
            row.run_id, row.state = run_id, PromotionState.RUNNING.value
            return True

    def end_promotion(
        self, promotion_id: int, state: PromotionState, outcome: str, at: datetime, move: TagMove | None = None
    ) -> Promotion | None:
        """Ends a promotion, with its move in the same transaction. May be repeated: the first end counts.

        If the tag no longer points to where the promotion began, it ends as failed. Returns ``None`` for a promotion
        that doesn't exist.
        """
        with self._database.writing() as session:
            row = session.get(Promotions, promotion_id)
            if row is None:
                return None
            hold(session, row.repository_id)
            session.refresh(row, with_for_update=True)
            if row.state in OPEN:
                if move is not None and _move(session, move) is None:
                    state = PromotionState.FAILED
                    outcome = f"{row.tag} was moved meanwhile, so the verdict is about another version. Ask again."
                row.state, row.outcome, row.ended_at = state.value, outcome, at
                session.flush()
            return _promotion(row)


def _kept(session: Session, repository_id: int, prompt: HubPrompt, at: datetime) -> HubVersion:
    own = (col(HubVersions.repository_id) == repository_id, col(HubVersions.lineage) == prompt.lineage)
    row = session.exec(select(HubVersions).where(*own, col(HubVersions.digest) == prompt.digest)).first()
    if row is None:
        last = session.exec(select(func.max(HubVersions.number)).where(*own)).one()
        row = HubVersions(
            repository_id=repository_id,
            lineage=prompt.lineage,
            digest=prompt.digest,
            number=(last or 0) + 1,
            content=prompt.model_dump_json(),
            first_seen_at=at,
        )
        session.add(row)
        session.flush()
    return _version(row)


def _move(session: Session, move: TagMove) -> TagMove | None:
    done = session.exec(select(TagMoves).where(col(TagMoves.request) == move.request)).first()
    if done is not None:
        return _value(done)
    now = _current(session, move.repository_id, move.lineage, move.tag)
    if (now.to_digest if now else None) != move.from_digest:
        return None
    row = TagMoves(**move.model_dump(exclude={"id", "kind"}), kind=move.kind.value)
    session.add(row)
    session.flush()
    return _value(row)


def _current(session: Session, repository_id: int, lineage: str, tag: str) -> TagMoves | None:
    own = (col(TagMoves.repository_id) == repository_id, col(TagMoves.lineage) == lineage, col(TagMoves.tag) == tag)
    return session.exec(select(TagMoves).where(*own).order_by(col(TagMoves.id).desc()).limit(1)).first()


def _prompt(row: HubVersions) -> HubPrompt:
    # ValueError for a damaged row: the database turns it into a StoreError with its hint.
    return HubPrompt.model_validate_json(row.content)


def _version(row: HubVersions) -> HubVersion:
    return HubVersion(prompt=_prompt(row), number=row.number, first_seen_at=row.first_seen_at)


def _value(row: TagMoves) -> TagMove:
    return TagMove.model_validate({name: getattr(row, name) for name in TagMove.model_fields})


def _promotion(row: Promotions) -> Promotion:
    return Promotion.model_validate({name: getattr(row, name) for name in Promotion.model_fields})
