"""``promptverdict power``."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from action.cli.lint import configured_tests
from action.cli.streams import put
from action.exits import Exit
from engine.commands.power import Power
from engine.commands.power import power as power_of
from engine.gate.design import design
from engine.render.encode import log_line
from engine.render.figures import plural
from schemas.gate_config import GateConfig, SlicePolicy
from schemas.margins import OVERALL, SLICE, default_margin
from schemas.outcomes import MetricSpec

if TYPE_CHECKING:
    from pathlib import Path

    from schemas.testsets import TestSet


JUDGED_BY_CASE = {
    SlicePolicy.MUST_PASS: "every case must pass, whatever their number",
    SlicePolicy.GUARD: "blocks if its cases break more often than the others",
}


def power(repo: Path, paths: tuple[Path, ...], *, output_format: str) -> Exit:
    """Prints what test sets can detect, without any run.

    Raises SourceError for an unreadable test set, and UsageError if there is none.
    """
    rows = []
    for tests, lineage in configured_tests(repo, paths):
        gate = (lineage.gate if lineage else None) or GateConfig()
        rows.append((tests.path, _power(tests, gate)))
    if output_format == "json":
        document = [{"path": path, "slices": [dataclasses.asdict(row) for row in found]} for path, found in rows]
        put(json.dumps(document, indent=2) + "\n")
        return Exit.PASS
    for path, found in rows:
        put(log_line(path) + "\n")
        for row in found:
            put(log_line(_sentence(row)) + "\n")
    return Exit.PASS


def _power(tests: TestSet, gate: GateConfig) -> tuple[Power, ...]:
    cases = tests.cases
    designed = design(
        [case.id for case in cases],
        [case.slices for case in cases],
        clusters=[case.cluster for case in cases],
        protected=[case.protected for case in cases],
        metrics=[MetricSpec(name="score")],
        identical=[False] * len(cases),
        gate=gate,
        digest="power",
    )
    return power_of(designed, (OVERALL, SLICE))


def _sentence(row: Power) -> str:
    name = row.slice or "overall"
    clusters = f" in {row.clusters} independent groups (cluster)" if row.clusters < row.cases else ""
    seen = "no drop is certain to be detected"
    if row.detects is not None:
        seen = f"a drop of {100 * row.detects:.0f} points is blocked in 80 of 100 runs"
    wanted = row.margin if row.written else default_margin(row.slice)
    more = f"; {row.more_cases} more cases would rule out {100 * wanted:.0f} points" if row.more_cases else ""
    size = f"  {name} ({row.policy}): {plural(row.cases, 'case')}{clusters}"
    if row.policy in JUDGED_BY_CASE:
        return f"{size}; {JUDGED_BY_CASE[row.policy]}"
    rules_out = (
        f"can rule out a drop of {100 * row.can_rule_out:.1f} points"
        if row.can_rule_out < 1
        else "can rule out no drop"
    )
    return f"{size} {rules_out}; {seen}{more}"
