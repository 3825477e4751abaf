"""A default is written in one place: where it changes, everything that uses or shows it follows."""

import subprocess
import sys
from pathlib import Path

from engine.commands.init_config import gate_example

ROOT = Path(__file__).parent.parent
FOLLOWERS = """
import schemas.margins as margins
margins.OVERALL, margins.SLICE, margins.WIDEST = 0.03, 0.07, 0.19
import numpy as np
from action.cli.power import _power
from engine.commands.init_config import gate_example
from engine.gate import reason_text
from engine.commands.json_schemas import json_schema
from engine.detection.policy import compare_policies
from engine.readers.config import read_config
from schemas.config import GateConfig
from schemas.scorecard import Effect
from schemas.testsets import TestCase, TestSet

def config(gate):
    return read_config("promptverdict.yaml", f"version: 1\\nmodels: {{m: {{provider: offline, model: offline-small}}}}\\n{gate}".encode())

def direction(gate):
    (change,) = compare_policies(config(""), config(gate))
    return change.direction.value

assert direction("gate: {margin: {overall: 0.05}}") == "not comparable"
assert direction("gate: {margin: {overall: 0.03}}") == "tighter"
assert direction("gate: {margin: {slice: 0.08}}") == "not comparable"
assert direction("gate: {margin: {slices: {edge: 0.07}}}") == "tighter"

def margins_of(cases):
    tests = TestSet(path="t", cases=tuple(TestCase(id=str(n), inputs={}, slices=("s",), line=n) for n in range(cases)))
    return {row.slice: row.margin for row in _power(tests, GateConfig())}

assert margins_of(5_000) == {None: 0.03, "s": 0.07}
assert margins_of(20)[None] == 0.19, margins_of(20)

def effect(margin, slice=None):
    return Effect(slice=slice, metric="m", cases=9, baseline=1, candidate=1, change=0, interval=None, margin=margin,
        result="no_change")

assert reason_text.adapted(effect(0.04)) and not reason_text.adapted(effect(0.03))
assert reason_text.adapted(effect(0.08, "s")) and not reason_text.adapted(effect(0.07, "s"))
assert "{overall: 0.03, slice: 0.07}" in gate_example()
texts = json_schema("config")["$defs"]["Margins"]["properties"]
assert "0.03" in texts["overall"]["description"] and "0.19" in texts["overall"]["description"]
assert "0.07" in texts["slice"]["description"]
"""


def test_everything_follows_a_default_margin():
    ran = subprocess.run([sys.executable, "-c", FOLLOWERS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_the_page_of_the_configuration_shows_the_defaults():
    shown = gate_example().partition("gate: {")[2].partition("}")[0]
    assert shown in (ROOT / "docs/configuration.md").read_text()
