"""What doctor found, as values, and how it is shown: every finding says what, where and how to mend it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum

from engine.render.encode import visible
from schemas.values import Value


class Level(StrEnum):
    """How bad it is, worst first."""

    PROBLEM = "problem"
    """Verdicts are missing, or can be got around."""
    WARNING = "warning"
    OK = "ok"


class Finding(Value):
    """One thing that was looked at. Texts may hold names that others chose."""

    area: str
    """``app``, ``webhook``, ``installation``, ``ruleset``, ``provider``, ``database``, ``workers``, ``deliveries``."""
    level: Level
    what: str
    where: str
    mend: str | None = None
    """Missing where nothing is to be done."""


def worst(findings: Sequence[Finding]) -> Level:
    """The worst level there is."""
    return min((finding.level for finding in findings), key=list(Level).index, default=Level.OK)


def as_json(findings: Sequence[Finding]) -> str:
    """For programs: the worst level and every finding."""
    rows = [finding.model_dump(mode="json") for finding in findings]
    return json.dumps({"level": worst(findings).value, "findings": rows}, indent=2, ensure_ascii=False) + "\n"


def as_text(findings: Sequence[Finding]) -> str:
    """For people: a line for what is in order, three for what isn't, the worst last, where the eye is."""
    order = list(Level)
    lines = []
    for finding in sorted(findings, key=lambda one: -order.index(one.level)):
        word = finding.level.value if finding.level is Level.OK else finding.level.value.upper()
        lines.append(visible(f"{word:<8} {finding.area}: {finding.what}"))
        if finding.level is not Level.OK:
            lines.append(visible(f"         where: {finding.where}"))
            if finding.mend:
                lines.append(visible(f"         mend:  {finding.mend}"))
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    lines.append(f"{counts[Level.PROBLEM]} problems, {counts[Level.WARNING]} warnings, {counts[Level.OK]} in order")
    return "\n".join(lines) + "\n"
