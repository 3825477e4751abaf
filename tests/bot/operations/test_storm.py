"""A small storm on Postgres; ``make soak`` runs the whole one on both databases."""

import pytest

from benchmarks.webhooks import campaign

SMALL = {"deliveries": 90, "pulls": 4, "kills": 2, "rate": 60.0, "new_slot": 0.0, "life_s": 2.0, "patience_s": 120.0}


@pytest.mark.slow
def test_after_a_storm_of_webhooks_exactly_what_should_stand_stands(tmp_path, new_database):
    figures = campaign(tmp_path, url=new_database(), workers=2, **SMALL)
    assert figures["wrong"] == []
    assert figures["stored calls paid twice"] == 0
    assert figures["in the ledger"] == figures["unique"]
    assert figures["given up"] == 0
    assert figures["kills"] == 2
    assert figures["duplicates"] >= 0.4
