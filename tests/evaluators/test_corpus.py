"""Decided answers, made by hand: what a person reads in each, and whether it is bare.

A wrong acceptance is an answer that counts as right although a person reads something else, or nothing.
"""

import asyncio
import json
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from evaluators.check_rules import is_refusal
from evaluators.labels import LabelReader
from evaluators.registry import evaluator_for
from schemas.config import LineageConfig
from schemas.outcomes import Completion, Finish
from schemas.testsets import TestCase

FOLDER = Path(__file__).parent / "corpus"
LABELS = [json.loads(line) for line in (FOLDER / "labels.jsonl").read_text().splitlines()]
OUTPUTS = [json.loads(line) for line in (FOLDER / "outputs.jsonl").read_text().splitlines()]
REFUSALS = [json.loads(line) for line in (FOLDER / "refusals.jsonl").read_text().splitlines()]
SETS = json.loads((FOLDER / "label_sets.json").read_text())
READERS = {name: LabelReader(labels) for name, labels in SETS.items()}
LENIENT = 0.02
"""Largest share of wrong acceptances without strict mode."""


@cache
def evaluator_of(lineage):
    return evaluator_for(LineageConfig.model_validate({"prompt": "p", **json.loads(lineage)}), None, None, None)


def scored(lineage, expected, text, metric, inputs=None):
    evaluator = evaluator_of(json.dumps(lineage))
    completion = Completion(text=text, finish=Finish.STOP, usage=None, model="m", latency_s=0)
    case = TestCase(id="c", inputs=inputs or {"input": "x"}, expected=expected)
    scores = asyncio.run(evaluator.score(case, completion, ask=None, repetition=0))
    return next(score.value for score in scores if score.metric == metric)


def label_score(row, *, strict):
    """The score of a text, with the label that it seems to name as the expected one."""
    labels = SETS[row["labels"]]
    reading = READERS[row["labels"]].read_one(row["text"])
    if reading.labels is None:
        return None, 0
    lineage = {"use_case": "classification", "labels": labels, "output": {"strict": strict}}
    return reading.labels[0], scored(lineage, reading.labels[0], row["text"], "label")


def test_texts_of_labels():
    """Rows with `misread` name the wrong acceptances. Rows with `unread` are clear to people, but not read: corrections,
    numbers in prose and rare forms."""
    found = [(row, *label_score(row, strict=True)) for row in LABELS]
    strict = [row for row, label, value in found if value and not (row.get("bare") and label == row["label"])]
    assert strict == []
    assert all(value == 1 for row, _, value in found if row.get("bare"))
    wrong = [row for row, label, _ in found if label is not None and label != row["label"]]
    missed = [row for row, label, _ in found if label is None and row["label"] is not None]
    assert wrong == [row for row in LABELS if row.get("misread")]
    assert missed == [row for row in LABELS if row.get("unread")]
    assert len(wrong) <= LENIENT * len(LABELS)


@pytest.mark.parametrize(
    ("kind", "least"), [("plain", 1), ("decorated", 0.95), ("reasoning", 0.95), ("sentence", 0.85)]
)
def test_clear_texts_are_read(kind, least):
    rows = [row for row in LABELS if row.get("kind") == kind]
    assert sum(not row.get("unread") for row in rows) >= least * len(rows)


def test_refusals_of_four_languages_are_told_from_other_answers():
    assert len(REFUSALS) >= 150
    refuses = is_refusal.build(True, "here")
    assert [row for row in REFUSALS if (refuses(row["text"]) == "") is not row["refusal"]] == []


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
