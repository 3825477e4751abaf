"""Scores classification: whether the answer names the expected label or labels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

from pydantic import JsonValue

from evaluators.labels import LabelReader, label_key
from evaluators.parts import EvaluatorSources, MetricGroup, Scores, finding
from evaluators.text import shown
from schemas.errors import ConfigError
from schemas.outcomes import MetricSpec, Score
from schemas.ports import Ask
from schemas.prompts import Finding
from schemas.testsets import TestCase
from schemas.values import digest_of

METRIC = "label"


def part(sources: EvaluatorSources) -> MetricGroup:
    """Returns the evaluator of the lineage's labels. Raises ConfigError."""
    return Classification(sources.lineage.labels, several=sources.lineage.multi_label)


class Classification:
    """The metric ``label``: 1 for the expected label, else 0. With several labels, the F1 of the set.

    Raises ConfigError if two labels can't be told apart in an answer.
    """

    asks: ClassVar = False
    ignores_case: ClassVar = False

    def __init__(self, labels: Sequence[str], *, several: bool) -> None:
        _check_labels(labels, several=several)
        self.labels = tuple(labels)
        self.several = several
        self._reader = LabelReader(labels)

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """The only metric."""
        return (MetricSpec(name=METRIC),)

    @property
    def version(self) -> str:
        """The version number of the algorithm and a digest of the labels."""
        return f"classification-2-{digest_of([self.labels, self.several])[:16]}"

    def problem(self, case: TestCase) -> Finding | None:
        """Returns a Finding if the case expects nothing and forbids nothing, or expects a label outside the set."""
        if case.expected is None:
            if case.forbids:
                return None
            return finding(case, "it expects no label", "give it `expected`, or `must_not` if it is an attack")
        texts = self._expected_texts(case.expected)
        if texts is None:
            shape = "a label or a list of labels" if self.several else "one label"
            return finding(case, f"expected is not {shape}", f"write {shape} of the lineage's set")
        for text in texts:
            if self._reader.exactly(text) is None:
                known = ", ".join(self.labels[:8]) + (", …" if len(self.labels) > 8 else "")
                return finding(case, f"the label “{shown(text, 40)}” is not in the set", f"the labels are {known}")
        return None

    def expected_labels(self, expected: JsonValue) -> frozenset[str]:
        """Returns the expected labels in the configuration's spelling. Leaves out labels outside the set."""
        labels = (self._reader.exactly(text) for text in self._expected_texts(expected) or ())
        return frozenset(label for label in labels if label is not None)

    def _expected_texts(self, expected: JsonValue) -> list[str] | None:
        if isinstance(expected, dict) and len(expected) == 1 and next(iter(expected)) in ("label", "labels"):
            expected = next(iter(expected.values()))
        if isinstance(expected, list):
            texts = [_as_text(item) for item in expected]
            known = [text for text in texts if text is not None]
            return known if self.several and len(known) == len(texts) else None
        text = _as_text(expected)
        return None if text is None else [text]

    async def score(self, case: TestCase, output: str, ask: Ask) -> Scores:  # noqa: ARG002 - needs no judge
        """Returns one Score. Its ``answer`` holds the labels that were read, or ``None``."""
        reading = self._reader.read_several(output) if self.several else self._reader.read_one(output)
        answer = None if reading.labels is None else ", ".join(reading.labels)
        if reading.labels is None:
            return (Score(metric=METRIC, value=0, reason=reading.problem),)
        if case.expected is None:
            return (Score(metric=METRIC, value=1, reason="nothing forbidden in the answer", answer=answer),)
        expected = self.expected_labels(case.expected)
        said = answer or "no label at all"
        if not self.several:
            right = set(reading.labels) == expected
            reason = "" if right else f"expected {', '.join(sorted(expected))}, said {said}"
            return (Score(metric=METRIC, value=float(right), reason=reason, answer=answer),)
        given = set(reading.labels)
        # Labels outside the set count as given, so listing everything doesn't pay.
        value = set_f1(len(given & expected), len(expected), len(given) + len(reading.strangers))
        parts = [
            ("missing", expected - given),
            ("not expected", given - expected),
            ("not in the set", reading.strangers),
        ]
        reason = "; ".join(f"{what}: {shown(', '.join(sorted(names)))}" for what, names in parts if names)
        return (Score(metric=METRIC, value=value, reason=reason, answer=answer),)


def set_f1(common: int, expected: int, given: int) -> float:
    """Returns the F1 of two sets from their sizes, 2·common / (expected + given); 1 for two empty sets."""
    return 2 * common / (expected + given) if expected + given else 1.0


def _as_text(value: JsonValue) -> str | None:
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool | int | float) else None


def _check_labels(labels: Sequence[str], *, several: bool) -> None:
    if len(labels) < 2:
        raise ConfigError("a classification needs at least two labels", hint="list them under `labels:`")
    blank = [label for label in labels if not label_key(label)]
    if blank:
        raise ConfigError("a label is blank", hint="give each label a name")
    same = [key for key, count in Counter(map(label_key, labels)).items() if count > 1]
    if same:
        twins = " and ".join(f"“{label}”" for label in labels if label_key(label) == same[0])
        raise ConfigError(
            f"the labels {twins} can't be told apart", hint="case, blanks, dashes and underscores are equal"
        )
    commas = [label for label in labels if several and "," in label]
    if commas:
        raise ConfigError(f"the label “{commas[0]}” holds a comma, which separates several labels", hint="rename it")
