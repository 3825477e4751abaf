"""What doctor found, as values, and how it is shown: each problem says what, where and how to fix it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from engine.render.encode import visible
from schemas.errors import PromptVerdictError
from schemas.values import Value


class Level(StrEnum):
    """How bad a finding is, worst first."""

    PROBLEM = "problem"
    """Verdicts are missing, or can be bypassed."""
    WARNING = "warning"
    OK = "ok"


class Area(StrEnum):
    """The area that was examined."""

    APP = "app"
    WEBHOOK = "webhook"
    INSTALLATION = "installation"
    RULESET = "ruleset"
    PROVIDER = "provider"
    DATABASE = "database"
    PAGES = "pages"
    WORKERS = "workers"
    DELIVERIES = "deliveries"


class DoctorFinding(Value):
    """One result. Its texts may contain untrusted names."""

    area: Area
    level: Level
    what: str
    where: str
    hint: str | None = None
    """How to fix it; ``None`` if there is nothing to do."""


class Spot(NamedTuple):
    """An area and a place in it: findings are made from it."""

    area: Area
    where: str

    def ok(self, what: str) -> DoctorFinding:
        """Returns a finding that is in order."""
        return DoctorFinding(area=self.area, level=Level.OK, what=what, where=self.where)

    def warning(self, what: str, hint: str) -> DoctorFinding:
        """Returns a finding that may need attention."""
        return DoctorFinding(area=self.area, level=Level.WARNING, what=what, where=self.where, hint=hint)

    def problem(self, what: str, hint: str) -> DoctorFinding:
        """Returns a finding that must be fixed."""
        return DoctorFinding(area=self.area, level=Level.PROBLEM, what=what, where=self.where, hint=hint)

    def guard(self, look: Callable[[], Iterator[DoctorFinding]]) -> Iterator[DoctorFinding]:
        """Yields what ``look`` finds. An error that it raises becomes a problem here."""
        try:
            yield from look()
        except PromptVerdictError as error:
            spot = Spot(self.area, error.where or self.where)
            yield spot.problem(error.what, error.hint or "fix it and run doctor again")


def worst(findings: Sequence[DoctorFinding]) -> Level:
    """Returns the worst level of all findings."""
    return min((finding.level for finding in findings), key=list(Level).index, default=Level.OK)


def as_json(findings: Sequence[DoctorFinding]) -> str:
    """Renders the worst level and every finding for programs."""
    rows = [finding.model_dump(mode="json") for finding in findings]
    return json.dumps({"level": worst(findings).value, "findings": rows}, indent=2, ensure_ascii=False) + "\n"


def as_text(findings: Sequence[DoctorFinding]) -> str:
    """Renders findings for people. The worst come last, right above the prompt of the terminal."""
    order = list(Level)
    lines = []
    for finding in sorted(findings, key=lambda one: -order.index(one.level)):
        word = finding.level.value if finding.level is Level.OK else finding.level.value.upper()
        lines.append(visible(f"{word:<8} {finding.area}: {finding.what}"))
        if finding.level is not Level.OK:
            lines.append(visible(f"         where: {finding.where}"))
            if finding.hint:
                lines.append(visible(f"         fix:   {finding.hint}"))
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    lines.append(f"{counts[Level.PROBLEM]} problems, {counts[Level.WARNING]} warnings, {counts[Level.OK]} in order")
    return "\n".join(lines) + "\n"
