"""Writes our configuration for an imported promptfoo configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from engine.commands.init_config import quoted, written_prompt
from engine.commands.promptfoo_import import Imported, ImportedModel
from engine.render.figures import plural

RUBRIC_TEXT = """\
# What the judge grades. The note on a case is what its llm-rubric said.
dimensions:
  fits:
    description: Does the answer do what the task asks, and all that the note on the case asks for?
    anchors:
      1: it fails what the note asks for
      3: it does some of it
      5: it does all of it
"""


def import_config(found: Imported, tests: str, rubric: str, fallback: Sequence[str]) -> str:
    """Returns the commented ``promptverdict.yaml``. Every scalar from the repository is quoted as JSON.

    ``tests`` and ``rubric`` are the paths of the files beside it, ``fallback`` the lines of the model ``main`` where
    none could be imported.
    """
    models = list(found.models) or ["main"]
    chosen = models[0] if len(models) == 1 else f"[{', '.join(models)}]"
    lines = [
        "# yaml-language-server: $schema=promptverdict.schema.json",
        "# (made by: promptverdict schema config > promptverdict.schema.json)",
        f"# Imported from {json.dumps(found.path, ensure_ascii=False)}.",
        "# Read from the base branch, so no pull request can loosen its own gate.",
        "version: 1",
        "",
        "models:",
        *(f"  {line}" for line in _models(found.models, fallback)),
        "",
        f"defaults: {{model: {chosen}}}",
        "budget: {per_run_usd: 2.00}   # a hard cap for one pull request",
        "mode: inform                  # shows verdicts without blocking; change it to enforce later",
        "",
        "lineages:" if found.prompts else "lineages: {}   # no prompt could be imported; name yours here",
    ]
    for name, prompt in found.prompts.items():
        lines += [
            f"  {name}:",
            "    use_case: generation",
            f"    prompt: {written_prompt(prompt.written)}",
            f"    tests: {quoted(tests)}  # {plural(len(found.cases), 'case')}, scored by their assertions",
        ]
        if prompt.template is not None:
            lines.append(f"    template: {prompt.template.value}")
        judge = f"judge: {{model: {models[0]}}}"
        if found.judged:
            lines += [f"    rubric: {quoted(rubric)}", f"    {judge}  # gates once it is known to agree with people"]
        elif found.noted:
            lines.append(
                f"    # {plural(found.noted, 'case')} with notes for a judge: add rubric: {quoted(rubric)} and {judge}"
            )
    return "\n".join(lines) + "\n"


def _models(models: Mapping[str, ImportedModel], fallback: Sequence[str]) -> Iterator[str]:
    if not models:
        yield "main:"
        yield from (f"  {line}" for line in fallback)
    for name, model in models.items():
        yield f"{name}:"
        yield f"  provider: {model.provider}"
        yield f"  model: {quoted(model.model)}"
        if model.api:
            yield f"  api: {model.api}"
        if model.parameters:
            yield f"  parameters: {json.dumps(model.parameters, ensure_ascii=False)}"


def import_cases(found: Imported) -> str:
    """Returns the test set as JSONL."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found.cases)
