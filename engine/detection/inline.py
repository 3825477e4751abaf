"""Prompts without a configuration: a ``.prompt.yml`` with test data and evaluators is a lineage by itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from engine.detection.configurations import Place, configuration_around
from engine.detection.entries import Entry
from engine.detection.files import Files
from engine.detection.places import read_at
from engine.detection.prompts import approval
from engine.detection.sides import Sides
from engine.readers.bounded import MAX_BYTES, shown
from schemas.config import LineageConfig
from schemas.prompts import PromptFile
from schemas.references import whole
from schemas.use_cases import UseCase
from schemas.verdicts import Reason, ReasonCode

SUFFIXES = (".prompt.yml", ".prompt.yaml")


def inline_entries(sides: Sides, places: Sequence[Place], configured: Sequence[Entry]) -> tuple[Entry, ...]:
    """Returns an entry for each touched prompt of this kind that no configuration names.

    The prompt exists at the base or is new in the head. The configuration of its folder provides models, gate and
    budget. A prompt that gates at the base continues to gate, whatever the head's configuration says about it.
    """
    named_at_base = {path for entry in configured if not entry.new for path in entry.prompt.paths}
    lasting = [entry for entry in configured if not entry.adopted]
    named = {path for entry in lasting for path in (*entry.prompt.paths, *entry.head_prompt.paths)}
    found = dict(_found(sides, named_at_base, named))
    stems = Counter(_name(path.rpartition("/")[2]) for path in found)
    entries = []
    for path, new in found.items():
        folder, _, file = path.rpartition("/")
        # Two folders may have prompts of the same file name. Lineage names must be unique.
        name = _name(file) if stems[_name(file)] == 1 else _name(f"{folder.rpartition('/')[2]}-{file}")
        config = configuration_around(path, places)
        lineage = LineageConfig(use_case=UseCase.GENERATION, prompt=path)
        entries.append(Entry(name, name, "", config, lineage, config, lineage, new=new))
    return tuple(entries)


def replaced_reasons(sides: Sides, configured: Sequence[Entry]) -> Iterator[Reason]:
    """Yields a reason for each new lineage on a prompt that already gates by itself at the base.

    The lineage would replace the prompt's own tests and gate.
    """
    taking = [
        (entry, path)
        for entry in configured
        if entry.new and not entry.adopted
        for path in entry.prompt.paths
        if path.endswith(SUFFIXES)
    ]
    sides.base.fetch(path for _, path in taking)
    for entry, path in taking:
        if _is_whole(sides.base, path):
            yield approval(
                ReasonCode.POLICY_CHANGED,
                f"{entry.name}: {shown(path)} is judged by its own test data and evaluators. The lineage that "
                "this pull request adds would replace them.",
            )


def _found(sides: Sides, named_at_base: set[str], named: set[str]) -> Iterator[tuple[str, bool]]:
    """Paths at base (at the head for what is new there), and whether they are new."""
    touched = [path for path in sides.changes.touched if path.endswith(SUFFIXES)]
    sides.base.fetch(touched)
    sides.merged.fetch(touched)
    for before, after in (change.pair for change in sides.changes.all):
        old = before or after
        # The base decides whether a prompt gates by itself. The head must not be able to switch that off.
        if old and old not in named_at_base and _is_whole(sides.base, old):
            yield old, False
        elif after and not named & {before, after} and _is_whole(sides.merged, after):
            yield after, True


def _is_whole(files: Files, path: str) -> bool:
    # First, because each of the other touched files would be looked up by a request of its own.
    if not path.endswith(SUFFIXES):
        return False
    entry = files.entry(path)
    if entry is None or (entry.size or 0) > MAX_BYTES:
        return False
    raw = files.get(path, b"")
    if b"testData" not in raw or b"evaluators" not in raw:
        return False
    prompt = read_at(files, whole(path))
    return isinstance(prompt, PromptFile) and bool(prompt.test_data and prompt.evaluators)


def _name(text: str) -> str:
    """Returns a lineage's name, derived from a file name."""
    stem = next((text.removesuffix(suffix) for suffix in SUFFIXES if text.endswith(suffix)), text)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).lstrip("._-")[:64] or "prompt"
