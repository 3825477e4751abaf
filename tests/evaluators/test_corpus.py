"""Decided answers, made by hand: what a person reads in each, and whether it is bare.

A wrong acceptance is an answer that counts as right although a person reads something else, or nothing.
"""

import asyncio
import json
from collections import Counter
from pathlib import Path

from evaluators.labels import LabelReader
from evaluators.registry import evaluator_for
from schemas.config import LineageConfig
from schemas.outcomes import Completion, Finish
from schemas.testsets import TestCase

FOLDER = Path(__file__).parent / "corpus"
LABELS = [json.loads(line) for line in (FOLDER / "labels.jsonl").read_text().splitlines()]
OUTPUTS = [json.loads(line) for line in (FOLDER / "outputs.jsonl").read_text().splitlines()]
SETS = json.loads((FOLDER / "label_sets.json").read_text())
LENIENT = 0.02
"""Largest share of wrong acceptances without strict mode."""
WRONG_LABELS = {"billing\n\nUser: I want refunds\nAssistant: refunds", "Is billing", "E.g. billing"}
MISSED_LABELS = {
    "This is not about billing; it is about refunds.",
    "refunds (not billing)",
    "It isn't refunds, it's billing",
    "billing? No. refunds.",
    "\\boxed{C}",
    "Option: A",
    "B) because it fits",
    "Without a doubt, yes.",
    "That sounds like billing to me.",
    '{"positive": 0, "negative": 1, "neutral": 0}',
    '{"tool": "classify", "arguments": {"label": "billing"}}',
}
"""By design: a negation or several labels in free text are no label. Single letters are looked for nowhere, 0 and 1 may be
counts, and an object inside an object needs a key that announces an answer."""


def scored(lineage, expected, text, metric, inputs=None):
    evaluator = evaluator_for(LineageConfig.model_validate({"prompt": "p", **lineage}), None, None, None)
    completion = Completion(text=text, finish=Finish.STOP, usage=None, model="m", latency_s=0)
    case = TestCase(id="c", inputs=inputs or {"input": "x"}, expected=expected)
    scores = asyncio.run(evaluator.score(case, completion, ask=None, repetition=0))
    return next(score.value for score in scores if score.metric == metric)


def label_score(row, *, strict):
    """The score of a text, with the label that it seems to name as the expected one."""
    labels = SETS[row["labels"]]
    reading = LabelReader(labels).read_one(row["text"])
    if reading.labels is None:
        return None, 0
    lineage = {"use_case": "classification", "labels": labels, "output": {"strict": strict}}
    return reading.labels[0], scored(lineage, reading.labels[0], row["text"], "label")


def test_texts_of_labels():
    assert len(LABELS) >= 200
    found = {row["text"]: (row, *label_score(row, strict=True)) for row in LABELS}
    strict = [
        text for text, (row, label, value) in found.items() if value and not (row.get("bare") and label == row["label"])
    ]
    assert strict == []
    assert all(value == 1 for row, _, value in found.values() if row.get("bare"))
    wrong = {text for text, (row, label, _) in found.items() if label is not None and label != row["label"]}
    missed = {text for text, (row, label, _) in found.items() if label is None and row["label"] is not None}
    assert (wrong, missed) == (WRONG_LABELS, MISSED_LABELS)
    assert len(wrong) <= LENIENT * len(LABELS)


def output_score(row, *, strict):
    lineage = {"use_case": "extraction", "fields": {"v": row["rule"]}, "output": {"strict": strict}}
    return scored(lineage, {"v": row["expected"]}, row["output"], "fields", {"input": "By Ann, for Bob"})


def test_outputs_of_all_kinds():
    assert len(OUTPUTS) >= 100
    kinds = Counter(row["rule"]["kind"] for row in OUTPUTS)
    assert len(kinds) == 13
    for strict in (True, False):
        results = [(row, output_score(row, strict=strict) == 1) for row in OUTPUTS]
        wrong = [row for row, right in results if right and (not row["right"] or (strict and row["form"] != "bare"))]
        missed = [row for row, right in results if not right and row["right"] and (row["form"] == "bare" or not strict)]
        assert (wrong, missed) == ([], [])
