"""Scores of a run as table rows in the store, which ``promptverdict store export --outcomes`` prints.

They contain no text of a prompt, case or answer. ``benchmarks/recorded.py`` replays such tables through the gate.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import ValidationError

from schemas.values import Value, digest_of

if TYPE_CHECKING:
    from pydantic import JsonValue

    from schemas.experiments import ExperimentRecord

COLUMNS = ("set", "prompt", "run", "item", "score", "source")


class OutcomeTable(Value):
    """The first metric of every answered cell of one comparison."""

    outcomes_version: int = 1
    set: str
    """Lineage and model."""
    prompts: tuple[str, str]
    """A name for the requests of each arm. The same requests have the same name."""
    rows: tuple[tuple[int, int, str, float, str | None], ...]
    """Arm, run, case, score and cluster."""


def outcome_table(experiment: ExperimentRecord) -> tuple[str, JsonValue]:
    """Returns the store's key for the table of a completed experiment, and the table as JSON."""
    table = OutcomeTable(
        set=f"{experiment.lineage} {experiment.model}",
        prompts=experiment.prompts,
        rows=tuple(
            (cell.arm, cell.repetition, case.id, cell.scores[0], case.cluster)
            for cell in experiment.outcomes
            if cell.scores and cell.scores[0] is not None
            for case in [experiment.cases[cell.case]]
        ),
    )
    kept = table.model_dump(mode="json")
    return digest_of(["outcomes", experiment.content_digest, kept]), kept


def table_rows(kept: JsonValue) -> Iterator[tuple[str, str, int, str, float, str]]:
    """Yields the rows of a stored table, in the order of COLUMNS. Yields none for a plan, which is stored beside
    them."""
    try:
        table = OutcomeTable.model_validate(kept)
    except ValidationError:
        return
    for arm, run, case, score, cluster in table.rows:
        yield table.set, table.prompts[arm], run, case, score, cluster or ""
