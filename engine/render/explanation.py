"""Renders why cases broke: the guilty parts of the change, an edit that reverts them, and what the cases share."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.render.encode import code, prose, visible
from engine.render.limits import Detail
from engine.render.sections import fold
from schemas.blame import Blame, BlameResult, Unit
from schemas.scorecard import LineageCard

PATCHES = 3
"""The most guilty parts that are shown as a patch."""
PATCH_CHARACTERS = 3_000
"""The most characters of a part, in a patch."""


def explanation_parts(card: LineageCard, detail: Detail) -> Iterator[str]:
    """Yields why cases broke; nothing if that is not known, or if ``detail`` has no room for it."""
    if said := explanation(card):
        yield f"<b>Which lines did it.</b> {prose(said, 1_200)}"
    guilty = _shown(card) if detail.diff_lines else ()
    edits = [text for unit in guilty for text in (patch(unit), suggestion(unit)) if text]
    if edits:
        yield fold("An edit that reverts it", "\n\n".join(edits))
    if shared := _shared(card):
        yield f"<b>What the broken cases share.</b> {prose(' '.join(shared), 1_200)}"


def explanation(card: LineageCard) -> str:
    """Returns the sentence about the guilty parts; empty if there was nothing to search."""
    found = card.blame
    # A search that was never planned explains nothing; one that the budget did not allow does.
    if found is None or (found.result is BlameResult.NOT_RUN and found.budget_usd is None):
        return ""
    return found.sentence


def explanation_sentences(card: LineageCard) -> list[str]:
    """Returns why cases broke, and what they share."""
    return [said for said in (explanation(card), *_shared(card)) if said]


def _shared(card: LineageCard) -> list[str]:
    """Returns what the broken cases share. Confused labels have a place of their own."""
    return [pattern.sentence for pattern in card.patterns if pattern.kind == "feature"]


def patches(card: LineageCard) -> list[str]:
    """Returns the edits that revert the guilty parts, as lines of a diff."""
    return [_diff(unit) for unit in _shown(card)]


def _shown(card: LineageCard) -> tuple[Unit, ...]:
    return guilty_units(card.blame)[:PATCHES] if card.blame else ()


def guilty_units(found: Blame) -> tuple[Unit, ...]:
    """Returns the guilty parts, the clearest first."""
    numbers = dict.fromkeys(unit for culprit in found.culprits for unit in culprit.units)
    return tuple(found.units[number] for number in numbers)


def patch(unit: Unit) -> str:
    """Returns the edit that reverts a part, as a code block of a diff. Empty if it can't be shown as it is."""
    text = _diff(unit)
    return fenced(text, "diff") if _is_readable(text) else ""


def _diff(unit: Unit) -> str:
    place = unit.file or unit.name or unit.kind.value
    if unit.lines:
        place += f":{unit.lines[0]}"
    removed, added = (text.removesuffix("\n").split("\n") if text else [] for text in (unit.after, unit.before))
    return "\n".join((f"@@ {place} @@", *(f"-{line}" for line in removed), *(f"+{line}" for line in added)))


def suggestion(unit: Unit) -> str:
    """Returns a suggestion block of GitHub that reverts exactly the unit's lines, to be pasted. Empty if there is none.

    GitHub applies suggestions only in a review comment on these lines, so it is shown as text.
    """
    if unit.lines is None or unit.suggestion is None or not _is_readable(unit.suggestion):
        return ""
    first, last = unit.lines
    lines = f"line {first}" if first == last else f"lines {first} to {last}"
    block = fenced(unit.suggestion, "suggestion") if unit.suggestion else "```suggestion\n```"
    return f"Or comment on {lines} of {code(unit.file or '', 200)} with\n\n{fenced(block, '')}"


def _is_readable(text: str) -> bool:
    """Returns whether people see all of a text: a patch with hidden characters would be applied unread."""
    blanks = text.replace("\t", " ")
    return len(text) <= PATCH_CHARACTERS and visible(blanks, lines=True) == blanks


def fenced(text: str, language: str) -> str:
    """Returns text as a code block that nothing in it can end."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"
