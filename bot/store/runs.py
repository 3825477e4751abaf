"""Runs: one row for each requested evaluation, and how far it is."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import func
from sqlmodel import and_, col, not_, select

from bot.store.installations import gone, seen
from bot.store.tables import Repositories
from bot.store.tables import Runs as Rows
from bot.store.values import ExperimentRequest, Run, RunKind, RunState
from schemas.values import digest_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel import Session
    from sqlmodel.sql.expression import SelectOfScalar

    from bot.store.database import Database
    from bot.store.values import RepositoryRef

OPEN = tuple(state.value for state in RunState if state.is_open)


class RunRecords:
    """Every method is one transaction. Raises StoreError."""

    _database: Database

    def open_run(
        self,
        repo: RepositoryRef,
        number: int | None,
        head_sha: str,
        base_ref: str,
        *,
        why: str,
        kind: RunKind,
        raise_attempt: bool,
        at: datetime,
        approved_sha: str | None = None,
    ) -> Run:
        """Returns the newest attempt for this head and base, or a new one.

        A new attempt is made if there is none or the newest was cancelled: the caller has just read that this head is
        wanted again. ``raise_attempt`` makes a new one unless an attempt has the same ``why``, so a command that is
        handled twice raises it once. Raises StoreError if the App was removed.
        """
        with self._database.writing() as session:
            # Locks the repository's row, so two workers can't open the same attempt.
            repository = seen(session, repo, at)
            attempts = session.exec(
                select(Rows)
                .where(
                    col(Rows.repository_id) == repository.id,
                    col(Rows.kind) == kind.value,
                    col(Rows.number) == number if number is not None else col(Rows.number).is_(None),
                    col(Rows.head_sha) == head_sha,
                    col(Rows.base_ref) == base_ref,
                )
                .order_by(col(Rows.attempt))
            ).all()
            newest = attempts[-1] if attempts else None
            if raise_attempt:
                newest = next((run for run in attempts if run.why == why), None)
            # A cancelled run never gets a verdict, so this head needs another attempt.
            elif newest is not None and newest.state == RunState.CANCELLED:
                newest = None
            if newest is None:
                attempt = attempts[-1].attempt + 1 if attempts else 1
                subject = str(number) if kind is RunKind.PULL_REQUEST else kind.value
                newest = Rows(
                    # Readable, and the same for the same request. It is also the check's `external_id` and the id in
                    # the queue.
                    id=f"exp:{repository.id}:{subject}:{head_sha}:{digest_of(base_ref)[:16]}:{attempt}",
                    installation_id=repo.installation_id,
                    repository_id=repository.id,
                    kind=kind.value,
                    number=number,
                    head_sha=head_sha,
                    base_ref=base_ref,
                    attempt=attempt,
                    why=why,
                    approved_sha=approved_sha,
                    state=RunState.QUEUED.value,
                    opened_at=at,
                )
                session.add(newest)
                session.flush()
            return run_of(newest, repository.name)

    def note_progress(self, run_id: str, line: str) -> None:
        """Records how far a run is that a person asked for on a page."""
        with self._database.writing() as session:
            _row(session, run_id).progress = line

    def older_runs(self, run: Run) -> list[Run]:
        """Returns the other open runs of the same pull request (or queued head), which are to be cancelled.

        Age doesn't matter: after a push back to an old head, the run of the newer head is superseded. But a later
        attempt at the same head and base stays, because ``run`` was then only requested again.
        """
        later = and_(
            col(Rows.head_sha) == run.head_sha, col(Rows.base_ref) == run.base_ref, col(Rows.attempt) > run.attempt
        )
        same = col(Rows.number) == run.number if run.number is not None else col(Rows.head_sha) == run.head_sha
        return self._runs(
            select(Rows).where(
                col(Rows.repository_id) == run.repository_id,
                col(Rows.kind) == run.kind.value,
                same,
                col(Rows.state).in_(OPEN),
                col(Rows.id) != run.id,
                not_(later),
            )
        )

    def start(self, run_id: str, check_run_id: int | None, at: datetime) -> bool:
        """Marks a run as running, shown by this check.

        Returns False if it has ended (it was cancelled). May be repeated.
        """
        with self._database.writing() as session:
            row = _row(session, run_id)
            if row.state not in OPEN:
                return False
            row.state = RunState.RUNNING.value
            # A repeated start doesn't reset the clock: the metric counts from the first one.
            row.started_at = row.started_at or at
            row.check_run_id = check_run_id or row.check_run_id
            return True

    def digest(self, run_id: str, base_sha: str, content_digest: str) -> None:
        """Records the fetched base and the content digest."""
        with self._database.writing() as session:
            row = _row(session, run_id)
            row.base_sha, row.content_digest = base_sha, content_digest

    def finish(self, run_id: str, state: RunState, at: datetime) -> bool:
        """Ends a run. Returns False if it had ended before: the first end counts."""
        with self._database.writing() as session:
            row = _row(session, run_id)
            if row.state not in OPEN:
                return False
            row.state, row.ended_at = state.value, at
            return True

    def shown(self, run_id: str, at: datetime) -> None:
        """Records when its verdict was shown on GitHub. The first time counts."""
        with self._database.writing() as session:
            row = _row(session, run_id)
            row.shown_at = row.shown_at or at

    def run(self, run_id: str) -> Run | None:
        """Returns one run."""
        return self._first(select(Rows).where(col(Rows.id) == run_id))

    def current_run(self, repository_id: int, number: int) -> Run | None:
        """Returns the newest run of a pull request that was not cancelled."""
        return self._first(
            select(Rows)
            .where(
                col(Rows.repository_id) == repository_id,
                col(Rows.kind) == RunKind.PULL_REQUEST.value,
                col(Rows.number) == number,
                col(Rows.state) != RunState.CANCELLED.value,
            )
            # By sequence and not by time: clocks of workers may differ.
            .order_by(col(Rows.sequence).desc())
        )

    def is_base(self, repository_id: int, branch: str) -> bool:
        """Returns whether a pull request to this branch was ever evaluated."""
        wanted = (
            col(Rows.repository_id) == repository_id,
            col(Rows.kind) == RunKind.PULL_REQUEST.value,
            col(Rows.base_ref) == branch,
        )
        with self._database.reading() as session:
            return session.exec(select(Rows.sequence).where(*wanted).limit(1)).first() is not None

    def runs_of_head(self, repository_id: int, head_sha: str) -> list[Run]:
        """Returns every run of a head, of pull requests and of the queue, in the order of requests."""
        return self._runs(select(Rows).where(col(Rows.repository_id) == repository_id, col(Rows.head_sha) == head_sha))

    def open_runs(self) -> list[Run]:
        """Returns every run that is queued or running."""
        return self._runs(select(Rows).where(col(Rows.state).in_(OPEN)))

    def open_runs_of(self, repository_id: int, number: int) -> list[Run]:
        """Returns the runs of a pull request that are queued or running."""
        here = (col(Rows.repository_id) == repository_id, col(Rows.number) == number)
        return self._runs(select(Rows).where(*here, col(Rows.state).in_(OPEN)))

    def queued_runs(self) -> tuple[int, datetime | None]:
        """Counts the runs that no worker has begun, and returns when the oldest was requested."""
        counted = select(func.count(), func.min(Rows.opened_at)).where(col(Rows.state) == RunState.QUEUED.value)
        with self._database.reading() as session:
            count, oldest = session.exec(counted).one()
            return count, oldest

    def _runs(self, wanted: SelectOfScalar[Rows]) -> list[Run]:
        with self._database.reading() as session:
            return with_names(session, session.exec(wanted.order_by(col(Rows.sequence))).all())

    def _first(self, wanted: SelectOfScalar[Rows]) -> Run | None:
        with self._database.reading() as session:
            found = with_names(session, session.exec(wanted.limit(1)).all())
            return found[0] if found else None


def with_names(session: Session, rows: Sequence[Rows]) -> list[Run]:
    """Returns the runs with the present names of their repositories."""
    ids = {row.repository_id for row in rows}
    # The present name and not the one at the time of the run: links must work after a rename.
    names = dict(session.exec(select(Repositories.id, Repositories.name).where(col(Repositories.id).in_(ids))).all())
    return [run_of(row, names[row.repository_id]) for row in rows]


def run_of(row: Rows, repository: str) -> Run:
    """Returns the value of a row."""
    request = None if row.request is None else ExperimentRequest.model_validate_json(row.request)
    fields = {name: getattr(row, name) for name in Run.model_fields if name not in ("repository", "request")}
    return Run.model_validate(fields | {"repository": repository, "request": request})


def _row(session: Session, run_id: str) -> Rows:
    # Locked, because two workers may start and end the same run at once.
    row = session.exec(select(Rows).where(col(Rows.id) == run_id).with_for_update()).first()
    if row is None:
        raise gone(f"run {run_id}")
    return row
