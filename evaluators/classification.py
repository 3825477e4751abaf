"""Scores classification: whether the answer names the expected label or labels."""

from __future__ import annotations

import json
from typing import ClassVar

from pydantic import JsonValue

from evaluators.label_rules import LabelRules
from evaluators.labels import LabelReading
from evaluators.matching import set_f1
from evaluators.parts import EvaluatorSources, MetricGroup, Scores, finding
from evaluators.text import contains, shown
from schemas.outcomes import MetricSpec, Score
from schemas.ports import Ask
from schemas.prompts import Finding
from schemas.testsets import TestCase
from schemas.values import digest_of

METRIC = "label"
DECIDED = "decided"


def part(sources: EvaluatorSources) -> MetricGroup:
    """Returns the evaluator of the lineage's labels. Raises ConfigError."""
    return Classification(LabelRules.of(sources.lineage))


class Classification:
    """The metric ``label``: 1 for the expected label, else 0, or less than 1 for a near or a cheap mistake.

    With several labels, the F1 of the set. With deferrals, also ``decided``: the share of answers that choose a label.
    """

    asks: ClassVar = False
    ignores_case: ClassVar = False

    def __init__(self, rules: LabelRules) -> None:
        self.rules = rules
        self._reader = rules.reader()

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """The score of the label, and whether there is one."""
        # More decisions are neither better nor worse: it depends on whether they are right.
        decided = (MetricSpec(name=DECIDED, gates=False),) if self.rules.defer else ()
        return (MetricSpec(name=METRIC), *decided)

    @property
    def version(self) -> str:
        """The version number of the algorithm and a digest of the labels."""
        rules = self.rules
        settings = [rules.labels, rules.several, rules.aliases, rules.defer, rules.ordinal, rules.costs]
        return f"classification-6-{digest_of(settings)[:16]}"

    def problem(self, case: TestCase) -> Finding | None:
        """Returns a Finding if the case expects nothing and forbids nothing, or expects a label outside the set."""
        if case.expected is None:
            if case.forbids:
                return None
            return finding(case, "it expects no label", "give it `expected`, or `must_not` if it is an attack")
        texts = self._expected_texts(case.expected)
        if texts is None:
            shape = "a label or a list of labels" if self.rules.several else "one label"
            return finding(case, f"expected is not {shape}", f"write {shape} of the lineage's set")
        for text in texts:
            label = self._reader.set.exactly(text)
            if label is not None and (forbidden := self._forbidden(case, label)):
                what = f"must_not forbids “{shown(forbidden, 40)}”, which the expected label contains"
                return finding(case, what, "no answer can be right; change one of the two")
            if label is None:
                known = ", ".join(self.rules.names[:8]) + (", …" if len(self.rules.names) > 8 else "")
                return finding(case, f"the label “{shown(text, 40)}” is not in the set", f"the labels are {known}")
        return None

    def _forbidden(self, case: TestCase, label: str) -> str | None:
        """Returns a text of ``must_not`` that every spelling of a label contains, or ``None``."""
        spellings = (label, *self.rules.aliases.get(label, ()))
        texts = (one for one in case.must_not if isinstance(one, str) and one.strip())
        return next((one for one in texts if all(contains(spelling, one) for spelling in spellings)), None)

    def expected_labels(self, expected: JsonValue) -> frozenset[str]:
        """Returns the expected labels in the configuration's spelling. Leaves out labels outside the set."""
        labels = (self._reader.set.exactly(text) for text in self._expected_texts(expected) or ())
        return frozenset(label for label in labels if label is not None)

    def _expected_texts(self, expected: JsonValue) -> list[str] | None:
        if isinstance(expected, dict) and len(expected) == 1 and next(iter(expected)) in ("label", "labels"):
            expected = next(iter(expected.values()))
        if isinstance(expected, list):
            texts = [_as_text(item) for item in expected]
            known = [text for text in texts if text is not None]
            return known if self.rules.several and len(known) == len(texts) else None
        text = _as_text(expected)
        return None if text is None else [text]

    async def score(self, case: TestCase, output: str, ask: Ask) -> Scores:  # noqa: ARG002 - needs no judge
        """Returns the scores. The ``answer`` of the first holds the labels that were read, or ``None``."""
        reading = self._reader.read_several(output) if self.rules.several else self._reader.read_one(output)
        score = self._score(case, reading)
        if not self.rules.defer:
            return (score,)
        defers = frozenset(self.rules.defer)
        chosen = set(reading.labels or ()) - defers
        decided = bool(chosen) or (case.expected is not None and self.expected_labels(case.expected) <= defers)
        return (score, Score(metric=DECIDED, value=float(decided), reason="" if decided else "no label was chosen"))

    def _score(self, case: TestCase, reading: LabelReading) -> Score:
        answer = None if reading.labels is None else ", ".join(reading.labels)
        if reading.labels is None:
            return Score(metric=METRIC, value=0, reason=reading.problem)
        if case.expected is None:
            return Score(metric=METRIC, value=1, reason="nothing forbidden in the answer", answer=answer)
        expected = self.expected_labels(case.expected)
        if not self.rules.several:
            wanted, said = next(iter(expected)), reading.labels[0]
            reason = "" if said == wanted else f"expected {wanted}, said {said}"
            return Score(metric=METRIC, value=self.rules.score(wanted, said), reason=reason, answer=answer)
        given = set(reading.labels)
        # Labels outside the set count as given, so listing everything doesn't pay.
        value = set_f1(len(given & expected), len(expected), len(given) + len(reading.strangers))
        parts = [
            ("missing", expected - given),
            ("not expected", given - expected),
            ("not in the set", reading.strangers),
        ]
        reason = "; ".join(f"{what}: {shown(', '.join(sorted(names)))}" for what, names in parts if names)
        return Score(metric=METRIC, value=value, reason=reason, answer=answer)


def _as_text(value: JsonValue) -> str | None:
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool | int | float) else None
