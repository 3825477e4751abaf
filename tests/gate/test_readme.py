"""The README's table is what the simulation gave."""

import json
from pathlib import Path

from benchmarks.gate import readme_rows

ROOT = Path(__file__).parents[2]


def test_the_readmes_rows_are_those_of_the_kept_results():
    kept = json.loads((ROOT / "benchmarks/results/gate.json").read_text(encoding="utf-8"))
    rows = readme_rows([{**row, "key": row["figure"]} for row in kept])
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert rows == [row for row in rows if row in readme]
    table = readme[readme.index(rows[0]) :]
    assert table[: len(rows) + 1] == [*rows, ""]
