"""Annotations on the prompt lines that a pull request changes. The shell prints or posts them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from engine.render.encode import excerpt, visible
from engine.render.explanation import explanation, guilty_units
from engine.render.result_text import with_model
from engine.render.signs import VERDICT_WORDS
from schemas.host import Annotation
from schemas.scorecard import LineageCard, Scorecard
from schemas.verdicts import VerdictStatus

MOST_PER_LEVEL = 10
"""GitHub's limit: it shows ten errors and ten warnings of a step and silently drops the rest."""

_OF_PROMPT = ("prompt", "added", "deleted", "renamed", "moved_out")
"""Kinds of changes whose path is the prompt's."""
_LEVELS: dict[VerdictStatus, Literal["error", "warning"]] = {
    VerdictStatus.BLOCKED: "error",
    VerdictStatus.ERROR: "error",
    VerdictStatus.NEEDS_REVIEW: "warning",
    VerdictStatus.INCONCLUSIVE: "warning",
}


def _annotation(card: LineageCard, level: Literal["error", "warning"]) -> Annotation:
    path, (start, end) = _place(card)
    known = explanation(card)
    said = dict.fromkeys((card.headline, *(reason.sentence for reason in card.reasons), *([known] if known else [])))
    return Annotation(
        level=level,
        path=path,
        start_line=start,
        end_line=end,
        title=visible(excerpt(f"{with_model(card.lineage, card.model)}: {VERDICT_WORDS[card.status]}", 200).text),
        message=visible(excerpt("\n".join(said), 2_000).text, lines=True),
    )


def _place(card: LineageCard) -> tuple[str, tuple[int, int]]:
    """Returns the file and the lines to annotate: those that break the cases, if they are known, else the first that
    differ."""
    for unit in guilty_units(card.blame) if card.blame else ():
        if unit.file is not None and unit.lines is not None:
            return unit.file, unit.lines
    return _file_of(card), card.diff.file_lines[0] if card.diff and card.diff.file_lines else (1, 1)


def _file_of(card: LineageCard) -> str:
    """Returns the file to annotate: the one that differs, else the first of the prompt's."""
    if card.diff and card.diff.file:
        return card.diff.file
    changed = next((change.path for change in card.changes if change.kind in _OF_PROMPT and change.path), None)
    return changed or (card.diff.path_after if card.diff else None) or card.prompt


def scorecard_annotations(scorecard: Scorecard) -> tuple[Annotation, ...]:
    """Returns one annotation for each lineage that isn't approved, worst first, at most ten of each level.

    If there are more, the last one of its level counts them.
    """

    def of_level(level: Literal["error", "warning"]) -> Iterator[Annotation]:
        cards = [card for card in scorecard.lineages if _LEVELS.get(card.status) == level]
        for card in cards[:MOST_PER_LEVEL]:
            note = _annotation(card, level)
            left_out = len(cards) - MOST_PER_LEVEL
            if left_out > 0 and card is cards[MOST_PER_LEVEL - 1]:
                note = note.model_copy(update={"message": f"{note.message}\n{left_out:,} more: see the scorecard."})
            yield note

    return (*of_level("error"), *of_level("warning"))


def workflow_command(annotation: Annotation) -> str:
    """Returns the annotation as one line for the Actions runner (docs.github.com, "Workflow commands")."""
    properties = {
        "file": annotation.path,
        "line": str(annotation.start_line),
        "endLine": str(annotation.end_line),
        "title": annotation.title,
    }
    named = ",".join(f"{name}={_property(text)}" for name, text in properties.items())
    return f"::{annotation.level} {named}::{_data(annotation.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
