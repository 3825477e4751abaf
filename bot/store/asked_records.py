"""Drafts, and the runs that people ask for on pages, each within what its person may spend in a day."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import delete
from sqlmodel import col, select

from bot.store.asked_tables import AskedAnswers, AskedRuns, Drafts, PersonDays
from bot.store.asked_values import AskedRun, Draft, Noted, ShownAnswer
from bot.store.database import add_once
from bot.store.installations import gone, seen
from bot.store.person_spending import correct, reserve
from bot.store.runs import OPEN, run_of, with_names
from bot.store.tables import Runs as Rows
from bot.store.tables import Verdicts
from bot.store.values import ON_PAGES, RunKind, RunState
from schemas.values import digest_of
from schemas.verdicts import VerdictStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel import Session

    from bot.store.asked_values import Ask
    from bot.store.database import Database
    from bot.store.values import ExperimentRequest, RepositoryRef, Run

MOST_DRAFTS = 200
"""Drafts of one prompt that a person keeps. The oldest go first."""


class AskedRecords:
    """Every method is one transaction. Raises StoreError."""

    _database: Database

    def ask(
        self, repo: RepositoryRef, head_sha: str, base_ref: str, request: ExperimentRequest, ask: Ask, *, at: datetime
    ) -> Run:
        """Returns the run of this request at this commit, or a new one. A worker takes it from here.

        The same request again is the same run, unless that one came to no result: its answers are stored. The
        reservation and the run are one transaction, so concurrent requests can't exceed the cap. Raises
        BudgetExceeded, and StoreError if the App was removed.
        """
        kind = RunKind.EXPERIMENT if ask.document is None else RunKind.PLAYGROUND
        asked = digest_of([request.model_dump(mode="json", exclude={"by"}), ask.document, ask.draft_id])[:16]
        with self._database.writing() as session:
            repository = seen(session, repo, at)
            before = session.exec(
                select(Rows)
                .where(
                    col(Rows.repository_id) == repository.id,
                    col(Rows.kind) == kind.value,
                    col(Rows.head_sha) == head_sha,
                    col(Rows.why) == asked,
                )
                .order_by(col(Rows.sequence).desc())
            ).all()
            if before and _counts(session, before[0]):
                return run_of(before[0], repository.name)
            day = at.date()
            reserve(session, ask.by, day, ask.usd, ask.cap)
            attempt = len(before) + 1
            row = Rows(
                id=f"exp:{repository.id}:{kind.value}:{head_sha}:{asked}:{attempt}",
                installation_id=repo.installation_id,
                repository_id=repository.id,
                kind=kind.value,
                head_sha=head_sha,
                base_ref=base_ref,
                attempt=attempt,
                why=asked,
                state=RunState.QUEUED.value,
                opened_at=at,
                request=request.model_dump_json(),
            )
            session.add(row)
            session.flush()
            session.add(
                AskedRuns(
                    run_sequence=row.sequence or 0, repository_id=repository.id, by=ask.by, day=day.isoformat(),
                    reserved_usd=ask.usd, spent_usd=Decimal(0), draft_id=ask.draft_id, document=ask.document,
                )
            )  # fmt: skip
            return run_of(row, repository.name)

    def person_usd(self, by: str, day: date) -> Decimal:
        """Returns what a person has spent and reserved on a day (UTC)."""
        with self._database.reading() as session:
            row = session.get(PersonDays, (day.isoformat(), by))
            return Decimal(0) if row is None else row.usd

    def cancel(self, run_id: str, at: datetime) -> bool:
        """Ends an open run that a person asked for. A worker that executes it stops by itself.

        Returns False if it had ended before.
        """
        with self._database.writing() as session:
            row = session.exec(select(Rows).where(col(Rows.id) == run_id).with_for_update()).first()
            if row is None:
                raise gone(f"run {run_id}")
            if row.state not in OPEN or RunKind(row.kind) not in ON_PAGES:
                return False
            waited = row.state == RunState.QUEUED.value
            row.state, row.ended_at = RunState.CANCELLED.value, at
            if waited and row.sequence is not None:  # no worker has begun it, so none will settle it
                _settle(session, row.sequence)
            return True

    def asked_to_start(self) -> list[Run]:
        """Returns the runs that people asked for and no worker has begun."""
        waiting = select(Rows).where(
            col(Rows.state) == RunState.QUEUED.value, col(Rows.kind).in_([kind.value for kind in ON_PAGES])
        )
        with self._database.reading() as session:
            return with_names(session, session.exec(waiting.order_by(col(Rows.sequence))).all())

    def asked_run(self, sequence: int) -> AskedRun | None:
        """Returns how far such a run is; ``None`` for one of an earlier version of the bot."""
        with self._database.reading() as session:
            row = session.get(AskedRuns, sequence)
            return None if row is None else _asked(row)

    def note_asked(self, sequence: int, noted: Noted) -> None:
        """Writes down how far a run is, and what it has spent since the last note."""
        with self._database.writing() as session:
            row = session.get(AskedRuns, sequence, with_for_update=True)
            if row is not None:
                for name in ("done", "asked", "spent_usd", "trouble", "calling_at"):
                    setattr(row, name, getattr(noted, name))

    def settle(self, sequence: int) -> None:
        """Replaces the reservation of a run that has ended by what it spent. May be repeated."""
        with self._database.writing() as session:
            _settle(session, sequence)

    def add_answers(self, run: Run, answers: Sequence[ShownAnswer]) -> None:
        """Adds answers of a run. One that is there already stays."""
        with self._database.writing() as session:
            # Numbers must grow in the order in which they become visible: a page asks for what came after the last.
            session.get(AskedRuns, run.sequence, with_for_update=True)
            for one in answers:
                add_once(
                    session,
                    AskedAnswers(
                        run_sequence=run.sequence, repository_id=run.repository_id, cell=one.cell,
                        document=one.model_dump_json(exclude_defaults=True),
                    ),
                )  # fmt: skip

    def answers_after(self, sequence: int, after: int, limit: int) -> list[tuple[int, ShownAnswer]]:
        """Returns answers of a run in the order in which they came, with their numbers."""
        wanted = select(AskedAnswers).where(col(AskedAnswers.run_sequence) == sequence, col(AskedAnswers.id) > after)
        with self._database.reading() as session:
            rows = session.exec(wanted.order_by(col(AskedAnswers.id)).limit(limit)).all()
        return [(row.id or 0, ShownAnswer.model_validate_json(row.document)) for row in rows]

    def runs_of_draft(self, draft_id: int, limit: int) -> list[tuple[Run, AskedRun]]:
        """Returns the newest runs of a draft, newest first."""
        wanted = select(AskedRuns, Rows).join(Rows, col(Rows.sequence) == col(AskedRuns.run_sequence))
        wanted = wanted.where(col(AskedRuns.draft_id) == draft_id)
        with self._database.reading() as session:
            found = session.exec(wanted.order_by(col(Rows.sequence).desc()).limit(limit)).all()
            runs = {run.sequence: run for run in with_names(session, [row for _, row in found])}
            return [(runs[row.sequence or 0], _asked(asked)) for asked, row in found]

    def keep_draft(self, repository_id: int, lineage_id: int, by: str, document: str, at: datetime) -> int:
        """Stores a new draft and returns its number."""
        with self._database.writing() as session:
            own = select(Drafts.id).where(col(Drafts.lineage_id) == lineage_id, col(Drafts.by) == by)
            old = session.exec(own.order_by(col(Drafts.id).desc()).offset(MOST_DRAFTS - 1)).all()
            session.exec(delete(Drafts).where(col(Drafts.id).in_(old)))
            row = Drafts(
                repository_id=repository_id, lineage_id=lineage_id, by=by, document=document, made_at=at, changed_at=at
            )
            session.add(row)
            session.flush()
            return row.id or 0

    def change_draft(self, draft_id: int, by: str, document: str, at: datetime) -> bool:
        """Changes a draft of this person. Returns False if there is none."""
        with self._database.writing() as session:
            row = session.get(Drafts, draft_id, with_for_update=True)
            if row is None or row.by != by:
                return False
            row.document, row.changed_at = document, at
            return True

    def draft(self, draft_id: int, by: str) -> Draft | None:
        """Returns a draft of this person."""
        with self._database.reading() as session:
            row = session.get(Drafts, draft_id)
            return Draft.model_validate(row.model_dump()) if row is not None and row.by == by else None

    def drafts(self, lineage_id: int, by: str, limit: int) -> list[Draft]:
        """Returns the person's drafts of a prompt, newest first."""
        own = select(Drafts).where(col(Drafts.lineage_id) == lineage_id, col(Drafts.by) == by)
        with self._database.reading() as session:
            rows = session.exec(own.order_by(col(Drafts.changed_at).desc()).limit(limit)).all()
            return [Draft.model_validate(row.model_dump()) for row in rows]


def _counts(session: Session, row: Rows) -> bool:
    """Returns whether the same request needs no other run: this one is open, or has a result."""
    if row.state in OPEN:
        return True
    verdict = session.get(Verdicts, row.sequence)
    return row.state == RunState.DONE.value and verdict is not None and verdict.status != VerdictStatus.ERROR.value


def _settle(session: Session, sequence: int) -> None:
    row = session.get(AskedRuns, sequence, with_for_update=True)
    if row is None or row.settled:
        return
    row.settled = True
    correct(session, row.by, date.fromisoformat(row.day), row.spent_usd - row.reserved_usd)


def _asked(row: AskedRuns) -> AskedRun:
    return AskedRun.model_validate({name: getattr(row, name) for name in AskedRun.model_fields})
