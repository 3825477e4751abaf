"""Pairs of assertions and outputs, what promptfoo says about them, and what we say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from engine.readers.assertions import Given, read_assertions
from engine.readers.bounded import Source
from evaluators.assertions import result_of
from schemas.values import digest_of

HERE = Path(__file__).parent
ANSWERS = HERE / "answers.json"
VARIABLES = {"city": "Paris", "n": 3}

Answer = list[Any] | None
"""Whether it passes, and its score; ``None``: it can't be evaluated."""


class Pair(NamedTuple):
    """The assertions of a test and one output."""

    group: str
    test: dict[str, Any]
    output: str
    why: str | None
    """Why we may say something else."""


def pairs() -> Iterator[Pair]:
    """Yields all pairs of pairs.yaml."""
    for name, group in yaml.safe_load((HERE / "pairs.yaml").read_text()).items():
        for test in [*group.get("tests", []), *({"assert": [one]} for one in group.get("assertions", []))]:
            asserted = [{key: value for key, value in one.items() if key != "why"} for one in test["assert"]]
            why = group.get("why") or test["assert"][0].get("why")
            for output in group["outputs"]:
                yield Pair(name, {**test, "assert": asserted, "vars": VARIABLES}, output, why)


def written(asked: Sequence[Pair], answers: Sequence[Answer]) -> dict[str, str]:
    """Returns the answers as they are kept, by group; ``pairs`` is a digest of what was asked."""
    groups: dict[str, list[str]] = {}
    for pair, answer in zip(asked, answers, strict=True):
        said = "error" if answer is None else f"{'+' if answer[0] else '-'}{answer[1]:g}"
        groups.setdefault(pair.group, []).append(said)
    kept = {group: " ".join(said) for group, said in groups.items()}
    return {"pairs": digest_of([[pair.test, pair.output] for pair in asked]), **kept}


def ours(pair: Pair) -> Answer:
    """Returns our answer, by the same readers as those of a test set."""
    source = Source("t.yaml", "")
    found = read_assertions(source, [Given(one, source) for one in pair.test["assert"]], pair.test["vars"])
    if found.left_out:
        return None
    result = result_of(found.assertions, pair.test.get("threshold"), pair.output)
    return [result.passed, result.score]
