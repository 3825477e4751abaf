"""Finds the lines of a unit in the candidate's file, and the text that reverts exactly these lines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.blame.units import ChangeUnits
from engine.detection.prompt_diff import LINE_PAIRS, compare, ends_in_common
from schemas.blame import Unit, UnitKind
from schemas.prompts import PromptFile

LONGEST = 4_000
"""Characters of a text in the scorecard."""


class _Lines(NamedTuple):
    """Lines of a file, and what to replace them with."""

    first: int
    last: int
    suggestion: str | None


def placed(units: ChangeUnits, file: str | None, texts: Mapping[str, str]) -> tuple[Unit, ...]:
    """Returns the units with their places. ``file`` holds the candidate's messages, ``texts`` its files by path."""
    found = (_placed(units, number, unit, file, texts) for number, unit in enumerate(units.described()))
    return tuple(map(_bounded, found))


def _bounded(unit: Unit) -> Unit:
    """Returns the unit with at most ``LONGEST`` characters of each text. A part of a suggestion is none."""
    short = {"before": unit.before[:LONGEST], "after": unit.after[:LONGEST]}
    whole = unit.suggestion is not None and len(unit.suggestion) <= LONGEST
    return unit.model_copy(update={**short, "suggestion": unit.suggestion if whole else None})


def _placed(units: ChangeUnits, number: int, unit: Unit, file: str | None, texts: Mapping[str, str]) -> Unit:
    candidate = units.candidate.prompt
    path = _partial_path(candidate, unit.name) if unit.kind is UnitKind.PARTIAL else file
    text = texts.get(path) if path else None
    if path is None or text is None:
        return unit
    if unit.kind in (UnitKind.PARAMETER, UnitKind.MODEL):
        found = _key_line(unit.name or "model", text)
    else:
        reverted = units.without({number}).prompt
        name = unit.name if unit.kind is UnitKind.PARTIAL else None
        found = _changed_lines(_text(candidate, name), _text(reverted, name), text)
        if found is not None and unit.kind is not UnitKind.TEXT and unit.kind is not UnitKind.PARTIAL:
            # Whole messages need more than their text: the file's own marks for them.
            found = found._replace(suggestion=None)
    if found is None:
        return unit.model_copy(update={"file": path})
    return unit.model_copy(update={"file": path, "lines": (found.first, found.last), "suggestion": found.suggestion})


def _partial_path(prompt: PromptFile, name: str) -> str | None:
    return next((path for path in prompt.partials if path == name or path.endswith(f"/{name}")), None)


def _text(prompt: PromptFile, partial: str | None) -> str:
    if partial is not None:
        return prompt.included[partial]
    return "\n".join(message.content for message in prompt.messages)


def _key_line(name: str, text: str) -> _Lines | None:
    """Returns the only line that sets a key."""
    pattern = re.compile(rf"\s*[\"']?{re.escape(name)}[\"']?\s*:")
    found = [number for number, line in enumerate(text.splitlines(), 1) if pattern.match(line)]
    return _Lines(found[0], found[0], None) if len(found) == 1 else None


def _changed_lines(candidate: str, reverted: str, text: str) -> _Lines | None:
    """Returns the file's lines that hold what differs between two contents, if they are there line by line."""
    new, old, file = candidate.split("\n"), reverted.split("\n"), text.split("\n")
    head, tail = ends_in_common(new, old)
    first, last = head, len(new) - tail
    places = _places(new, file)
    # A removal has no line of its own. The line before it stands for it, or else the one after it.
    if first == last:
        near = [number for number in (first - 1, first) if number in places and new[number].strip()]
        first, last = (near[0], near[0] + 1) if near else (0, 0)
    known = [places[number] for number in range(first, last) if number in places]
    if not known or known != list(range(known[0], known[0] + last - first)):
        return None
    lines = old[first : len(old) - (len(new) - last)]
    return _Lines(known[0] + 1, known[-1] + 1, _indented(lines, new[first:last], [file[place] for place in known]))


def _indented(lines: Sequence[str], now: Sequence[str], in_file: Sequence[str]) -> str | None:
    """Returns lines as the file writes them; ``None`` if it writes the present ones in another way than indented."""
    indents = {line[: len(line) - len(line.lstrip())] for line in in_file if line.strip()}
    indent = next(iter(indents), "")
    same = all(not line.strip() or line.rstrip("\r") == indent + text for line, text in zip(in_file, now, strict=True))
    if len(indents) > 1 or not same:
        return None
    return "\n".join(indent + line if line.strip() else line for line in lines)


def _places(content: Sequence[str], file: Sequence[str]) -> dict[int, int]:
    """Returns, by line of the content, its line in the file: those that both have, in order."""
    mine, theirs = ([line.strip() for line in lines] for lines in (content, file))
    found: dict[int, int] = {}
    done = shift = 0
    for i, j, _, m in [*compare(mine, theirs, LINE_PAIRS), (len(mine), len(mine), len(theirs), len(theirs))]:
        found |= {number: number + shift for number in range(done, i)}
        done, shift = j, m - j
    return found
