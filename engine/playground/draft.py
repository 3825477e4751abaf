"""A draft: the edit of one prompt, and the cases that it is tried on. Pure."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import JsonValue

from engine.new_cases.draft import json_or_text
from engine.readers.bounded import Source
from engine.readers.cases import case_of
from engine.render.figures import plural
from schemas.check_config import Check
from schemas.config import LineageConfig
from schemas.errors import ConfigError, PromptVerdictError
from schemas.prompts import Finding
from schemas.testsets import TestCase, TestSet
from schemas.use_cases import UseCase
from schemas.values import Value

if TYPE_CHECKING:
    from schemas.detection import Detection, LineageChange

OWN = "own input"
"""The id of the case that a person wrote."""
NEEDS_EXPECTED = (UseCase.CLASSIFICATION.value, UseCase.EXTRACTION.value)
"""Use cases that score nothing without an expected output."""

MOST_NAMES = 5


class Pick(StrEnum):
    """Which cases a run has."""

    ALL = "all"
    SLICE = "slice"
    CASE = "case"
    OWN = "own"


class DraftEdit(Value):
    """A person's changes of a prompt, and the cases to try it on."""

    texts: dict[int, str] = {}
    """New texts by the index of the message. Others stay."""
    before: dict[int, str] = {}
    """Digests of the texts that the new ones replace."""
    model: str | None = None
    """A name under ``models``; ``None``: it stays."""
    parameters: dict[str, int | float | None] = {}
    """New values by our names; ``None`` removes one. Others stay."""
    pick: Pick = Pick.ALL
    name: str = ""
    """The slice, or the id of the case."""
    inputs: dict[str, str] = {}
    """The inputs of the case that the person wrote."""
    expected: str = ""
    """Its expected output; empty: none."""
    page: str = ""
    """The page that wrote it last. No part of what is run."""

    @property
    def edits(self) -> bool:
        """Whether it changes the prompt."""
        return bool(self.texts or self.parameters or self.model is not None)


def own_row(draft: DraftEdit, tests: TestSet | None) -> dict[str, JsonValue]:
    """Returns the person's case as a test set contains it. An expected output is JSON where the others' are."""
    row: dict[str, JsonValue] = {"inputs": dict(draft.inputs)}
    if draft.expected.strip():
        known = [case.expected for case in tests.cases if case.expected is not None] if tests is not None else []
        plain = not known or any(isinstance(one, str) for one in known)
        row["expected"] = draft.expected.strip() if plain else json_or_text(draft.expected.strip())
    return row


def on_cases(detection: Detection, lineage: str, draft: DraftEdit) -> Detection:
    """Returns the detection of an edit with one prompt and the picked cases.

    Raises ConfigError for an edit that changes nothing for a model, and for an unknown case or slice.
    """
    change = next((one for one in detection.lineages if one.name == lineage), None)
    if change is None:
        raise ConfigError("this draft changes nothing for a model", hint="edit the prompt, its model or a parameter")
    if others := [one.name for one in detection.lineages if one is not change]:
        shared = Finding(
            what=f"This edit also changes {plural(len(others), 'other prompt')}: {', '.join(others[:MOST_NAMES])}",
            hint="this run doesn't measure them; the check of a pull request does",
        )
        change = change.model_copy(update={"warnings": (*change.warnings, shared)})
    if draft.pick is not Pick.ALL:
        change = _picked(change, draft)
    return detection.model_copy(update={"lineages": (change,)})


def _picked(change: LineageChange, draft: DraftEdit) -> LineageChange:
    tests = change.tests or TestSet(path=OWN, cases=())
    cases: tuple[TestCase, ...]
    if draft.pick is Pick.OWN:
        own = _own_case(draft, tests)
        config = change.config
        if own.expected is None and config.use_case in NEEDS_EXPECTED:
            config = _unscored(config)
        return change.model_copy(
            update={"tests": tests.model_copy(update={"cases": (own,)}), "config": config, "added_cases": ()}
        )
    if draft.pick is Pick.SLICE:
        cases = tuple(case for case in tests.cases if draft.name in case.slices)
    else:
        cases = tuple(case for case in tests.cases if case.id == draft.name)
    if not cases:
        raise ConfigError(f"the test set has no {draft.pick.value} {draft.name}", hint="pick another one")
    return change.model_copy(update={"tests": tests.model_copy(update={"cases": cases}), "added_cases": ()})


def _own_case(draft: DraftEdit, tests: TestSet) -> TestCase:
    if not any(text.strip() for text in draft.inputs.values()):
        raise ConfigError("your own input is empty", hint="enter an input for the prompt")
    try:
        case = case_of(Source("your input", ""), own_row(draft, tests), None, Counter()).case
    except PromptVerdictError as error:
        raise ConfigError(f"your input can't be used: {error.what}", hint=error.hint) from error
    return case.model_copy(update={"id": OWN})


def _unscored(config: LineageConfig) -> LineageConfig:
    """Returns a configuration in which every answer passes: there is nothing to score it by."""
    return LineageConfig(
        use_case=UseCase.GENERATION.value,
        prompt=config.prompt,
        model=config.model,
        checks=(Check(name="any answer", max_characters=10**9),),
    )
