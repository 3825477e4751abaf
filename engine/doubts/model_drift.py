"""Detects that the model changed during the run, by what the provider reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.outcomes import Arm
from schemas.prompts import Finding

if TYPE_CHECKING:
    from engine.runner.experiment import Decision, ExperimentResult

SHOWN = 3


def drift(result: ExperimentResult[Decision]) -> tuple[Finding, ...]:
    """Returns a warning if the model changed. The arms are interleaved, so both are affected alike and the verdict
    stands.

    Several fingerprints are usual, because a provider's servers differ. Two arms without a common one are not. If the
    pull request itself swaps the model, there is no warning.
    """
    arms = result.experiment.arms
    if len({(arm.endpoint.model.model, arm.endpoint.model.origin) for arm in arms.values()}) > 1:
        return ()
    models = sorted({model for _, model, _ in result.served_by})
    if len(models) > 1:
        return (_finding(f"the provider answered as {_listed(models)}: the model changed during the run", result),)
    seen = {arm: {mark for one, _, mark in result.served_by if one is arm and mark is not None} for arm in Arm}
    # Arms are interleaved, so servers of both kinds should have answered each arm.
    if all(seen.values()) and not seen[Arm.BASELINE] & seen[Arm.CANDIDATE]:
        what = "different builds of the model answered for baseline and candidate (no common fingerprint)"
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
