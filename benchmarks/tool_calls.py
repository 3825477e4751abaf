"""How right and wrong tool calls of the Berkeley Function-Calling Leaderboard are scored: ``python -m
benchmarks.tool_calls FOLDER``.

FOLDER holds the leaderboard's ``possible_answer/*.json``: for each argument the accepted values, and "" if it may be
left out. From each answer it makes right calls (the first values, other ones, all legal omissions, another order) and
wrong ones (another tool, a call or argument too many or too few, a wrong value). It prints how many are scored as they
should.
"""

import argparse
import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pydantic import JsonValue

from evaluators.tool_calls import ToolCalls
from schemas.testsets import TestCase

FILES = (
    "simple_python multiple parallel parallel_multiple live_simple live_multiple live_parallel live_parallel_multiple"
)
HALF = 0.5
Calls = list[tuple[str, dict[str, JsonValue]]]


def expected_value(value):
    """Returns the leaderboard's accepted values in our form, also inside maps."""
    if isinstance(value, dict):
        return {key: accepted(inner) if isinstance(inner, list) else inner for key, inner in value.items()}
    return [expected_value(inner) for inner in value] if isinstance(value, list) else value


def accepted(values):
    """Returns ``{"any_of": …, "optional": …}``. An argument without any value may only be left out."""
    return {
        "any_of": [expected_value(value) for value in values if value != ""] or [""],
        "optional": "" in values or not values,
    }


def concrete(value, draw: random.Random | None):
    """Returns one right value: the first one without ``draw``. With it, half of what may be left out is."""
    if isinstance(value, list):
        return [concrete(inner, draw) for inner in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for key, inner in value.items():
        if not isinstance(inner, list):
            kept[key] = inner
        elif any(one != "" for one in inner) and not (draw and "" in inner and draw.random() < HALF):
            kept[key] = chosen(inner, draw)
    return kept


def chosen(values, draw: random.Random | None):
    """Returns one of the accepted values."""
    given = [value for value in values if value != ""]
    return concrete(draw.choice(given) if draw else given[0], draw)


def calls_of(answer, draw: random.Random | None, *, omit: bool) -> Calls:
    """Returns right calls. ``omit``: without every argument that may be left out."""
    return [
        (
            name,
            {
                key: chosen(values, draw)
                for key, values in arguments.items()
                if any(value != "" for value in values) and not (omit and "" in values)
            },
        )
        for call in answer
        for name, arguments in call.items()
    ]


def variants(answer, draw: random.Random) -> Iterator[tuple[str, Calls, bool]]:
    """Yields calls, and whether they are right."""
    first = calls_of(answer, None, omit=False)
    (name, arguments), *others = first
    yield "first values", first, True
    yield "other values", calls_of(answer, draw, omit=False), True
    yield "legal omissions", calls_of(answer, None, omit=True), True
    yield "another order", draw.sample(first, len(first)), True
    yield "another tool", [(f"{name}x", arguments), *others], False
    yield "a call missing", others, False
    yield "a call too many", [*first, ("other", {})], False
    yield "an argument too many", [(name, {**arguments, "zzz": 1}), *others], False
    needed = [key for key in arguments if "" not in answer[0][name][key]]
    if needed:
        yield "an argument missing", [(name, {k: v for k, v in arguments.items() if k != needed[0]}), *others], False
        yield "a wrong value", [(name, {**arguments, needed[0]: "qqq zzz"}), *others], False


async def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    evaluator, scored, right = ToolCalls(), Counter[str](), Counter[str]()

    async def no_judge(*_: object):
        raise AssertionError("no judge is asked")

    for path in sorted(folder.glob("*.json")):
        if not path.stem.endswith(tuple(FILES.split())):
            continue
        for line in filter(None, path.read_text().splitlines()):
            row = json.loads(line)
            answer = row["ground_truth"]
            expected = [
                {"name": name, "arguments": {key: accepted(values) for key, values in arguments.items()}}
                for call in answer
                for name, arguments in call.items()
            ]
            case = TestCase(id=row["id"], inputs={}, expected={"tool_calls": expected})
            for kind, calls, is_right in variants(answer, random.Random(row["id"])):
                written = json.dumps([{"name": name, "arguments": arguments} for name, arguments in calls])
                scored[kind] += 1
                right[kind] += (await evaluator.score(case, written, no_judge))[0].value == is_right
    for kind, number in scored.items():
        print(f"{kind:20} {right[kind]:6,} of {number:,} scored as they should")


if __name__ == "__main__":
    asyncio.run(main())
