"""``promptverdict watch`` on a real repository: an estimate, a baseline, a finding of the next day, exit codes."""

import json
import sqlite3

import pytest

from tests.end_to_end.conftest import FILES, run_command
from tests.repositories import Repository

pytestmark = pytest.mark.slow


def test_the_command_estimates_stores_and_finds(tmp_path):
    repository = Repository(tmp_path / "shop")
    repository.commit(FILES)
    store = str(tmp_path / "outcomes.sqlite3")

    def run(*arguments):
        return run_command(
            "watch", "--repo", str(repository.path), "--head", "main", "--store", store, *arguments, cwd=tmp_path,
            home=tmp_path,
        )  # fmt: skip

    dry = run("--dry-run")
    assert (dry.code, "1 experiment: 60 calls in one run, about $" in dry.out) == (0, True), dry.err
    first = run("--format", "json")
    (row,) = json.loads(first.out)["watch"]
    assert (first.code, row["state"], row["lineage"]) == (0, "no data", "triage")
    # The first run becomes one of another day, in which most cases failed.
    with sqlite3.connect(store) as database:
        database.create_function(
            "checksum_of", -1, lambda *values: __import__("adapters.store.rows", fromlist=["checksum"]).checksum(values)
        )
        ((key, text),) = [
            row for row in database.execute("SELECT content_digest, plan FROM plans") if '"record"' in row[1]
        ]
        plan = json.loads(text)
        plan["day"] = "2020-01-01"
        for cell in plan["record"]["outcomes"]:
            cell["scores"] = [0.0 for _ in cell["scores"]]
        database.execute(
            "UPDATE plans SET plan = ?1, checksum = checksum_of(?2, ?1) WHERE content_digest = ?2",
            (json.dumps(plan), key),
        )
        database.execute("DELETE FROM plans WHERE plan LIKE '%watch_version%'")
    second = run()
    assert second.code == 1, second.err
    assert "triage: alert." in second.out
    assert "the score rose by" in second.out
    assert run("--lineage", "nothing").code == 2
