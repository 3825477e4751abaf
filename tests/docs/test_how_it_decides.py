"""The worked example of docs/how-it-decides.md, calculated again by the gate's own functions and by the demo."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from engine.gate.bounds import (
    ALPHA_GUARD,
    CHURN,
    PLANNING_VARIANCE,
    cases_for,
    certifiable,
    largest_drop,
    planning_sample,
)
from engine.gate.guard import ASSUMED, EARLY
from engine.gate.spending import boundary
from engine.gate.two_by_two import boschloo_p, fisher_p
from tests.docs.demo import checked

PAGE = (Path(__file__).parents[2] / "docs/how-it-decides.md").read_text()
EXAMPLE = PAGE.partition("## A worked example")[2].partition("\n## ")[0]


def test_the_guards_table_is_the_gates():
    rows = re.findall(
        r"(?m)^\| (\d) \| (\d+) of (\d+) \| (\d+) of (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| (\w+) \|$", EXAMPLE
    )
    assert [row[0] for row in rows] == ["1", "2", "3"]
    for _, broken, passing, others_broken, others, fisher, boschloo, level, said in rows:
        table = int(broken), int(passing), int(others_broken), int(others)
        assert float(fisher) == pytest.approx(fisher_p(*table), rel=0.03)
        assert float(boschloo) == pytest.approx(boschloo_p(*table), rel=0.03)
        assert float(level) == pytest.approx(EARLY)
        assert said == ("blocked" if boschloo_p(*table) <= float(level) else "wait")
    assert f"the guard's {100 * ALPHA_GUARD:.1f}%: {ALPHA_GUARD} − 3 × {EARLY}" in EXAMPLE


def test_the_assumed_cases_are_the_gates():
    said = " ".join(PAGE.split())
    assert (
        f"fewer than {ASSUMED} other cases, {ASSUMED} assumed cases join them, of which {round(CHURN * ASSUMED)} broke"
        in said
    )


def test_the_bounds_by_hand_are_the_gates():
    z = boundary((1.0,), 0.04)
    assert f"z = {z:.4f}" in EXAMPLE
    weights = np.full(21, 1 / 21)
    one = np.ones(21, dtype=np.bool_)
    better = np.array([1.0] * 7 + [-1.0] + [0.0] * 13)
    assert (better.sum(), (better**2).sum()) == (6, 8)
    assert f"= −{-largest_drop(better / 21, weights, z, one):.4f}" in EXAMPLE
    assert f"= {largest_drop(0 * better, weights, z, one):.4f}" in EXAMPLE
    assert f"c(208) = {100 * certifiable(208, 0.12):.1f} points" in EXAMPLE
    margins = PAGE.partition("## Margins")[2].partition("\n## ")[0].replace("\n", " ")
    known = [f"{100 * certifiable(cases, PLANNING_VARIANCE):.1f}" for cases in (100, 200)]
    assert f"100 cases rule out {known[0]} points and 200 cases {known[1]}" in margins
    clustered, single = (100 * certifiable(*planning_sample(sizes)) for sizes in ([4] * 50, [1] * 50))
    assert f"give a margin of {clustered:.1f} points, and fifty single cases one of {single:.1f}" in margins
    assert f"From {cases_for(0.05, PLANNING_VARIANCE)} cases on" in margins


def test_the_demo_says_what_the_page_says(tmp_path):
    (lineage,) = json.loads(checked("triage/trust-the-customer", tmp_path))["lineages"]
    (reason,) = lineage["reasons"]
    overall = lineage["overall"]
    assert (
        f"{100 * overall['baseline']:.1f} → {100 * overall['candidate']:.1f}, +{100 * overall['change']:.1f}" in EXAMPLE
    )
    assert (reason["code"], len(reason["cases"]), reason["look"]) == ("guard", 7, 3)
    assert {case["id"] for case in lineage["cases"] if case["result"] == "regressed"} >= set(reason["cases"])
    assert reason["p"] == pytest.approx(boschloo_p(7, 18, 3, 78))
    (slice_,) = (one for one in lineage["slices"] if one["slice"] == "adversarial")
    assert round(slice_["baseline"] * slice_["cases"]) == 18
