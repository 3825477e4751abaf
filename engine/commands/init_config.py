"""Writes the configuration that ``promptverdict init`` proposes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from engine.commands.init_pairing import ProposedLineage
from engine.render.figures import plural
from schemas.gate_config import GateConfig
from schemas.margins import OVERALL, SLICE
from schemas.references import PromptParts
from schemas.use_cases import UseCase


def gate_example() -> str:
    """Returns the line that shows the gate's defaults as a configuration would write them."""
    margin = f"{{overall: {OVERALL:.2f}, slice: {SLICE:.2f}}}"
    return f"gate: {{margin: {margin}, adversarial: guard, max_cost_increase: {GateConfig().max_cost_increase}}}"


MOST_DRAFTS = 3
"""Most lineages that are written as drafts."""


def drafts_of(lineages: Sequence[ProposedLineage]) -> list[ProposedLineage]:
    """Returns the lineages that are written as drafts: those that gate nothing, with cases first."""
    return sorted((lineage for lineage in lineages if not lineage.gates), key=lambda one: not one.cases)[:MOST_DRAFTS]


def configuration_text(lineages: Sequence[ProposedLineage], models: Mapping[str, Sequence[str]]) -> str:
    """Returns the commented ``promptverdict.yaml``. Every scalar from the repository is quoted as JSON.

    ``models`` has the YAML lines of each entry under ``models:``, the default first.
    """
    model = next(iter(models))
    gating = [lineage for lineage in lineages if lineage.gates]
    lines = [
        "# yaml-language-server: $schema=promptverdict.schema.json",
        "# (made by: promptverdict schema config > promptverdict.schema.json)",
        "# The rules for pull requests. Read from the base branch, so no pull request can loosen its own gate.",
        "version: 1",
        "",
        "models:",
        *(line for name, own in models.items() for line in (f"  {quoted(name)}:", *(f"    {each}" for each in own))),
        "",
        f"defaults: {{model: {quoted(model)}}}",
        "budget: {per_run_usd: 2.00}   # a hard cap for one pull request",
        "mode: inform                  # shows verdicts without blocking; change it to enforce later",
        "",
        "lineages:" if gating else "lineages: {}   # remove the braces when you add one",
    ]
    for lineage in gating:
        lines += [f"  {line}" for line in _lineage_lines(lineage)]
    drafts = drafts_of(lineages)
    if drafts:
        lines += ["", *(f"  # {line.replace('MODEL', model)}" for line in _DRAFTS)]
    for lineage in drafts:
        lines += [f"  # {line}" for line in _lineage_lines(lineage)]
    if more := len(lineages) - len(gating) - len(drafts):
        lines.append(f"  # … and {more} more prompts")
    return "\n".join(lines) + "\n"


def _lineage_lines(lineage: ProposedLineage) -> Iterator[str]:
    yield f"{lineage.name}:  # {_comment(lineage.why)}"
    yield f"  use_case: {lineage.use_case}"
    yield f"  prompt: {written_prompt(lineage.prompt)}"
    if lineage.tests:
        yield f"  tests: {quoted(lineage.tests)}  # {plural(lineage.cases, 'case')}"
    elif lineage.starter:
        yield f"  tests: {quoted(lineage.starter)}  # a draft that init wrote: correct and complete it first"
    elif not lineage.cases:
        row = json.dumps({"input": dict.fromkeys(lineage.inputs, "…"), "expected": "…"}, ensure_ascii=False)
        yield f"  tests: path/to/cases.jsonl  # one case a line: {_comment(row)}"
    if lineage.runs_on:
        yield f"  model: {quoted(lineage.runs_on)}{_instead_of(lineage)}"
    if lineage.columns:
        yield f"  columns: {json.dumps(lineage.columns.model_dump(exclude_defaults=True), ensure_ascii=False)}"
    yield from _answer_lines(lineage)
    yield from _scored_by(lineage)
    if lineage.gates:
        yield f"  # {gate_example()}"


def _instead_of(lineage: ProposedLineage) -> str:
    """Returns why a lineage doesn't run on the model that its file names."""
    if not lineage.says_model or lineage.model is None:
        return ""
    return f"  # its file names {_comment(lineage.model)}, whose provider is unknown here"


def _answer_lines(lineage: ProposedLineage) -> Iterator[str]:
    if lineage.labels:
        yield f"  labels: [{', '.join(quoted(label) for label in lineage.labels)}]"
    if lineage.fields:
        yield "  fields:"
        yield from (f"    {quoted(name)}: {{kind: {rule.kind}}}" for name, rule in lineage.fields.items())
    if lineage.labels or lineage.fields:
        yield "  output: {strict: true}  # a wrapped answer fails; false: it is repaired and counted"


def _scored_by(lineage: ProposedLineage) -> Iterator[str]:
    if lineage.use_case == UseCase.GENERATION and lineage.scored:
        yield "  # scored by the prompt's own evaluators"
    elif lineage.use_case == UseCase.GENERATION and lineage.asserted:
        yield "  # scored by the assertions of the cases"


def written_prompt(prompt: str | PromptParts) -> str:
    """Returns a prompt's place, or the map of its parts, as YAML."""
    if isinstance(prompt, str):
        return quoted(prompt)
    return json.dumps(prompt.model_dump(exclude_none=True), ensure_ascii=False)


def _comment(text: str) -> str:
    """Returns text from the repository on one line, safe for a YAML comment."""
    return "".join(character if character.isprintable() else "�" for character in text)


def quoted(text: str) -> str:
    """Returns a text as YAML, in quotes where it needs them."""
    return (
        text
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_./-]*", text) and text.lower() not in _YAML_WORDS
        else json.dumps(text)
    )


_DRAFTS = (
    "Drafts, which gate nothing. To use one, complete it and remove the first # of its lines.",
    "It needs test cases. Generated text also needs a judge or rules, which say what is right:",
    "  rubric: path/to/rubric.yaml   # what a judge looks for (see: promptverdict schema rubric)",
    "  judge: {model: MODEL, labels: path/to/labels.jsonl}   # people's grades of at least 30 answers",
    "  checks: [{name: signed, contains: Kind regards}]   # what every answer must contain",
)
_YAML_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
