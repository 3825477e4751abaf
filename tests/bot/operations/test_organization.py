"""The short form of benchmarks.organization: what a pull request may cost, whatever else the machine does."""

from argparse import Namespace

import pytest

from benchmarks.organization import KINDS, campaign

COUNTED = {"no prompt": 8, "prompt": 11, "fork": 11, "re-run": 13}
"""Requests that GitHub counts against an installation's limit of 5,000 to 15,000 an hour."""
WRITES = {"no prompt": 2, "prompt": 4, "fork": 3, "re-run": 6}
CONNECTIONS = 26
"""The most that docs/operating.md plans for a worker; a web process has 16."""


@pytest.mark.slow
@pytest.mark.long
def test_a_pull_request_costs_what_the_capacity_plan_says(tmp_path, new_database, monkeypatch):
    monkeypatch.setattr("benchmarks.organization.SETTLES_S", 3.0)
    monkeypatch.setattr("benchmarks.organization.REPOSITORIES", 4)
    given = Namespace(pulls=2, workers=2, arrivals=4, loads=["1"], idle=1.0, answers=1000)
    figures = campaign(tmp_path, new_database(), given)
    assert figures["failed deliveries"] == 0
    assert "None" not in figures["checks"]
    each = figures["for each"]
    assert each.keys() == KINDS.keys()
    for kind, most in COUNTED.items():
        assert each[kind]["requests that count"] <= most, each[kind]["GitHub requests"]
        assert each[kind]["writes"] <= WRITES[kind], each[kind]["GitHub requests"]
        assert each[kind]["connections"] <= 2 * CONNECTIONS + 16
    assert each["prompt"]["database kB"] < 1000
    swept = figures["requests of the first sweep"]
    assert swept["GET pulls"] <= 4, "one worker sweeps for both"
    assert figures["retention"]["a thousandth is old, deleted"] == 1
