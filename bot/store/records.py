"""Everything that the bot keeps."""

from __future__ import annotations

from bot.store.alert_records import AlertRecords
from bot.store.asked_records import AskedRecords
from bot.store.audit import AuditRecords
from bot.store.case_records import CaseRecords
from bot.store.comments import CommentRecords
from bot.store.compare_records import CompareRecords
from bot.store.database import Database
from bot.store.day_spending import SpendingRecords
from bot.store.deliveries import DeliveryRecords
from bot.store.former_names import NameRecords
from bot.store.home_records import HomeRecords
from bot.store.hub_records import HubRecords
from bot.store.installations import InstallationRecords
from bot.store.migrate import check, migrate
from bot.store.model_records import ModelRecords
from bot.store.page_records import PageRecords
from bot.store.production_records import ProductionRecords
from bot.store.prompt_history import HistoryRecords
from bot.store.retention import RetentionRecords
from bot.store.runs import RunRecords
from bot.store.session_records import SessionRecords
from bot.store.staged_records import StagedRecords
from bot.store.suggest_records import SuggestionRecords
from bot.store.token_records import TokenRecords
from bot.store.verdicts import VerdictRecords
from bot.store.watch_records import WatchRecords
from bot.store.worker_slots import SlotRecords


class Records(
    DeliveryRecords,
    InstallationRecords,
    RunRecords,
    VerdictRecords,
    AuditRecords,
    CommentRecords,
    SlotRecords,
    HistoryRecords,
    RetentionRecords,
    SpendingRecords,
    PageRecords,
    CaseRecords,
    CompareRecords,
    ModelRecords,
    HomeRecords,
    SessionRecords,
    HubRecords,
    TokenRecords,
    SuggestionRecords,
    NameRecords,
    ProductionRecords,
    AlertRecords,
    StagedRecords,
    WatchRecords,
    AskedRecords,
):
    """All records of the bot. Methods block (see ``AsyncRecords``); each is a transaction of its own."""

    def __init__(self, url: str) -> None:
        """Takes ``sqlite:///file.db``, a file's path, or ``postgresql://…``. Raises StoreError."""
        self._database = Database(url)

    def migrate(self) -> None:
        """Creates the tables or brings them up to date. Raises StoreError for a newer database."""
        migrate(self._database)

    def check(self) -> None:
        """Raises StoreError if the database can't be read or its tables are not this version's."""
        check(self._database)

    def close(self) -> None:
        """Closes the connections."""
        self._database.close()
