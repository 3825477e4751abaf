"""Migrations: from nothing, twice, at once, from a wheel; the same tables as the models; a newer database is refused."""

import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from bot.store.records import Records
from bot.store.tables import Table
from schemas.errors import StoreError


def test_an_empty_database_gets_its_tables_and_a_second_start_changes_nothing(url):
    records = Records(url)
    with pytest.raises(StoreError, match="not up to date"):
        records.check()
    records.migrate()
    records.check()
    records.migrate()
    records.check()
    records.close()


def test_the_migrations_make_what_the_models_say(records):
    with records._database.migrating() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Table.metadata) == []


def test_workers_that_start_together_migrate_one_after_the_other(url):
    failures = []

    def start():
        try:
            mine = Records(url)
            mine.migrate()
            mine.check()
            mine.close()
        except Exception as failure:  # noqa: BLE001
            failures.append(failure)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_database_of_a_newer_version_is_refused_and_left_alone(records):
    with records._database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for use in (records.migrate, records.check):
        with pytest.raises(StoreError, match=r"written by a newer version of Prompt Verdict .revision 9999.*restore"):
            use()


@pytest.mark.parametrize(
    "address", ["mysql://h/db", "sqlite://", "sqlite:///:memory:", "://", "postgresql+asyncpg://h/d"]
)
def test_an_address_that_can_not_be_used_is_refused_in_one_line(address):
    with pytest.raises(StoreError, match=r"database address is invalid .give sqlite:///file.db or postgresql://…"):
        Records(address)


def test_a_database_that_can_not_be_reached_is_said_without_its_password():
    records = Records("postgresql://somebody:s3cr3t@127.0.0.1:1/bot")
    with pytest.raises(StoreError, match=r"127.0.0.1/bot: the bot's database failed") as failure:
        records.check()
    assert "s3cr3t" not in str(failure.value)
