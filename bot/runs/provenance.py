"""Describes the inputs of a verdict for the store: prompt versions, test sets, experiment records. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from bot.store.values import LineagePoint, Measured, PackedTexts, PromptVersion, TestSetSnapshot
from schemas.outcomes import Arm
from schemas.scorecard import TrendPoint
from schemas.values import canonical_json, digest_of

if TYPE_CHECKING:
    from engine.planning.prepared import PlannedLineage, Prepared
    from engine.records.trend import LineageKey
    from schemas.case_texts import CaseTexts
    from schemas.config import ModelConfig
    from schemas.experiments import ExperimentRecord
    from schemas.prompts import PromptFile
    from schemas.testsets import TestSet


Texts = dict[tuple[str, str], tuple[PackedTexts, ...]]
"""By lineage and model."""


def provenance_of(
    prepared: Prepared, records: Iterable[ExperimentRecord], texts: Texts | None = None
) -> tuple[Measured, ...]:
    """Returns one value for each lineage × model. ``records`` and ``texts`` are those of the experiments that were
    run."""
    by_name = {(record.lineage, record.model): record for record in records}
    return tuple(
        _measured(entry, by_name.get((entry.change.name, entry.model))).model_copy(
            update={"texts": (texts or {}).get((entry.change.name, entry.model), ())}
        )
        for entry in prepared.entries
    )


def packed(cases: Iterable[CaseTexts]) -> tuple[PackedTexts, ...]:
    """Compresses each case at once, so that a large test set is never whole in memory."""
    return tuple(
        PackedTexts(
            id=case.id,
            baseline_said=case.said(Arm.BASELINE),
            candidate_said=case.said(Arm.CANDIDATE),
            packed=zlib.compress(case.model_dump_json(exclude_defaults=True).encode()),
        )
        for case in cases
    )


def merged_points(
    history: Mapping[str, Sequence[LineagePoint]], measured: Sequence[Measured]
) -> dict[LineageKey, list[TrendPoint]]:
    """Returns the points of the prompts' histories that were merged, by lineage and model.

    A version was merged if this run, or a later one, took it as its baseline.
    """
    found: dict[LineageKey, list[TrendPoint]] = {}
    for name, points in history.items():
        merged = {one.baseline.digest for one in measured if one.lineage == name and one.baseline is not None}
        merged |= {point.baseline_digest for point in points if point.baseline_digest is not None}
        for point in points:
            if point.number is not None and point.candidate_digest in merged:
                found.setdefault((name, point.model), []).append(
                    TrendPoint(
                        number=point.number,
                        at=point.at,
                        verdict=point.status,
                        score=point.candidate,
                        cost_per_1000=point.candidate_per_1000,
                    )
                )
    return found


def _measured(entry: PlannedLineage, record: ExperimentRecord | None) -> Measured:
    change = entry.change
    pair = next((pair for pair in change.models if pair.name == entry.model), None)
    return Measured(
        lineage=change.name,
        model=entry.model,
        baseline=_version(change.baseline, pair.baseline if pair else None),
        candidate=_version(change.candidate, pair.candidate if pair else None),
        tests=_snapshot(change.tests),
        record=record,
    )


def _version(prompt: PromptFile | None, model: ModelConfig | None) -> PromptVersion | None:
    """Describes the prompt and parameters that a model receives, and the model. The file's path and formatting don't
    count."""
    if prompt is None:
        return None
    content = {
        "dialect": prompt.dialect,
        "messages": [message.model_dump(mode="json") for message in prompt.messages],
        "included": prompt.included,
        "parameters": prompt.parameters.model_dump(mode="json", exclude_unset=True),
        "model": model.model if model else prompt.model,
        # Parameters of the configuration reach the model too, so another value is another version.
        "model_parameters": model.parameters.model_dump(mode="json", exclude_unset=True) if model else None,
    }
    return PromptVersion(
        digest=digest_of(content),
        path=prompt.path,
        model=(model.model if model else prompt.model) or "",
        content=canonical_json(content).decode(),
    )


def _snapshot(tests: TestSet | None) -> TestSetSnapshot | None:
    if tests is None:
        return None
    cases = [case.model_dump(mode="json", exclude_defaults=True) for case in tests.cases]
    return TestSetSnapshot(
        digest=digest_of(cases), path=tests.path, cases=len(cases), content=canonical_json(cases).decode()
    )
