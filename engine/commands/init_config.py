"""Proposes a configuration to a repository that already has prompts and test sets, for ``promptverdict init``."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from pydantic import JsonValue

from schemas.config import FieldKind, FieldRule
from schemas.gate_config import GateConfig
from schemas.margins import OVERALL, SLICE
from schemas.prompts import PromptFile
from schemas.testsets import TestSet
from schemas.use_cases import UseCase
from schemas.values import Value


def gate_example() -> str:
    """Returns the line that shows the gate's defaults as a configuration would write them."""
    margin = f"{{overall: {OVERALL:.2f}, slice: {SLICE:.2f}}}"
    return f"gate: {{margin: {margin}, adversarial: guard, max_cost_increase: {GateConfig().max_cost_increase}}}"


_EVERYWHERE = {"prompt", "prompts", "test", "tests", "txt", "yml", "yaml", "json", "jinja", "system", "user"}
"""Words in paths that don't tell prompts apart."""
MAX_LABELS = 40
"""More distinct expected texts than this are not labels."""


class ProposedLineage(Value):
    """A lineage that ``init`` proposes, and why."""

    name: str
    prompt: str
    tests: str | None
    """``None``: the prompt's inline test data, or no test set was found (then ``cases`` is 0)."""
    cases: int
    use_case: str
    labels: tuple[str, ...] = ()
    fields: dict[str, FieldRule] = {}
    scored: bool = False
    """Whether the prompt file has its own evaluators."""
    model: str | None = None
    """The model that the prompt file names."""
    why: str
    """One sentence: how the test set and the use case were found."""


def propose(
    prompts: Sequence[PromptFile],
    test_sets: Sequence[TestSet],
    variables: Mapping[str, frozenset[str]],
) -> tuple[ProposedLineage, ...]:
    """Pairs every prompt with the test set that fits it best.

    ``variables`` holds the names that each prompt (by path) uses. A test set fits if most of its cases have all of
    them; ``tests lint`` names the others.
    """
    names: Counter[str] = Counter()
    lineages = []
    for prompt in prompts:
        wanted = variables.get(prompt.path, frozenset())
        tests = _best_fit(prompt, wanted, test_sets)
        near = None if tests or prompt.test_data else _near_miss(prompt, wanted, test_sets)
        name = _name_of(prompt.path)
        names[name] += 1
        if names[name] > 1:
            name = f"{name}-{names[name]}"
        lineages.append(_lineage(name, prompt, tests, near))
    return tuple(lineages)


def _lineage(name: str, prompt: PromptFile, tests: TestSet | None, near: str | None) -> ProposedLineage:
    expected: list[JsonValue] = []
    cases, where = 0, near or "no test set was found"
    if tests is not None:
        expected = [case.expected for case in tests.cases]
        cases, where = len(tests.cases), f"the variables are in {tests.path}"
    elif prompt.test_data:
        expected = [row.get("expected") for row in prompt.test_data]
        cases, where = len(prompt.test_data), "the prompt file has its own testData"
    use_case, labels, fields, kind = _use_case(expected)
    return ProposedLineage(
        name=name,
        prompt=prompt.path,
        tests=tests.path if tests else None,
        cases=cases,
        use_case=use_case,
        labels=labels,
        fields=fields,
        scored=bool(prompt.evaluators),
        model=prompt.model,
        why=f"{where}; {kind}" if cases else where,
    )


def _use_case(
    expected: Sequence[JsonValue],
) -> tuple[UseCase, tuple[str, ...], dict[str, FieldRule], str]:
    given = [value for value in expected if value is not None]
    maps = [value for value in given if isinstance(value, dict)]
    if given and len(maps) == len(given):
        return UseCase.EXTRACTION, (), _fields(maps), "the expected values are maps of fields"
    texts = [value for value in given if isinstance(value, str)]
    distinct = Counter(texts)
    if given and len(texts) == len(given) and 2 <= len(distinct) <= min(MAX_LABELS, max(2, len(texts) // 2)):
        return UseCase.CLASSIFICATION, tuple(sorted(distinct)), {}, f"{len(distinct)} distinct expected labels"
    return UseCase.GENERATION, (), {}, "the expected values are free text or absent"


def _fields(maps: Sequence[Mapping[str, JsonValue]]) -> dict[str, FieldRule]:
    rules = {}
    for name in dict.fromkeys(key for row in maps for key in row):
        kinds = {_kind(row[name]) for row in maps if row.get(name) is not None}
        rules[name] = FieldRule(kind=kinds.pop() if len(kinds) == 1 else FieldKind.NORMALISED)
    return rules


def _kind(value: JsonValue) -> FieldKind:
    """Returns the rule that fits a value by itself."""
    match value:
        case bool():
            return FieldKind.NORMALISED
        case int() | float():
            return FieldKind.NUMBER
        case list():
            return FieldKind.SET
        case str() if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            return FieldKind.DATE
    return FieldKind.NORMALISED


def _best_fit(prompt: PromptFile, wanted: frozenset[str], test_sets: Sequence[TestSet]) -> TestSet | None:
    fitting = [
        tests
        for tests in test_sets
        if wanted and 2 * sum(wanted <= case.inputs.keys() for case in tests.cases) > len(tests.cases)
    ]
    return max(fitting, key=lambda tests: _similarity(prompt, tests), default=None)


def _near_miss(prompt: PromptFile, wanted: frozenset[str], test_sets: Sequence[TestSet]) -> str | None:
    """Returns a note about a test set that is named like the prompt but lacks inputs, or ``None``."""
    stems = {part for part in re.split(r"[^a-z0-9]+", prompt.path.lower()) if len(part) > 2} - _EVERYWHERE
    named = [tests for tests in test_sets if tests.cases and stems & set(re.split(r"[^a-z0-9]+", tests.path.lower()))]
    if not wanted or not named:
        return None
    tests = max(named, key=lambda tests: _similarity(prompt, tests))
    given = sorted({key for case in tests.cases for key in case.inputs})[:5]
    return f"most cases of {tests.path} lack the input {', '.join(sorted(wanted))} (they have {', '.join(given)})"


def _similarity(prompt: PromptFile, tests: TestSet) -> float:
    return difflib.SequenceMatcher(None, prompt.path.lower(), tests.path.lower()).ratio()


def _name_of(path: str) -> str:
    stem = PurePosixPath(path).name.split(".")[0] or "prompt"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._") or "prompt"


def configuration_text(lineages: Sequence[ProposedLineage], model: str, model_lines: Sequence[str]) -> str:
    """Returns the commented ``promptverdict.yaml``. Every scalar from the repository is quoted as JSON.

    ``model_lines`` are the YAML lines of the one entry ``model`` under ``models:``.
    """
    lines = [
        "# yaml-language-server: $schema=promptverdict.schema.json",
        "# (made by: promptverdict schema config > promptverdict.schema.json)",
        "# The rules for pull requests. Read from the base branch, so no pull request can loosen its own gate.",
        "version: 1",
        "",
        "models:",
        f"  {model}:",
        *(f"    {line}" for line in model_lines),
        "",
        f"defaults: {{model: {model}}}",
        "budget: {per_run_usd: 2.00}   # a hard cap for one pull request",
        "mode: inform                  # shows verdicts without blocking; change it to enforce later",
        "",
        "lineages:" if lineages else "lineages: {}   # my-prompt: {use_case: generation, prompt: …, tests: …}",
    ]
    for lineage in lineages:
        lines += [
            f"  {lineage.name}:  # {_comment(lineage.why)}",
            f"    use_case: {lineage.use_case}",
            f"    prompt: {_quoted(lineage.prompt)}",
        ]
        if lineage.tests:
            lines.append(f"    tests: {_quoted(lineage.tests)}  # {lineage.cases} cases")
        elif not lineage.cases:
            lines.append("    # tests: path/to/cases.jsonl   # one case a line: {id, inputs, expected, slices}")
        if lineage.labels:
            lines.append(f"    labels: [{', '.join(_quoted(label) for label in lineage.labels)}]")
        if lineage.fields:
            lines.append("    fields:")
            lines += [f"      {_quoted(name)}: {{kind: {rule.kind}}}" for name, rule in lineage.fields.items()]
        if lineage.use_case == UseCase.GENERATION:
            unscored = [line.replace("MODEL", model) for line in _UNSCORED]
            lines += ["    # scored by the prompt's own evaluators"] if lineage.scored else unscored
        lines.append(f"    # {gate_example()}")
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    """Returns text from the repository on one line, safe for a YAML comment."""
    return "".join(character if character.isprintable() else "�" for character in text)


def _quoted(text: str) -> str:
    return (
        text
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_./-]*", text) and text.lower() not in _YAML_WORDS
        else json.dumps(text)
    )


_UNSCORED = (
    "    # Nothing scores this text yet, so nothing can be approved. Define what is right with a judge or with rules:",
    "    # rubric: path/to/rubric.yaml   # what a judge looks for (see: promptverdict schema rubric)",
    "    # judge: {model: MODEL, labels: path/to/labels.jsonl}   # people's grades of at least 30 answers",
    "    # checks: [{name: signed, contains: Kind regards}]   # what every answer must contain",
)
_YAML_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
