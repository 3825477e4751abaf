"""Whether the model changed under the run: the provider says which one answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.outcomes import Arm
from schemas.prompts import Finding

if TYPE_CHECKING:
    from engine.runner.experiment import Decision, ExperimentResult

SHOWN = 3


def drift(result: ExperimentResult[Decision]) -> tuple[Finding, ...]:
    """Returns a warning where the model changed. Arms are interleaved, so a change meets both alike: no verdict waits.

    Several fingerprints are usual (a provider's servers are not all alike); two arms that share none are not. Nothing
    is said where the pull request itself swaps the model."""
    arms = result.experiment.arms
    if len({(arm.endpoint.model.model, arm.endpoint.model.origin) for arm in arms.values()}) > 1:
        return ()
    models = sorted({model for _, model, _ in result.served_by})
    if len(models) > 1:
        return (_finding(f"the provider answered as {_listed(models)}: the model changed during the run", result),)
    seen = {arm: {mark for one, _, mark in result.served_by if one is arm and mark is not None} for arm in Arm}
    if all(seen.values()) and not seen[Arm.BASELINE] & seen[Arm.CANDIDATE]:
        what = "baseline and candidate were answered by different builds of the model (their fingerprints share none)"
        return (_finding(what, result),)
    return ()


def _finding(what: str, result: ExperimentResult[Decision]) -> Finding:
    return Finding(
        what=what,
        where=f"{result.experiment.lineage} · {result.experiment.name}",
        hint="name a dated version of the model, and run again",
    )


def _listed(models: list[str]) -> str:
    shown = " and ".join(models[:SHOWN])
    return shown if len(models) <= SHOWN else f"{shown} and {len(models) - SHOWN} more"
