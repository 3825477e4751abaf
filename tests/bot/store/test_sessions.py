"""Sessions end, a sign-in is used once, and what has ended is deleted."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from bot.store.retention import Retention
from bot.store.session_records import KeptSession

NOW = datetime(2026, 11, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_session_lasts_until_its_end_or_until_it_is_closed(records):
    for name in ("one", "two"):
        records.open_session(name, KeptSession("ada", b"sealed", NOW + HOUR))
    assert records.session("one", NOW) == KeptSession("ada", b"sealed", NOW + HOUR)
    records.renew_tokens("one", b"newer")
    assert records.session("one", NOW).tokens == b"newer"
    assert records.session("two", NOW).tokens == b"sealed"
    assert records.session("one", NOW + HOUR) is None
    records.close_session("two")
    assert records.session("two", NOW) is None
    assert records.session("none", NOW) is None


def test_a_sign_in_is_used_once_and_what_ended_is_deleted(records):
    assert records.use_sign_in("one", NOW + HOUR)
    assert not records.use_sign_in("one", NOW + HOUR)
    records.open_session("old", KeptSession("ada", b"", NOW + HOUR))
    records.open_session("new", KeptSession("ada", b"", NOW + 3 * HOUR))
    assert records.prune(Retention(), NOW + 2 * HOUR) == 2
    with records._database.reading() as session:
        assert session.execute(text("SELECT id_hash FROM sessions UNION SELECT id_hash FROM sign_ins")).all() == [
            ("new",)
        ]
