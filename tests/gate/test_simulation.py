"""The simulation of benchmarks/gate.py in small: wide bounds that only a broken gate leaves."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks import gate_models as models
from benchmarks.gate import PAGE, code, page_rows, with_rows
from benchmarks.gate_drive import ours
from benchmarks.gate_rivals import RIVALS
from schemas.gate_config import GateConfig

PULLS = 30


def outcomes(model, n, rule=None):
    rule = rule or ours(GateConfig(), 999)
    tallies = [rule(model(n, np.random.default_rng([n, k])), f"test {n} {k}") for k in range(PULLS)]
    return Counter(t.outcome for t in tallies), float(np.mean([t.calls for t in tallies]))


@pytest.mark.parametrize("n", [30, 100, 200])
def test_unchanged_prompts_are_approved_with_fewer_calls_than_three_runs(n):
    seen, calls = outcomes(models.identical, n)
    assert seen["approved"] >= PULLS - 2
    assert calls < {30: 2.2, 100: 2.0, 200: 1.6}[n]


def test_a_rewording_of_equal_quality_is_seldom_blocked():
    """8% of its cases change for good."""
    seen, calls = outcomes(models.neutral, 200)
    assert seen["blocked"] <= 6  # a gate that blocks at one broken case has 10
    assert seen["approved"] >= 20
    assert calls < 1.6


@pytest.mark.parametrize(
    ("model", "blocked"), [(models.falls(0.10), 12), (models.slice_falls, 20), (models.falls(0.40), 30)]
)
def test_regressions_are_blocked(model, blocked):
    assert outcomes(model, 100)[0]["blocked"] >= blocked


def test_a_drifted_provider_seldom_blocks():
    assert outcomes(models.drifted, 100)[0]["blocked"] <= 5


def test_raw_thresholds_block_unchanged_prompts():
    assert outcomes(models.identical, 30, RIVALS["raw thresholds"])[0]["blocked"] >= 8


@pytest.mark.parametrize("rule", sorted(RIVALS))
def test_every_rival_sees_a_broken_prompt(rule):
    assert outcomes(models.falls(0.40), 100, RIVALS[rule])[0]["blocked"] >= PULLS - 3


def test_the_pages_table_is_that_of_the_kept_results():
    """``make bench-gate`` writes both."""
    kept = json.loads((Path(__file__).parents[2] / "benchmarks/results/gate.json").read_text(encoding="utf-8"))
    rows = page_rows([{**row, "key": row["figure"]} for row in kept])
    page = PAGE.read_text(encoding="utf-8")
    assert with_rows(page, rows) == page
    assert len(rows) == 13


def test_the_figures_belong_to_the_code_of_the_gate():
    assert len(code()) == 12
