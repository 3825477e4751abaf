"""Warns of variables of a ``.prompt.yml`` that cases lack: they stay in the text, as in ``gh models eval``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.readers.bounded import shown
from engine.readers.dialects import GITHUB_VARIABLE, value_text
from engine.readers.prompts.github import SUFFIXES
from engine.render.figures import plural
from schemas.prompts import Finding, InlineEvaluator, PromptFile
from schemas.testsets import TestCase


def unfilled_warnings(
    new: PromptFile | None, judged_by: PromptFile | None, cases: Sequence[TestCase]
) -> Iterator[Finding]:
    """Yields a warning for each variable of the messages and of the evaluators that some cases lack."""
    if new is None or not new.path.endswith(SUFFIXES) or not cases:
        return
    for name, written in new.defaults.items():
        lacking = sum(name not in case.inputs for case in cases)
        if lacking:
            yield _warning(new.path, "the messages", value_text(written), lacking, cases)
    for one in judged_by.evaluators if judged_by else ():
        for name, written in _variables(one).items():
            lacking = sum(not _has(case, name) for case in cases)
            if 0 < lacking < len(cases):
                yield _warning(new.path, f"the evaluator {shown(one.name)}", written, lacking, cases)


def _warning(path: str, what: str, written: str, lacking: int, cases: Sequence[TestCase]) -> Finding:
    sentence = f"{shown(written)} in {what} stays as it is written for {lacking} of {plural(len(cases), 'case')}"
    return Finding(what=sentence, where=shown(path, 4096), hint="give each case a value, or correct the name")


def _variables(one: InlineEvaluator) -> dict[str, str]:
    texts = (one.equals, one.contains, one.starts_with, one.ends_with, one.judge_prompt)
    found = [match for text in texts if text for match in GITHUB_VARIABLE.finditer(text)]
    return {match["name"]: match[0] for match in found}


def _has(case: TestCase, name: str) -> bool:
    return name in case.inputs or name == "completion" or (name == "expected" and case.expected is not None)
