"""The judgment of an edit: the full gate, prompt as it is against edit, on cases that the optimizer never saw."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from engine.detection.lookups import lookups
from engine.detection.prompt_diff import diff_prompts
from engine.detection.quoted import judged, newly_quoted
from engine.gate.signflip import FLIPS, single_p
from engine.improve.split import clusters
from schemas.detection import Detection, LineageChange, ModelPair
from schemas.effects import CaseEffect, EffectResult
from schemas.gate_config import GateMode
from schemas.prompts import PromptFile
from schemas.scorecard import Change, LineageCard, Scorecard
from schemas.testsets import TestCase
from schemas.verdicts import ReasonCode, VerdictStatus

JUDGED = 3
"""The most edits that are judged. Each is one test, so the level is divided among them."""
LEVEL = 0.05 / JUDGED
"""The largest p at which an edit counts as better. One that is not is proposed in at most 5 of 100 searches."""


def of_cases(today: Detection, change: LineageChange, cases: Sequence[TestCase]) -> Detection:
    """Returns the lineage as it is, alone, with these cases only."""
    assert change.tests is not None
    tests = change.tests.model_copy(update={"cases": tuple(cases)})
    return today.model_copy(update={"lineages": (change.model_copy(update={"tests": tests}),)})


def edit_detection(
    today: Detection, change: LineageChange, edited: PromptFile, cases: Sequence[TestCase], mode: GateMode | None = None
) -> Detection:
    """Returns the edit as a change of the prompt, judged on these cases, as in a pull request.

    ``today`` is the commit read alone. ``mode`` replaces the policy's. An edit that quotes any case of the test set
    needs review.
    """
    before = change.candidate
    assert before is not None
    assert change.tests is not None
    everything = change.tests.cases
    reasons, warnings = judged(newly_quoted(before, edited, everything), everything)
    pairs = tuple(
        ModelPair(name=pair.name, candidate=pair.candidate, baseline_name=pair.name, baseline=pair.candidate)
        for pair in change.models
    )
    edit = change.model_copy(
        update={
            "models": pairs,
            "baseline": before,
            "candidate": edited,
            "gate": change.gate if mode is None else change.gate.model_copy(update={"mode": mode}),
            "changes": (Change(kind="prompt", detail=edited.path, path=edited.path),),
            "endings": (),
            "diff": diff_prompts(before, edited),
            "texts": {},
            "reasons": (*reasons, *lookups(before, edited, everything)),
            "warnings": (*change.warnings, *warnings),
        }
    )
    return of_cases(today, edit, cases)


def better_p(effects: Sequence[CaseEffect], cases: Sequence[TestCase]) -> float:
    """Returns the one-sided p of "no better", by sign flips of whole clusters. Near-duplicates are one cluster."""
    changes = {effect.id: effect.change for effect in effects if effect.change is not None}
    groups = clusters(cases)
    falls = np.array([-math.fsum(changes.get(cases[index].id, 0.0) for index in group) for group in groups])
    if not falls.any():
        return 1.0
    names = [cases[group[0]].id for group in groups]
    return single_p(falls, tuple(names), "suggest", FLIPS)


def is_short(cards: Scorecard) -> bool:
    """Returns whether the budget ended a measurement."""
    return any(reason.code is ReasonCode.BUDGET for card in cards.lineages for reason in card.reasons)


def refusal(cards: Sequence[LineageCard], p: float) -> str:
    """Returns why an edit is not proposed; empty if every model's gate approves it and the first finds it better."""
    for card in cards:
        if card.status is not VerdictStatus.APPROVED:
            return card.headline
    overall = cards[0].overall
    if overall is None or overall.result is not EffectResult.BETTER or p > LEVEL:
        return "It is not shown to be better on cases that the optimizer never saw."
    return ""
