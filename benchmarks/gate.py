"""Measures on simulated pull requests how often the gate blocks, approves and is inconclusive, and at which cost.

    python -m benchmarks.gate                    everything (up to an hour on two cores)
    python -m benchmarks.gate --short            a few pull requests a figure
    python -m benchmarks.gate --show             the tables of the stored results

Results are stored batch by batch in ``benchmarks/results/gate.jsonl``. A stopped run continues from there, as long as
the gate's code is unchanged. The tables are in ``gate.md`` and ``gate.json`` beside it.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from multiprocessing import Pool
from pathlib import Path

import numpy as np

from benchmarks import gate_models as models
from benchmarks.gate_drive import Tally, ours
from benchmarks.gate_rivals import RIVALS
from schemas.gate_config import GateConfig, GateMode, SlicePolicy

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "gate.jsonl"
FLIPS = 999
"""The product uses 9,999; a figure over 2,000 pull requests is no more precise for it."""
PULLS, BATCHES, OF_VARIANTS = 100, 20, 5
"""2,000 pull requests a figure in the main table, 500 for a variant."""
WATCHED = GateConfig(adversarial=SlicePolicy.WATCH)

PREFACE = """# The gate, simulated

Blocked / needs review / approved in percent (the rest: too few cases), and in brackets the model calls by case and arm
(three full runs are 3.00). {main} pull requests a figure in the first table, {variants} in the second; {flips} sign
flips instead of 9,999.

Simulated: a case passes with a chance p ~ Beta by slice (means .90 / .75 / .40 / .70 for typical / edge / known_failure
/ adversarial at 60 / 20 / 10 / 10% of the cases, a + b = 0.3: 6% of the cases differ between two runs).
*identical*: nothing changed. *neutral*: 8% of the cases change for good (p becomes 1 − p), no slice's mean moves. The
others come on top of that churn. *−X*: every slice loses X points. *slice −30*: adversarial loses 30 points for good
while the average gains 3. *broken*: −40. *oracle* knows every case's p, makes no call and takes the same test over the
same means; its share of α is that of our test. The rivals are written from their descriptions. But for the fixed
designs they approve whatever they don't block.
Made by `make bench-gate`.
"""

Model = Callable[[int, np.random.Generator], models.World]
Rule = Callable[[models.World, str], Tally]

SCENARIOS: dict[str, Model] = {
    "identical": models.identical,
    "neutral": models.neutral,
    "−5": models.falls(0.05),
    "−10": models.falls(0.10),
    "slice −30": models.slice_falls,
    "broken": models.falls(0.40),
}
OURS = ours(GateConfig(), FLIPS)
VARIANTS: dict[str, tuple[Model, Rule]] = {
    "5% churn, neutral": (models.rewording(0.05), OURS),
    "14% churn, neutral": (models.rewording(0.14), OURS),
    "quiet model (a + b = 0.06), identical": (models.with_concentration(0.06), OURS),
    "quiet model (a + b = 0.06), neutral": (models.rewording(concentration=0.06), OURS),
    "quiet model (a + b = 0.06), −10": (models.with_concentration(0.06, 0.10), OURS),
    "noisy model (a + b = 1.1), identical": (models.with_concentration(1.1), OURS),
    "noisy model (a + b = 1.1), neutral": (models.rewording(concentration=1.1), OURS),
    "noisy model (a + b = 1.1), −10": (models.with_concentration(1.1, 0.10), OURS),
    "sources of 5, ICC .05, neutral": (models.rewording(icc=0.05), OURS),
    "slice −30, half of it partial": (models.slice_breaks(partly=True), OURS),
    "clusters of 5, identical": (models.clustered(), OURS),
    "clusters of 5, −10": (models.clustered(0.10), OURS),
    "3 metrics × 5 slices, identical": (models.several_metrics(), OURS),
    "3 metrics × 5 slices, −10": (models.several_metrics(0.10), OURS),
    "provider lost 5 points in both arms": (models.drifted, OURS),
    "judge 1-5, identical": (models.judged(), OURS),
    "judge 1-5, −5": (models.judged(0.05), OURS),
    "judge 1-5, −10": (models.judged(0.10), OURS),
    "cost +0%": (models.costs(1e-9), OURS),
    "cost +18%": (models.costs(0.18), OURS),
    "cost +18%, raw thresholds": (models.costs(0.18), RIVALS["raw thresholds"]),
    "cost +22%": (models.costs(0.22), OURS),
    "cost +40%": (models.costs(0.40), OURS),
    "`typical` exactly at its margin (11)": (models.at_margin(0.11, "typical"), OURS),
    "`edge` exactly at its margin (21)": (models.at_margin(0.21, "edge"), OURS),
    "mode: fixed, 1 run, identical": (models.identical, ours(GateConfig(mode=GateMode.FIXED), FLIPS)),
    "mode: fixed, 1 run, −10": (models.falls(0.10), ours(GateConfig(mode=GateMode.FIXED), FLIPS)),
    "mode: fixed, 3 runs, identical": (
        models.identical,
        ours(GateConfig(mode=GateMode.FIXED, repetitions=3), FLIPS),
    ),
    "mode: fixed, 3 runs, −10": (models.falls(0.10), ours(GateConfig(mode=GateMode.FIXED, repetitions=3), FLIPS)),
}


IN_COLUMNS = ("identical", "neutral", "−10", "slice −30")
PAGE = ROOT / "docs" / "how-it-decides.md"
BEGIN, END = "<!-- simulation: begin, written by `make bench-gate` -->", "<!-- simulation: end -->"
HEAD = ("| cases | rule | identical | neutral | −10 | slice −30 |", "|--:|---|---|---|---|---|")
ON_PAGE = (
    (100, "ours", "**Prompt Verdict**"),
    (100, "oracle", "an oracle that knows every chance"),
    (100, "fixed, 3 runs", "three fixed runs, same test"),
    (100, "raw thresholds", "raw thresholds"),
    (100, "any drop", "any drop of the mean"),
    (200, "ours", "**Prompt Verdict**"),
    (200, "oracle", "an oracle that knows every chance"),
    (200, "ours, adversarial watched", "the same as ours, `adversarial` watched"),
    (1000, "ours", "**Prompt Verdict**"),
)

Key = tuple[str, str, int, str, int]
"""Table, rule, n, scenario, and which batch of pull requests."""


def cells() -> list[Key]:
    """Yields everything: the first batch of all figures first, and in each batch the page's rows first."""
    quoted = {(n, rule) for n, rule, _ in ON_PAGE}
    result: list[Key] = []
    for batch in range(BATCHES):
        of_batch: list[Key] = []
        for rule in ("ours", *RIVALS):
            of_batch += [("main", rule, n, s, batch) for n in (200, 100, 30, 1000) for s in SCENARIOS]
        of_batch += [("main", "ours, adversarial watched", 200, s, batch) for s in SCENARIOS]
        result += sorted(of_batch, key=lambda key: ((key[2], key[1]) not in quoted, key[3] not in IN_COLUMNS))
        if batch < OF_VARIANTS:
            result += [("variants", "", 200, name, batch) for name in VARIANTS]
    return result


def run(job: tuple[Key, int]) -> dict:
    """Simulates one batch of ``pulls`` pull requests of one figure."""
    key, pulls = job
    table, rule_name, n, scenario, batch = key
    if table == "variants":
        model, rule = VARIANTS[scenario]
    elif rule_name.startswith("ours"):
        model, rule = SCENARIOS[scenario], ours(GateConfig() if rule_name == "ours" else WATCHED, FLIPS)
    else:
        model, rule = SCENARIOS[scenario], RIVALS[rule_name]
    tallies = []
    for k in range(batch * pulls, (batch + 1) * pulls):
        world = model(n, np.random.default_rng([n, k, *scenario.encode()]))
        tallies.append(rule(world, f"{rule_name} {scenario} {n} {k}"))
    return {
        "key": list(key),
        "outcomes": dict(Counter(t.outcome for t in tallies)),
        "calls": float(np.sum([t.calls for t in tallies])),
        "stored": float(np.sum([t.candidate_calls for t in tallies])),
    }


def code() -> str:
    """Returns the digest of the simulated code. A stopped run continues only with the same gate and simulation.
    Comments, docstrings and sentences make no difference."""
    files = [*ROOT.glob("engine/gate/*.py"), *ROOT.glob("benchmarks/gate_*.py")]
    text = [ast.unparse(_bare(ast.parse(path.read_text()))) for path in sorted(files) if path.name != "reason_text.py"]
    return hashlib.sha256("".join(text).encode()).hexdigest()[:12]


def _bare(tree: ast.Module) -> ast.Module:
    """Returns the code without its docstrings."""
    for node in ast.walk(tree):
        if isinstance(body := getattr(node, "body", None), list):
            node.body = [  # type: ignore[attr-defined]
                each for each in body if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
            ]
    return tree


def known(version: str) -> list[dict]:
    """Returns the results of a stopped run of the same code."""
    rows = [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []
    return [row for row in rows if row.get("code") == version]


def merged(rows: Iterable[dict]) -> dict[tuple, dict]:
    """Batches of one figure added up."""
    result: dict[tuple, dict] = {}
    for row in rows:
        total = result.setdefault(tuple(row["key"][:4]), {"outcomes": Counter(), "calls": 0.0, "stored": 0.0})
        total["outcomes"].update(row["outcomes"])
        total["calls"] += row["calls"]
        total["stored"] += row["stored"]
    return result


def figure(row: dict) -> str:
    total = sum(row["outcomes"].values())
    shares = [100 * row["outcomes"].get(o, 0) / total for o in ("blocked", "needs review", "approved")]
    said = "/".join(f"{s:.1f}" if 0 < s < 2 or 98 < s < 100 else f"{s:.0f}" for s in shares)
    return f"{said} ({row['calls'] / total:.2f})"


def tables(rows: Iterable[dict]) -> str:
    """Returns tables of blocked / needs review / approved in percent, and calls by case and arm."""
    found = merged(rows)
    lines = ["| n | rule | " + " | ".join(SCENARIOS) + " |", "|--:|---|" + "---|" * len(SCENARIOS)]
    for n in (30, 100, 200, 1000):
        for rule in ("ours", "ours, adversarial watched", *RIVALS):
            row = [found.get(("main", rule, n, s)) for s in SCENARIOS]
            if any(row):
                lines.append(f"| {n} | {rule} | " + " | ".join(figure(r) if r else "" for r in row) + " |")
    lines += ["", "| n = 200 | blocked / needs review / approved % (calls) |", "|---|---|"]
    for name in VARIANTS:
        if ("variants", "", 200, name) in found:
            lines.append(f"| {name} | {figure(found['variants', '', 200, name])} |")
    return "\n".join(lines)


def page_rows(rows: Iterable[dict]) -> list[str]:
    """Returns the table of docs/how-it-decides.md, and the basis of its figures."""
    rows = list(rows)
    found = merged(rows)
    pulls = f"Each figure comes from {pulls_of(rows, 'main')} pull requests, with {FLIPS} sign flips instead of 9,999."
    table = [
        f"| {n:,} | {name} | "
        + " | ".join(figure(found["main", rule, n, s]).replace("/", " / ") for s in IN_COLUMNS)
        + " |"
        for n, rule, name in ON_PAGE
    ]
    return [*HEAD, *table, "", pulls]


def with_rows(page: str, rows: list[str]) -> str:
    """Returns the page with these rows in its generated table."""
    head, marked, rest = page.partition(BEGIN)
    _, end, rest = rest.partition(END)
    return "\n".join([head + marked, *rows, end + rest])


def pulls_of(rows: Iterable[dict], table: str) -> str:
    """Returns the number of pull requests behind a table: "2,000", or "500 to 2,000"."""
    counts = {sum(row["outcomes"].values()) for key, row in merged(rows).items() if key[0] == table} or {0}
    return " to ".join(f"{n:,}" for n in sorted({min(counts), max(counts)}))


def main() -> None:
    parser = argparse.ArgumentParser(description="Simulates pull requests and prints what the gate says.")
    parser.add_argument("--short", action="store_true", help="20 pull requests a figure, nothing is kept")
    parser.add_argument("--show", action="store_true", help="only print existing results")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    version = code()
    rows = [] if given.short else known(version)
    done = {tuple(row["key"]) for row in rows}
    pulls = 20 if given.short else PULLS
    todo = [(key, pulls) for key in cells() if key not in done and not (given.short and key[-1])]
    if not given.show:
        RESULTS.parent.mkdir(exist_ok=True)
        with Pool(given.processes) as pool:
            for row in pool.imap_unordered(run, todo):
                rows.append(row)
                if not given.short:
                    with RESULTS.open("a") as file:
                        file.write(json.dumps(row | {"code": version}, ensure_ascii=False) + "\n")
    text = tables(rows)
    print(text)
    if rows and not given.short:
        preface = PREFACE.format(main=pulls_of(rows, "main"), variants=pulls_of(rows, "variants"), flips=FLIPS)
        RESULTS.with_suffix(".md").write_text(f"{preface}\n{text}\n")
        PAGE.write_text(with_rows(PAGE.read_text(), page_rows(rows)))
        figures = [{"figure": list(key), **row} for key, row in sorted(merged(rows).items())]
        RESULTS.with_suffix(".json").write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
