"""The output contract of a lineage: what an answer must look like, and what had to be removed to read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evaluators.json_answers import read_json, read_object
from evaluators.json_schema import schema_check
from evaluators.label_rules import LabelRules
from evaluators.text import without_fence, without_reasoning
from schemas.config import LineageConfig
from schemas.errors import ConfigError
from schemas.output_config import OutputConfig, OutputFormat, Repair
from schemas.use_cases import UseCase
from schemas.values import digest_of

FORMATS = {UseCase.CLASSIFICATION: OutputFormat.LABEL, UseCase.EXTRACTION: OutputFormat.JSON}
"""The default format of a use case; ``text`` for all others."""
NAMES = {
    Repair.FENCE: "a code fence",
    Repair.PROSE: "words or marks around it",
    Repair.REASONING: "a reasoning block",
}
LENIENT = OutputConfig(strict=False)
"""The contract of a lineage without ``output:``."""


@dataclass(frozen=True, slots=True)
class Conformance:
    """What is wrong with the form of one answer."""

    repairs: frozenset[Repair] = frozenset()
    """What had to be removed to read it, other than what the contract allows."""
    problem: str = ""
    """Why it can't be read at all, or how its JSON breaks the schema."""


class OutputContract:
    """Reads answers by the lineage's ``output:``. Raises ConfigError for settings that contradict the lineage."""

    def __init__(self, lineage: LineageConfig) -> None:
        self.config = lineage.output or LENIENT
        self.format = self.config.format or format_of(lineage.use_case)
        if problem := contract_mistake(lineage):
            raise ConfigError(problem[0], where="output", hint=problem[1])
        self._several = lineage.multi_label
        self._labels = LabelRules.of(lineage).reader() if self.format is OutputFormat.LABEL else None
        schema = self.config.json_schema
        self._schema: Callable[[str], str] | None = None if schema is None else schema_check(schema, "output.schema")

    @property
    def version(self) -> str:
        """The version of the algorithm and a digest of the settings."""
        return f"output-4-{digest_of([self.config.model_dump(mode='json'), self.format])[:16]}"

    def read(self, text: str) -> Conformance:
        """Returns what is wrong with the whole ``text`` of an answer, including its reasoning."""
        body = without_reasoning(text)
        repairs = {Repair.REASONING} if body != text else set()
        inside = without_fence(body)
        if inside != body.strip():
            repairs.add(Repair.FENCE)
        # Other blanks, such as a form feed, are none in JSON, and its parsers fail.
        if self.format is OutputFormat.JSON and body.strip(" \t\r\n") != body.strip():
            repairs.add(Repair.PROSE)
        if not inside:
            return Conformance(problem="empty")
        problem = ""
        if self.format is OutputFormat.JSON:
            problem = self._json(inside, repairs)
        elif self._labels is not None and not self._labels.set.is_plain(inside, several=self._several):
            repairs.add(Repair.PROSE)
            reading = self._labels.read_several(inside) if self._several else self._labels.read_one(inside)
            problem = reading.problem
        return Conformance(frozenset(repairs - set(self.config.allow)), problem)

    def problem(self, text: str) -> str:
        """Returns how an answer breaks the contract; empty if it keeps it. Lenient contracts forgive repairs."""
        found = self.read(text)
        if found.problem or not (self.config.strict and found.repairs):
            return found.problem
        named = " and ".join(NAMES[repair] for repair in sorted(found.repairs))
        return f"not bare {self.format}: {named}"

    def _json(self, inside: str, repairs: set[Repair]) -> str:
        reading = read_json(inside)
        if not reading.found:
            reading = read_object(inside)
            if not reading.found:
                return reading.problem
            repairs |= {Repair.FENCE, Repair.PROSE} if "```" in inside else {Repair.PROSE}
        return self._schema(inside) if self._schema else ""


def format_of(use_case: str) -> OutputFormat:
    """Returns the default format of a use case."""
    return FORMATS.get(UseCase(use_case), OutputFormat.TEXT) if use_case in set(UseCase) else OutputFormat.TEXT


def contract_mistake(lineage: LineageConfig) -> tuple[str, str] | None:
    """Returns what contradicts itself in ``output:``, and the fix."""
    if lineage.output is None:
        return None
    wanted = lineage.output.format or format_of(lineage.use_case)
    if wanted is OutputFormat.LABEL and lineage.use_case != UseCase.CLASSIFICATION:
        return f"format: label is for classification, but this is {lineage.use_case}", "format: json or format: text"
    if lineage.use_case == UseCase.EXTRACTION and wanted is not OutputFormat.JSON:
        return "an extraction reads fields from JSON", "format: json, or remove it"
    if lineage.output.json_schema is not None and wanted is not OutputFormat.JSON:
        return f"schema is for JSON, but the format is {wanted}", "format: json, or remove the schema"
    if Repair.PROSE in lineage.output.allow and wanted is OutputFormat.TEXT:
        return "any words are part of a text, so there is no prose to allow", "remove prose from allow"
    return None
