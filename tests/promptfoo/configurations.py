"""Whole promptfoo configurations: what is sent for each test, and whether the echo of it passes."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

import yaml

from engine.readers.nodes import plain
from engine.readers.promptfoo_files import ConfigFiles
from engine.readers.test_files import read_tests
from engine.readers.test_source import GivenFiles
from evaluators.assertions import result_of
from evaluators.javascript import text_of
from tests.promptfoo.pairs import HERE

RECORDED = HERE / "configurations.json"
NAME = "promptfooconfig.yaml"
Echoes = list[tuple[str, bool]]
"""What was sent, and whether it passes its assertions."""


def corpus() -> dict[str, dict[str, str]]:
    """Returns the files of each configuration."""
    found: dict[str, dict[str, str]] = yaml.safe_load((HERE / "configurations.yaml").read_text())
    return found


def echoed(files: dict[str, str]) -> Echoes:
    """Returns the prompt of each case, and whether its assertions accept that as an answer, sorted."""
    given = GivenFiles({path: text.encode() for path, text in files.items()})
    prompt = str(plain(ConfigFiles(NAME, given).entries["prompts"].value[0]))  # type: ignore[index] # a list of one text
    tests = read_tests([NAME], given)
    assert tests.warnings == ()
    echoes = []
    for case in tests.cases:
        text = re.sub(r"\{\{([\w.]+)\}\}", partial(_value, case.inputs), prompt)
        result = result_of(case.assertions, case.threshold, text)
        echoes.append((text, result.passed or not case.assertions))
    return sorted(echoes)


def _value(inputs: dict[str, Any], found: re.Match[str]) -> str:
    """Returns a value as nunjucks prints it."""
    value: Any = inputs
    for step in found[1].split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return "" if value is None else text_of(value)


def recorded() -> dict[str, Echoes]:
    """Returns what promptfoo did."""
    found = json.loads(RECORDED.read_text())
    return {name: [(text, passed) for text, passed in echoes] for name, echoes in found.items()}
