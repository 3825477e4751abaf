"""What was proposed for one lineage, as text and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from engine.proposals.answers import JudgedAnswer
from engine.proposals.checks import FEWEST, Caught, ProposedCheck
from engine.proposals.dimensions import DimensionSearch
from engine.readers.bounded import shown
from engine.render.figures import plural
from engine.test_edits.config_text import check_lines, written

NAMED = 5
"""Most wrongly caught cases that the report names."""


@dataclass(frozen=True)
class Proposals:
    """What would have caught bad answers."""

    lineage: str
    answers: Sequence[JudgedAnswer]
    checks: Sequence[ProposedCheck]
    cases: Sequence[dict[str, JsonValue]]
    dimensions: DimensionSearch | None = None
    """``None``: no model was asked."""

    @property
    def enough(self) -> bool:
        """Whether there are enough good and bad answers to tell them apart."""
        counts = Counter(one.fails for one in self.answers)
        return min(counts[True], counts[False]) >= FEWEST


def lines_of(found: Proposals) -> Iterator[str]:
    """Yields the report, without patches."""
    counts = Counter((one.fails, one.by_person) for one in found.answers)
    bad, good = (
        plural(counts[fails, True] + counts[fails, False], what)
        for fails, what in ((True, "bad answer"), (False, "good one"))
    )
    by_person = counts[True, True] + counts[False, True]
    yield f"{found.lineage}: {bad} and {good}; {by_person} graded by people, the others stored and scored"
    if not found.enough:
        yield f"  too few answers: at least {FEWEST} bad and {FEWEST} good ones are needed"
        yield f"  run promptverdict score, or grade answers with promptverdict judge label {found.lineage}"
        return
    if not found.checks:
        yield "  no check separates the bad answers from the good ones"
    for one in found.checks:
        yield f"  {check_lines([one.check])[0]}"
        yield f"      {_sentence(one.found)}"
    if found.dimensions is not None:
        yield from _dimensions(found.dimensions)
    for row in found.cases:
        yield f"  a new case from the badly graded answer {shown(str(row['id']), 60)}: the test set lacks its input"


def _dimensions(search: DimensionSearch) -> Iterator[str]:
    for one in search.kept:
        yield f"  the dimension {shown(one.name, 64)}: {shown(' '.join(one.dimension.description.split()), 200)}"
        yield f"      a grade of 1 or 2 {_sentence(one.found)}"
    if search.stopped is None and not search.kept:
        yield f"  no dimension separates them; {search.tried} tried"
    if search.ungraded:
        yield f"  the judge could not grade {plural(search.ungraded, 'answer')}"


def _sentence(found: Caught) -> str:
    names = list(dict.fromkeys(found.wrongly))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    named = f" ({', '.join(shown(name, 40) for name in names[:NAMED])}{more})" if names else ""
    return f"{found.sentence}{named}"


def document_of(found: Proposals) -> dict[str, JsonValue]:
    """Returns the report as JSON."""
    return {
        "lineage": found.lineage,
        "answers": len(found.answers),
        "bad": sum(one.fails for one in found.answers),
        "checks": [{"check": written(one.check), **_measured(one.found)} for one in found.checks],
        "cases": [*found.cases],
        "dimensions": [
            {"name": one.name, **one.dimension.model_dump(mode="json", exclude_defaults=True), **_measured(one.found)}
            for one in (found.dimensions.kept if found.dimensions else ())
        ],
    }


def _measured(found: Caught) -> dict[str, JsonValue]:
    return {
        "catches": [*found.caught],
        "wrongly": [*found.wrongly],
        "bad": found.bad,
        "good": found.good,
        "p": found.p,
    }
