"""Measures an edit by the full gate: the committed prompt against the edit."""

from __future__ import annotations

from collections.abc import Sequence

from engine.blame.explain import Explainer
from engine.improve.judgment import edit_detection
from engine.improve.ports import Planning, Ports, planned
from engine.improve.target import Target
from engine.improve.texts import Texts, with_texts
from engine.pipeline import measure, static
from engine.runner.budget import SpendingCap
from schemas.gate_config import GateMode
from schemas.scorecard import Scorecard
from schemas.testsets import TestCase


async def measured(
    target: Target,
    texts: Texts,
    cases: Sequence[TestCase],
    world: Planning,
    ports: Ports,
    *,
    cap: SpendingCap,
    mode: GateMode | None = None,
    explained: bool = False,
) -> Scorecard:
    """Returns the scorecard of the prompt with these texts on these cases.

    ``mode`` replaces the policy's. ``explained``: names the parts of a blocked edit that break cases.
    Raises StoreError.
    """
    edited = with_texts(target.prompt, {**target.texts, **texts})
    prepared = planned(target.pull_request, edit_detection(target.detection, target.change, edited, cases, mode), world)
    if not prepared.runs:
        return static(prepared)
    return await measure(
        prepared,
        access=ports.access,
        store=ports.store,
        clock=ports.clock,
        within=cap,
        explainer=Explainer(ports.renderer) if explained else None,
        on_progress=ports.on_progress,
    )
