"""Everything that the bot keeps. Methods block (call them in a thread); each is a transaction of its own."""

from __future__ import annotations

from bot.store.audit import AuditRecords
from bot.store.comments import SurfaceRecords
from bot.store.database import Database
from bot.store.deliveries import DeliveryRecords
from bot.store.history import HistoryRecords
from bot.store.installations import InstallationRecords
from bot.store.retention import RetentionRecords
from bot.store.runs import RunRecords
from bot.store.schema import check, migrate
from bot.store.spending import SpendingRecords
from bot.store.verdicts import VerdictRecords


class Records(
    DeliveryRecords,
    InstallationRecords,
    RunRecords,
    VerdictRecords,
    AuditRecords,
    SurfaceRecords,
    HistoryRecords,
    RetentionRecords,
    SpendingRecords,
):
    """The rooms of the store in one place."""

    def __init__(self, url: str) -> None:
        """``url``: ``sqlite:///file.db``, a file's path, or ``postgresql://…``. Raises StoreError."""
        self._database = Database(url)

    def migrate(self) -> None:
        """Brings the tables up to date; makes them in an empty database. Raises StoreError for a newer database."""
        migrate(self._database)

    def check(self) -> None:
        """Raises StoreError when the database can't be read or its tables are not this version's."""
        check(self._database)

    def close(self) -> None:
        """Closes the connections."""
        self._database.close()
