"""Changed files that look like prompts and that no lineage covers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from engine.detection.configurations import NAME, Place, configuration_around
from engine.detection.entries import Entry
from engine.detection.files import folder_of
from engine.detection.places import is_there, place_after
from engine.detection.prompts import approval, failure
from engine.detection.rests import uncovered_inline_prompts, uncovered_rests
from engine.detection.sides import Sides
from engine.readers.bounded import shown
from engine.readers.promptfoo_files import NAME as PROMPTFOO
from engine.readers.prompts import may_hold_prompt
from schemas.config import Uncovered
from schemas.prompts import Finding
from schemas.verdicts import Reason, ReasonCode

NAMED = 5
"""The most files that a sentence names. It gives only the number of the others."""


class Suspect(NamedTuple):
    """A changed file that looks like a prompt."""

    path: str
    rest: bool
    """Whether lineages name parts of it, and it changes in others."""

    def __str__(self) -> str:
        return f"the rest of {shown(self.path)}" if self.rest else shown(self.path)


def uncovered_files(sides: Sides, entries: Sequence[Entry], watched: Collection[str]) -> tuple[Suspect, ...]:
    """Returns changed files that look like prompts and belong to no lineage.

    ``watched`` holds the changed files of lineages. A file of which lineages name only parts is uncovered if the rest
    of it differs, and one that is a test set if it holds prompts of its own that differ.
    """
    inline = uncovered_inline_prompts(sides, entries)
    rests = uncovered_rests(sides, entries) | inline
    claimed = {*watched, *(path for entry in entries for path in entry.paths)} - rests
    found = []
    for change in sides.changes.all:
        both = change.paths
        # Of a promptfoo configuration, it is a prompt of a lineage that says that its rest may hold others.
        suspects = [
            path
            for path in both
            if may_hold_prompt(path) or path in inline or (path in rests and PROMPTFOO.search(path))
        ]
        moved = len(suspects) == 2 and change.before and change.after and change.before.blob == change.after.blob
        if suspects and not moved and not {*both, *map(folder_of, both)} & claimed:
            found.append(Suspect(suspects[-1], suspects[-1] in rests))
    return tuple(found)


def missing_prompts(sides: Sides, entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Returns the lineages whose prompt exists on neither side. An uncovered file may be what they should gate."""
    sides.base.fetch_prompts(path for entry in entries for path in entry.prompt.paths)
    return tuple(
        entry
        for entry in entries
        if not entry.new and not is_there(sides.base, entry.prompt) and place_after(entry, sides) is None
    )


def uncovered_reasons(
    uncovered: Sequence[Suspect], lost: Sequence[Entry], places: Sequence[Place], *, adoption: bool
) -> Iterator[Reason]:
    """Yields what doesn't pass: where the configuration says so, and where a lineage's prompt can't be found."""
    if adoption:
        return
    asked = [suspect for suspect in uncovered if _policy(suspect, places) is Uncovered.NEEDS_REVIEW]
    if asked:
        sentence = f"{_looks(asked)}: not measured."
        yield approval(ReasonCode.UNCOVERED, sentence[0].upper() + sentence[1:] if asked[0].rest else sentence)
    for entry in lost if uncovered else ():
        yield failure(
            ReasonCode.UNREADABLE,
            f"{entry.name}: the prompt {shown(str(entry.prompt))} exists neither before nor after, and changed prompts "
            f"belong to no lineage ({_listed(uncovered)}).",
        )


def uncovered_warnings(
    uncovered: Sequence[Suspect], lost: Sequence[Entry], places: Sequence[Place]
) -> Iterator[Finding]:
    """Yields warnings about uncovered files that the configuration doesn't ignore, and about lineages without a
    prompt."""
    for entry in () if uncovered else lost:
        place = shown(str(entry.prompt))
        what = f"{entry.name}: the prompt {place} exists neither before nor after, so nothing is gated"
        yield Finding(what=what, hint=f"correct the path in {NAME}, or remove the lineage")
    free = [suspect for suspect in uncovered if _policy(suspect, places) is Uncovered.WARN]
    if free:
        yield Finding(what=f"{_looks(free)}: not gated", hint=f"add a lineage to {NAME}")


def _policy(suspect: Suspect, places: Sequence[Place]) -> Uncovered:
    return configuration_around(suspect.path, places).uncovered


def _looks(suspects: Sequence[Suspect]) -> str:
    if len(suspects) == 1:
        return f"{_listed(suspects)} looks like a prompt, but no lineage names it"
    return f"{_listed(suspects)} look like prompts, but no lineage names them"


def _listed(suspects: Sequence[Suspect]) -> str:
    more = f" and {len(suspects) - NAMED} more" if len(suspects) > NAMED else ""
    return f"{', '.join(map(str, suspects[:NAMED]))}{more}"
