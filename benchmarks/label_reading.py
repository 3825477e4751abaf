"""Measures the CPU time of reading a label from 16 kB with 300 labels: the median of several runs, by kind of text.

    python -m benchmarks.label_reading

Exit code 1 if one kind takes 5 ms or more. Run it on an idle machine.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

from evaluators.labels import LabelReader, LabelReading

CHARACTERS = 16_384
LIMIT_MS = 5.0
RUNS = 15
LABELS = (*(f"topic {number}" for number in range(150)), *(f"team_{number}_support" for number in range(150)))
SENTENCE = "The customer writes that the invoice is wrong and asks for help. "
TEXTS = {
    "prose without a label": SENTENCE,
    "prose, then a label": SENTENCE,
    "words that begin labels": "topic team support ",
    "parts of labels": "topic 5x team_7_suppor ",
    "one label, again and again": "topic 5 ",
    "all labels, one a line": "".join(f"{label}\n" for label in LABELS),
    "all labels, with commas": "".join(f"{label}, " for label in LABELS),
    "lines with a key": "Category: something\n",
    "lines that state a label": "Label: topic 5\n",
    "a sentence that states": "The label is topic 5. ",
    "doubts": "It could be topic 5. ",
    "denials": "not ",
    "short words": "a ",
    "one word": "a",
    "colons": ": ",
    "half a statement": "label is ",
    "emoji": "😊 ",
    "accents": "é à ü ",
    "Chinese": "客户写道发票有误",
    "quotes": '"',
    "tags": "<a>",
    "struck": "~~a",
    "braces": "{",
    "empty objects": "{}",
    "lists in lists": "[[]",
    "objects": '{"a": 1} ',
    "numbers": "5 -5 .5 ",
    "tables": "| topic | 5 |\n",
    "boxes": "- [ ] topic 5\n",
}


def milliseconds(read: Callable[[str], LabelReading], text: str) -> float:
    """Returns the median CPU time of a reading."""
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        read(text)
        times.append(time.process_time() - start)
    return 1000 * statistics.median(times)


def main() -> int:
    """Prints a line for each kind of text, and returns the exit code."""
    reader = LabelReader(LABELS)
    slowest = 0.0
    print(f"{'kind of text':30}{'one label':>12}{'several':>12}  (ms)")
    for kind, part in TEXTS.items():
        text = (part * (CHARACTERS // len(part) + 1))[:CHARACTERS]
        if kind == "prose, then a label":
            text = f"{text[:-20]}\n\nLabel: topic 77"
        times = [milliseconds(read, text) for read in (reader.read_one, reader.read_several)]
        slowest = max(slowest, *times)
        print(f"{kind:30}{times[0]:12.2f}{times[1]:12.2f}")
    print(f"slowest: {slowest:.2f} ms, limit: {LIMIT_MS} ms")
    return int(slowest >= LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main())
