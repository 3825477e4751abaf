"""Reads the decision from an output by the prompt's output contract, so that the output itself needn't be kept."""

from __future__ import annotations

from evaluators.json_answers import read_object
from evaluators.label_rules import LabelRules
from schemas.config import LineageConfig
from schemas.errors import ConfigError
from schemas.use_cases import UseCase

UNREADABLE = "(unreadable)"
"""The decision of an output from which nothing can be read."""
LONGEST_OUTPUT = 20_000
"""Characters that are read. A label stands in the first of them."""


class DecisionReader:
    """Reads labels of a classification, or which fields an extraction found. Other prompts decide nothing."""

    def __init__(self, lineage: LineageConfig) -> None:
        """Raises ConfigError for labels that contradict each other."""
        self._lineage = lineage
        self.reads = lineage.use_case in (UseCase.CLASSIFICATION, UseCase.EXTRACTION)
        self._labels = LabelRules.of(lineage).reader() if lineage.use_case == UseCase.CLASSIFICATION else None

    def read(self, output: str) -> str:
        """Returns configured names only, never a text of the output: it may hold personal data."""
        text = output[:LONGEST_OUTPUT]
        if self._labels is None:
            return self._fields(text)
        reading = self._labels.read_several(text) if self._lineage.multi_label else self._labels.read_one(text)
        return UNREADABLE if reading.labels is None else ", ".join(sorted(reading.labels)) or "(none)"

    def _fields(self, text: str) -> str:
        reading = read_object(text)
        if not reading.found or not isinstance(reading.value, dict):
            return UNREADABLE
        names = sorted({name.partition(".")[0] for name in self._lineage.fields})
        found = [name for name in names if reading.value.get(name) not in (None, "", [], {})]
        return ", ".join(found) or "(none)"


def reader_of(lineage: LineageConfig) -> DecisionReader | None:
    """Returns the reader of a prompt that decides something; ``None`` for others and for a wrong configuration."""
    try:
        reader = DecisionReader(lineage)
    except ConfigError:
        return None
    return reader if reader.reads else None
