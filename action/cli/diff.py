"""``promptverdict diff``."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING

from action.cli.check import colors
from action.cli.local import open_repository
from action.cli.streams import put
from action.exits import Exit
from engine.detection.files import Files
from engine.detection.places import read_at
from engine.detection.prompt_diff import diff_prompts
from engine.detection.sides import Changes
from engine.readers.config import read_config
from engine.render.encode import visible, without_commands
from schemas.errors import SourceError, UsageError
from schemas.prompts import Finding
from schemas.references import Reference, reference_of

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.git.clone import Clone
    from schemas.diffs import DiffLine, PromptDiff
    from schemas.prompts import PromptFile

CONFIG_NAMES = ("promptverdict.yaml", ".github/promptverdict.yaml")
RED, GREEN, DIM, OFF = "\x1b[31m", "\x1b[32m", "\x1b[2m", "\x1b[0m"


def diff(repo: Path, lineage: str, before: str | None, after: str, *, color: bool | None) -> Exit:
    """Prints two versions of a prompt side by side. Raises UsageError for an unknown name."""
    repository = open_repository(repo)
    new = repository.resolve(after)
    old = (
        repository.resolve(before)
        if before
        else repository.merge_base(repository.resolve(repository.default_branch()), new)
    )
    if old is None:
        raise UsageError(
            "the two commits have no common history", hint="name both commits: promptverdict diff LINEAGE REF REF"
        )
    place = _place(repository, new, lineage)
    renamed = {after: before for before, after in Changes(repository.changes(old, new)).moves.items()}
    found = diff_prompts(_prompt(repository, old, place.moved(renamed)), _prompt(repository, new, place))
    width = shutil.get_terminal_size((120, 24)).columns
    put("".join(without_commands(line) + "\n" for line in side_by_side(found, width, color=colors(color))))
    return Exit.PASS


def _place(repository: Clone, commit: str, lineage: str) -> Reference:
    """Returns where the lineage's prompt lies. If ``lineage`` is a path, returns it unchanged."""
    names: list[str] = []
    for config_path, entry in repository.lookup(commit, CONFIG_NAMES).items():
        config = read_config(config_path, repository.read([entry.blob])[entry.blob])
        if lineage in config.lineages:
            return reference_of(config.lineages[lineage].prompt)
        names += config.lineages
    written = reference_of(lineage)
    if repository.entry(commit, written.paths[0]) is not None:
        return written
    known = f"there are: {', '.join(names)}" if names else "give the path of a prompt"
    raise UsageError(f"that commit has no lineage {lineage!r}", hint=known)


def _prompt(repository: Clone, commit: str, place: Reference) -> PromptFile | None:
    """Returns one version of the prompt. Raises SourceError for one that can't be read."""
    found = read_at(Files(repository, commit), place)
    if isinstance(found, Finding):
        raise SourceError(found.what, where=found.where, hint=found.hint)
    return found


def side_by_side(found: PromptDiff, width: int, *, color: bool) -> list[str]:
    """Renders two columns, the old version left. Every line is made safe for a terminal."""
    column = max(20, (width - 3) // 2)
    paint = _painted if color else _plain
    lines = [f"{_cut(found.path_before or '(not there)', column)} │ {_cut(found.path_after or '(not there)', column)}"]
    lines.append(f"{'─' * column}─┼─{'─' * column}")
    for name, was, now in found.settings:
        lines.append(paint(RED, _cut(f"{name}: {was}", column)) + " │ " + paint(GREEN, _cut(f"{name}: {now}", column)))
    for number, hunk in enumerate(found.hunks):
        if number:
            lines.append(paint(DIM, _cut("…", column) + " │ …"))
        for left, right in _pairs(hunk.lines):
            lines += _row(left, right, column, paint)
    if not found.hunks and not found.settings:
        lines.append("no difference for the model")
    lines.append(f"+{found.added} −{found.removed} lines")
    return lines


def _painted(code: str, text: str) -> str:
    return f"{code}{text}{OFF}"


def _plain(_code: str, text: str) -> str:
    return text


def _row(left: DiffLine | None, right: DiffLine | None, column: int, paint: Callable[[str, str], str]) -> Iterator[str]:
    """Yields a pair of lines, wrapped as often as the longer one needs."""
    same = left is not None and left.kind == "same"
    sign = " " if same else "~" if left and right else "-" if left else "+"
    for texts in zip_longest(_wrapped(left, column), _wrapped(right, column), fillvalue=""):
        sides = zip(texts, (RED, GREEN), strict=True)
        cells = [f"{text:<{column}}" if same or not text else paint(code, f"{text:<{column}}") for text, code in sides]
        yield f"{cells[0]} {sign} {cells[1]}".rstrip()


def _pairs(lines: tuple[DiffLine, ...]) -> list[tuple[DiffLine | None, DiffLine | None]]:
    pairs: list[tuple[DiffLine | None, DiffLine | None]] = []
    removed: list[DiffLine] = []
    added: list[DiffLine] = []

    def flush() -> None:
        pairs.extend(zip_longest(removed, added))
        removed.clear()
        added.clear()

    for line in lines:
        if line.kind == "same":
            flush()
            pairs.append((line, line))
        else:
            (removed if line.kind == "removed" else added).append(line)
    flush()
    return pairs


def _wrapped(line: DiffLine | None, width: int) -> list[str]:
    """Returns the whole line, wrapped between words to the width of its column."""
    shown = visible(line.text) if line else ""
    return textwrap.wrap(shown, width, drop_whitespace=False, break_on_hyphens=False) or [""]


def _cut(text: str, width: int) -> str:
    shown = visible(text)
    return (shown if len(shown) <= width else shown[: width - 1] + "…").ljust(width)
