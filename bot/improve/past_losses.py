"""Which merged changes of a prompt lost cases, as their verdicts stored it. Blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.store.page_records import Bounds
from bot.store.page_values import CaseFilter
from schemas.blame import Unit, UnitKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from bot.store.records import Records
    from schemas.scorecard import LineageCard

VERSIONS = 20
"""Measured changes that are looked at, the newest ones."""
MOST = 3
"""Changed parts that the reflection model reads."""
MOST_CASES = 5_000
PASSES = 0.5


def past_losses(records: Records, repository_id: int, lineage: str, shown: Collection[str]) -> tuple[Unit, ...]:
    """Returns texts that merged changes replaced and that cost cases, the newest first.

    Judged by the shown cases alone, since a model reads the result. Raises StoreError.
    """
    known = next((one.id for one in records.lineage_rows(repository_id) if one.name == lineage), None)
    page = known and records.lineage_page(repository_id, known, Bounds(limit=VERSIONS), merged=True)
    if not page:
        return ()
    found: list[Unit] = []
    for version in page.versions:
        rows = records.cases(version.experiment_id, CaseFilter(), limit=MOST_CASES)
        lost = [row for row in rows if row.case_id in shown and _is_lost(row.baseline, row.candidate)]
        run = records.run_page(repository_id, version.run_sequence) if lost else None
        cards = run.overview.lineages if run is not None and run.overview is not None else ()
        found += [unit for card in cards if card.lineage == lineage for unit in _texts(card)]
    return tuple(dict.fromkeys(found))[:MOST]


def _is_lost(baseline: float | None, candidate: float | None) -> bool:
    return baseline is not None and candidate is not None and baseline >= PASSES > candidate


def _texts(card: LineageCard) -> Iterator[Unit]:
    """Yields the guilty parts of a change, where a search named them; else all text that it changed."""
    blame = card.blame
    if blame is not None and blame.culprits:
        guilty = dict.fromkeys(unit for culprit in blame.culprits for unit in culprit.units)
        yield from (blame.units[number] for number in guilty if blame.units[number].kind is UnitKind.TEXT)
        return
    lines = [line for hunk in card.diff.hunks for line in hunk.lines] if card.diff is not None else []
    before, after = ("\n".join(line.text for line in lines if line.kind == kind) for kind in ("removed", "added"))
    if before or after:
        yield Unit(kind=UnitKind.TEXT, before=before, after=after)
