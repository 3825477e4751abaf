"""Scores a million random outputs with every evaluator. None may raise, leave 0 to 1, or take long.

    python -m benchmarks.evaluators_fuzz [--outputs 1000000] [--seed 1]

Each output goes to the next of the evaluators that tests/evaluators/test_no_output_raises.py builds, and to the reader
of a judge's reply. One in a hundred has 16 kB. Times above half of the limit are
measured again, as CPU. Exit code 1 if anything raised, or left 0 to 1.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from typing import Any

from evaluators.generation import read_grades
from evaluators.labels import LabelReader
from schemas.outcomes import Completion, EvaluatorFailure, Finish
from tests.evaluators.test_no_output_raises import EVALUATORS, nobody

LONG = 16_384
LIMIT_S = 0.05
WORDS = (
    *(
        "{",
        "}",
        "[",
        "]",
        '"',
        ":",
        ",",
        "'",
        "\\",
        "/",
        "\n",
        " ",
        "\r\n",
        "\t",
        "-",
        "=",
        "*",
        "_",
        "`",
        "~~",
        "?",
        "!",
        ".",
    ),
    *(
        "#",
        "<",
        ">",
        "```json\n",
        "```",
        "<think>",
        "</think>",
        "<label>",
        "</label>",
        "<s>",
        "</s>",
        "- [x] ",
        "\\ud83d",
    ),
    *(
        "\\uDE00",
        "\ud83d",
        "\udfff",
        "\x00",
        "\u202e",
        "\u200b",
        "🙂",
        "ﬀ",
        "İ",
        "\u0345",
        "漢",
        "not ",
        "is ",
        "or ",
        "no ",
    ),
    *("Label: ", "final answer: ", "because ", "billing", "refunds", "total", "vendor", "due", "items", "lines", "sku"),
    *("price", "steps", "day", "NaN", "Infinity", "1e999", "null", "true", "false", "1,5", "1.234,56", "(7)", "12%"),
    *("9" * 40, "2026-13-45", "0000-00-00", "3. April 2024", "a@b.example", "P1D", "::1", "%4", "x"),
)
KEYS = (
    "vendor",
    "total",
    "due",
    "german",
    "day",
    "lines",
    "parts",
    "sku",
    "steps",
    "label",
    "confidence",
    "items",
    "\udfff",
)
LABELS = tuple(f"topic {number} of group {number % 7}" for number in range(300))


def output_of(rng: random.Random, number: int) -> str:
    """Returns a text, a JSON value, or one inside the other. Every hundredth is long."""
    if number % 100 == 0:
        unit = "".join(rng.choices(WORDS, k=rng.randint(1, 6)))
        return (unit * (LONG // len(unit) + 1))[:LONG]
    kind = rng.random()
    if kind < 0.4:
        return json.dumps(_value(rng, 4), ensure_ascii=rng.random() < 0.5)
    text = "".join(rng.choices(WORDS, k=rng.randint(0, 25)))
    return text if kind < 0.8 else f"{text}{json.dumps(_value(rng, 3))}{rng.choice(WORDS)}"


def _value(rng: random.Random, depth: int) -> Any:
    kind = rng.randrange(8 if depth else 6)
    if kind == 6:
        return {rng.choice(KEYS): _value(rng, depth - 1) for _ in range(rng.randint(0, 4))}
    if kind == 7:
        return [_value(rng, depth - 1) for _ in range(rng.randint(0, 3))]
    simple = (
        None,
        rng.random() < 0.5,
        rng.randint(-(10**20), 10**20),
        rng.gauss(0, 1e6),
        "".join(rng.choices(WORDS, k=3)),
    )
    return simple[kind] if kind < 5 else rng.choice(WORDS)


def run(outputs: int, seed: int) -> int:
    """Prints what was found and returns the number of defects."""
    rng, counts, slow = random.Random(seed), Counter[str](), Counter[str]()
    slowest: dict[str, float] = {}
    reader = LabelReader(LABELS)
    names = [*(f"evaluator {place}" for place in range(len(EVALUATORS))), "judge's reply", "300 labels"]
    for number in range(outputs):
        # Providers' answers reach the evaluators with a replacement for half a surrogate pair.
        text = output_of(rng, number).encode("utf-8", "replace").decode()
        # Long outputs come at a fixed pace, so the place must not depend on the same divisor.
        place = (number + number // 100) % len(names)
        start = time.perf_counter()
        try:
            found = _problem(place, text, reader)
            spent = time.perf_counter() - start
            # Other work on the machine may have been in between.
            for _ in range(3 if spent > LIMIT_S / 2 else 0):
                start = time.process_time()
                _problem(place, text, reader)
                spent = min(spent, time.process_time() - start)
        except Exception as error:  # noqa: BLE001 - whatever it raises is what we look for
            found, spent = f"raised {type(error).__name__}", 0.0
        counts[found or "fine"] += 1
        slowest[names[place]] = max(slowest.get(names[place], 0.0), spent)
        slow[names[place]] += spent > LIMIT_S
        if found:
            print(f"{names[place]}: {found}: {text[:200]!r}", file=sys.stderr)
        if number % 100_000 == 99_999:
            print(f"{number + 1:,}: {dict(counts)}", flush=True)
    for name in names:
        print(f"{name}: slowest {1000 * slowest.get(name, 0):.1f} ms, {slow[name]} above {1000 * LIMIT_S:.0f} ms")
    return outputs - counts["fine"]


def _problem(place: int, text: str, reader: LabelReader) -> str:
    if place == len(EVALUATORS):
        return "" if read_grades(text, ("kind",)).problem.encode() is not None else "no problem named"
    if place > len(EVALUATORS):
        reading = reader.read_one(text)
        return "" if reading.labels is None or set(reading.labels) <= set(LABELS) else "another label"
    evaluator, case = EVALUATORS[place]
    answer = Completion(text=text, finish=Finish.STOP, usage=None, model="m", latency_s=0)
    # Nothing waits without a judge, so no event loop is needed.
    try:
        evaluator.score(case, answer, ask=nobody, repetition=0).__await__().send(None)
    except StopIteration as done:
        scores = done.value
    for score in scores:
        if isinstance(score, EvaluatorFailure):
            return f"no score: {score.message}"
        if not 0 <= score.value <= 1:
            return f"a score of {score.value}"
        f"{score.reason}{score.answer}".encode()
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.exit(1 if run(options.outputs, options.seed) else 0)


if __name__ == "__main__":
    main()
